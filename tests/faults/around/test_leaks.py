"""Thousands of short executions, and nothing of them is left: memory, descriptors, processes, directories, records."""

import asyncio
import io
import itertools
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from lab import trees
from tests.faults.parts.places import below
from tests.faults.runner import RunnerProcess

MANY = int(os.environ.get("QFLOW_EXECUTIONS") or 10_000)
FULL = 4_000
"""Executions after which all that is remembered of earlier ones has reached its bounds."""
WARM, DOCKER_WARM = min(FULL, MANY // 2), min(1_500, MANY // 3)
DOCKER_S = 60.0
AT_ONCE = 8
GROWTH_MB = 10
"""What comes and goes with the load."""
EACH_KB, FILLING_KB = 2, 12
"""What an execution may add when the bounds are reached, and before: a minute of containers ends before that."""

OK = "def ok(n: int) -> int:\n    return n * 7\n"
RAISES = "def raises(n: int) -> int:\n    raise ValueError(n)\n"
ENDS = "import os\ndef ends(n: int) -> int:\n    os._exit(n % 7)\n"
KEEPS = "class Kept:\n    pass\ndef keeps(n: int):\n    return Kept()\n"
FILE = "from qflow import File\ndef file(n: int) -> File:\n    return File.from_bytes(bytes(100_000), name='a.bin')\n"
CODES = {
    "ok": (OK, 200),
    "raises": (RAISES, 422),
    "ends": (ENDS, 422),
    "keeps": (KEEPS, 200),
    "file": (FILE, 200),
}
SHARES = ["ok"] * 92 + ["raises", "raises", "ends", "ends", "keeps", "keeps", "file", "file"]


@dataclass(frozen=True)
class Held:
    """What a runner has: memory in MB, and counts."""

    memory_mb: float
    descriptors: int
    threads: int
    processes: int
    sandboxes: int
    files: int
    """Below the data directory and the runtime directory, without the database's own."""


@pytest.fixture
async def served(backend: str, tmp_path: Path) -> AsyncIterator[RunnerProcess]:
    python = "{}.{}".format(*sys.version_info[:2]) if backend == "process" else "3.12"
    settings = {"python": python, "pool_floor": 1, "cpus": 1, "keep_inputs": "off"}
    runner = RunnerProcess(backend, tmp_path / "data", settings)
    await runner.start()
    yield runner
    await runner.stop()


@pytest.mark.timeout(900)
async def test_short_executions_leave_nothing(served: RunnerProcess, backend: str, tmp_path: Path) -> None:
    """With Docker as many as a minute has room for; with plain processes all of them."""
    load = await Load.make(served)
    count = await load.run(WARM if backend == "process" else DOCKER_WARM, 120)
    await load.quiet()
    before = held(served, tmp_path, await served.client.sandboxes())
    more = MANY - WARM
    done = await load.run(more, 600 if backend == "process" else DOCKER_S)
    await load.quiet()
    after = held(served, tmp_path, await served.client.sandboxes())

    print(f"{count + done} executions ({backend}): {before} -> {after}")
    if backend == "process":
        assert MANY == count + done
    assert done >= 300
    assert not load.wrong
    each_kb = EACH_KB if count >= FULL else FILLING_KB
    assert after.memory_mb - before.memory_mb < GROWTH_MB + done * each_kb / 1024
    assert after.descriptors - before.descriptors <= 20
    assert after.threads - before.threads <= 8
    assert after.processes - before.processes <= 2
    assert after.sandboxes <= before.sandboxes + 1
    assert after.files - before.files <= 50
    if backend == "docker":
        assert containers_of(await served.client.sandboxes()) == after.sandboxes


class Load:
    """Executions of four workflows, of one run each; most of them told to be over as n8n's hook does."""

    def __init__(self, runner: RunnerProcess, definitions: dict[str, str]) -> None:
        self._runner = runner
        self._definitions = definitions
        self._numbers = itertools.count(1)
        self.wrong: list[Any] = []

    @classmethod
    async def make(cls, runner: RunnerProcess) -> "Load":
        return cls(runner, {name: await runner.client.define(code) for name, (code, _) in CODES.items()})

    async def run(self, count: int, seconds: float) -> int:
        """So many, or as many as this time has room for."""
        until, left = time.monotonic() + seconds, iter(range(count))
        done = await asyncio.gather(*(self._caller(left, until) for _ in range(AT_ONCE)))
        return sum(done)

    async def _caller(self, left: Any, until: float) -> int:
        done = 0
        for _ in left:
            if time.monotonic() > until:
                break
            await self._execution(next(self._numbers))
            done += 1
        return done

    async def _execution(self, number: int) -> None:
        kind = SHARES[number % len(SHARES)]
        place = {"workflow": f"leaks {number % 4}", "execution": f"leak {number}"}
        body = io.BytesIO(json.dumps({"items": [{"json": {"n": number}}]}).encode())
        status, reply = await self._runner.client.call(
            "POST",
            f"/v1/definitions/{self._definitions[kind]}/runs",
            params={**place, "keep": "1"},
            data=body,
            headers={"Content-Type": "application/json"},
        )
        right = status == CODES[kind][1] and (
            kind != "ok" or reply["items"][0]["json"] == {"value": number * 7}
        )
        if not right:
            self.wrong.append((kind, status, reply))
        if number % 10:
            await self._runner.client.call("DELETE", f"/v1/executions/{place['execution']}/session")

    async def quiet(self) -> None:
        """The executions that nobody ended are ended, and what was killed is gone."""
        for number in range(0, next(self._numbers), 10):
            await self._runner.client.call("DELETE", f"/v1/executions/leak {number}/session")
        await asyncio.sleep(1.0)  # of processes that end, nothing tells from outside


def held(runner: RunnerProcess, data: Path, sandboxes: list[dict[str, Any]]) -> Held:
    status = Path(f"/proc/{runner.pid}/status").read_text()
    runtime = Path("/run") if os.geteuid() == 0 else Path(tempfile.gettempdir())
    places = [data, *(each.parent for row in sandboxes for each in runtime.glob(f"qflow-*/{row['id']}"))]
    return Held(
        int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024,
        len(list(Path(f"/proc/{runner.pid}/fd").iterdir())),
        int(re.search(r"Threads:\s+(\d+)", status)[1]),
        len(below(runner.pid)),
        len(sandboxes),
        sum(
            1 for place in set(places) for path in trees.below(place) if not path.name.startswith("qflow.db")
        ),
    )


def containers_of(sandboxes: list[dict[str, Any]]) -> int:
    """Containers with this runner's name before their own."""
    prefix = sandboxes[0]["id"].split("-")[0]
    client = docker.from_env()
    try:
        return len(client.containers.list(all=True, filters={"name": f"qflow-{prefix}-"}))
    finally:
        client.close()
