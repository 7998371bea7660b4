"""``python -m tests.bench.files_server FOLDER``: the runner without sandboxes, which says what its process went through.

It prints its address, and for each line on stdin the most memory (RSS, bytes) and the longest stall of its event
loop (ms) since the last one.
"""

import asyncio
import json
import re
import sys
import time
from pathlib import Path

from qflow_runner.observe import logs
from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import running

TICK_S = 0.002


def rss() -> int:
    return int(re.findall(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) << 10


async def main(folder: Path) -> None:
    seen = {"rss": 0.0, "stall_ms": 0.0}

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            seen["stall_ms"] = max(seen["stall_ms"], (time.perf_counter() - began - TICK_S) * 1000)
            seen["rss"] = max(seen["rss"], rss())

    async with running(FakeBackend(), folder, pool_floor=0) as runner:
        watching = asyncio.ensure_future(watch())
        print(runner.address, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(seen), flush=True)
            seen |= {"rss": float(rss()), "stall_ms": 0.0}
        watching.cancel()


if __name__ == "__main__":
    logs.configure("console", "error")  # to stderr: on stdout are the figures
    asyncio.run(main(Path(sys.argv[1])))
