"""Minutes of mixed load at the runner's capacity: no wrong answer, no lost record, nothing left, and a warm run stays quick.

`QFLOW_LOAD_MINUTES` is how long (10). Beside the load, which comes from as many callers as fill the machine, one caller
makes a warm run ten times a second: its times are the figure. At the end the runner is killed with 20 sandboxes, and
the time until it serves again is measured.
"""

import asyncio
import base64
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from lab.runner import Runner
from lab.trees import below
from tests.bench.client import Client
from tests.bench.direct import Direct
from tests.bench.nodes import ONE, Node
from tests.bench.results import Result, percentile

MINUTES = float(os.environ.get("QFLOW_LOAD_MINUTES", "10"))
CALLERS = 6
WORKFLOWS = 12
PACE_S = 0.1
SANDBOXES = 20
RECOVERIES = 5
CONTENT = b"0123456789" * 20_000

CODES: dict[str, tuple[str, dict[str, Any]]] = {
    "value": ("def value(n: int) -> int:\n    return n * 7\n", {}),
    "many": ("def many(items: list[dict]) -> dict:\n    return {'sum': sum(i['n'] for i in items)}\n", {}),
    "keeps": (
        "class Kept:\n    def __init__(self, n):\n        self.n = n\ndef keeps(n: int):\n    return Kept(n)\n",
        {"output": "reference"},
    ),
    "uses": ("def uses(kept) -> int:\n    return kept.n + 1\n", {}),
    "raises": ("def raises(n: int) -> int:\n    raise ValueError(f'no {n}')\n", {}),
    "ends": ("import os\ndef ends(n: int) -> int:\n    os._exit(3)\n", {}),
    "late": ("import time\ndef late(n: int) -> int:\n    time.sleep(60)\n    return n\n", {"timeout_s": 0.5}),
    "cached": ("def cached(n: int) -> int:\n    return n * 3\n", {"cache_ttl_s": 600}),
    "file": (
        "from qflow import File\ndef file(f: File) -> dict:\n    data = f.read_bytes()\n    return {'size': len(data), 'end': data[-3:].decode()}\n",
        {},
    ),
}
SHARES = ["value"] * 50 + ["many"] * 12 + ["kept"] * 12 + ["raises"] * 8 + ["cached"] * 8 + ["file"] * 6
SHARES += ["ends"] * 3 + ["late"]


@dataclass
class Told:
    """What was answered: the outcome of each run by its id, what was wrong, how often each kind was called."""

    runs: dict[str, str] = field(default_factory=dict[str, str])
    wrong: list[Any] = field(default_factory=list[Any])
    kinds: Counter[str] = field(default_factory=Counter[str])
    unrecorded: int = 0
    busy: int = 0


class Load:
    def __init__(self, runner: Runner, http: aiohttp.ClientSession) -> None:
        self._runner = runner
        self._http = http
        self._definitions: dict[str, str] = {}
        self.told = Told()

    async def define(self) -> None:
        for name, (code, options) in CODES.items():
            body = {"code": code, "timeout_s": 20, **options}
            async with self._http.put(f"{self._runner.url}/v1/definitions", json=body) as response:
                assert response.status == 200, await response.text()
                self._definitions[name] = (await response.json())["id"]

    async def caller(self, number: int, until: float) -> None:
        """Executions of one to four nodes, each its own, and each told to be over."""
        count = number
        while time.monotonic() < until:
            count += CALLERS
            place = {"workflow": f"load {count % WORKFLOWS}", "execution": f"load {number} {count}"}
            for step in range(1 + count % 4):
                kind = SHARES[(count * 7 + step * 31) % len(SHARES)]
                self.told.kinds[kind] += 1
                await KINDS.get(kind, Load.simple)(self, kind, count, place)
            path = f"{self._runner.url}/v1/executions/{quote(place['execution'])}/session"
            async with self._http.delete(path) as response:
                await response.read()

    async def simple(self, kind: str, n: int, place: dict[str, str]) -> None:
        status, reply = await self.run(kind, [{"json": {"n": n}}], place)
        self.check(kind, status, reply, expected(kind, n))

    async def many(self, kind: str, n: int, place: dict[str, str]) -> None:
        items = [{"json": {"n": n + each}} for each in range(500)]
        status, reply = await self.run(kind, items, place)
        self.check(kind, status, reply, (200, {"sum": 500 * n + 499 * 250}))

    async def kept(self, kind: str, n: int, place: dict[str, str]) -> None:
        status, reply = await self.run("keeps", [{"json": {"n": n}}], place)
        if status == 200:
            status, reply = await self.run("uses", reply["items"], place)
        self.check(kind, status, reply, (200, {"value": n + 1}))

    async def with_file(self, kind: str, n: int, place: dict[str, str]) -> None:
        """Small ones in the item, others uploaded before."""
        about: dict[str, Any] = {"mimeType": "text/plain", "fileName": "a.txt"}
        content = CONTENT[: 1_000 if n % 2 else len(CONTENT)]
        if n % 2:
            about["data"] = base64.b64encode(content).decode()
        else:
            path = f"{self._runner.url}/v1/files"
            async with self._http.post(path, params=place, data=content) as response:
                about["file"] = (await response.json())["file"]
        status, reply = await self.run(kind, [{"json": {}, "binary": {"f": about}}], place)
        self.check(kind, status, reply, (200, {"size": len(content), "end": "789"}))

    async def run(self, name: str, items: list[Any], place: dict[str, str]) -> tuple[int, Any]:
        path = f"{self._runner.url}/v1/definitions/{self._definitions[name]}/runs"
        async with self._http.post(path, params={**place, "node": name}, json={"items": items}) as response:
            status, reply = response.status, await response.json(content_type=None)
        if reply.get("run"):
            self.told.runs[reply["run"]] = "ok" if status == 200 else reply["category"]
            self.told.unrecorded += status == 200 and not reply["recorded"]
        return status, reply

    def check(self, kind: str, status: int, reply: Any, wanted: tuple[int, Any]) -> None:
        if status == 503 and reply["category"] == "busy":
            self.told.busy += 1
            return
        got = reply["items"][0]["json"] if status == 200 else reply["code"]
        if (status, got) != wanted:
            self.told.wrong.append((kind, status, str(reply)[:500], wanted))

    async def lost(self) -> int:
        """Answered runs that the store does not have with the outcome that was answered."""
        found: dict[str, str] = {}
        before = ""
        while True:
            query = {"limit": "200", **({"before": before} if before else {})}
            async with self._http.get(f"{self._runner.url}/v1/runs", params=query) as response:
                page = await response.json()
            found |= {row["id"]: row["outcome"] for row in page["runs"]}
            if len(page["runs"]) < 200 or not self.told.runs.keys() - found.keys():
                break
            before = page["runs"][-1]["id"]
        return sum(found.get(run) != outcome for run, outcome in self.told.runs.items())


Kind = Callable[[Load, str, int, dict[str, str]], Awaitable[None]]
KINDS: dict[str, Kind] = {"many": Load.many, "kept": Load.kept, "file": Load.with_file}


def expected(kind: str, n: int) -> tuple[int, Any]:
    return {
        "value": (200, {"value": n * 7}),
        "cached": (200, {"value": n * 3}),
        "raises": (422, "code_raised"),
        "ends": (422, "process_exited"),
        "late": (504, "time_limit"),
    }[kind]


@dataclass(frozen=True)
class Held:
    """What a runner and its sandboxes have when nothing runs."""

    containers: int
    sandboxes: int
    sessions: int
    descriptors: int
    files: int

    def more_than(self, before: "Held") -> dict[str, int]:
        """What it has more; a few descriptors come and go with connections of the pool of this process."""
        most = {
            "containers": self.containers - self.sandboxes,
            "sessions": self.sessions - before.sessions,
            "descriptors": self.descriptors
            - before.descriptors
            - 40
            - 4 * max(self.sandboxes - before.sandboxes, 0),
            "files": self.files - before.files,
        }
        return {name: count for name, count in most.items() if count > 0}


async def held(runner: Runner, folder: Path) -> Held:
    pid = runner.process.pid
    rows = await runner.sandboxes()
    prefix = rows[0]["id"].split("-")[0] if rows else "none"
    asked = await asyncio.create_subprocess_exec(
        "docker", "ps", "-aq", "--filter", f"name=qflow-{prefix}-", stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asked.communicate()
    return Held(
        len(told.split()),
        len(rows),
        sum(row["sessions"] for row in rows),
        len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208
        count_files(folder / "files"),
    )


def count_files(folder: Path) -> int:
    return sum(1 for path in below(folder) if path.is_file())


async def measure(folder: Path, minutes: float = MINUTES) -> list[Result]:
    return [*await mixed(folder / "mixed", minutes), await recovery(folder / "recovery")]


async def mixed(folder: Path, minutes: float) -> list[Result]:
    settings = {"QFLOW_LOG_LEVEL": "error", "QFLOW_POOL_CEILING": "16"}
    runner = await Runner.start(folder, "docker", env=settings)
    try:
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Authorization": f"Bearer {runner.token}"}
        async with aiohttp.ClientSession(headers=headers, connector=connector) as http:
            load = Load(runner, http)
            await load.define()
            await asyncio.gather(*(load.caller(each, time.monotonic() + 5) for each in range(CALLERS)))
            await paced(runner, 2)
            before = await held(runner, folder)
            warm = asyncio.create_task(paced(runner, minutes * 60))
            until = time.monotonic() + minutes * 60
            await asyncio.gather(*(load.caller(each, until) for each in range(CALLERS, 2 * CALLERS)))
            times = await warm
            await asyncio.sleep(2)  # of processes that end, nothing tells from outside
            after = await held(runner, folder)
            lost = await load.lost()
    finally:
        await runner.stop()
    told = load.told
    print(
        f"wrong: {told.wrong[:5]}\nbusy: {told.busy}, kinds: {dict(told.kinds)}\n{before}\n{after}",
        flush=True,
    )
    count = len(told.runs)
    note = f"{minutes:g} min, {CALLERS} callers, {WORKFLOWS} workflows, {count / minutes / 60:.0f} runs/s"
    leaked = after.more_than(before)
    return [
        Result("load.wrong", len(told.wrong), "answers", count, goal="0", note=note),
        Result("load.lost", lost + told.unrecorded, "records", count, goal="0", note=note),
        Result("load.leaked", sum(leaked.values()), "resources", count, goal="0", note=str(leaked or after)),
        Result("load.busy", told.busy, "answers", count, note="told to try again"),
        Result(
            "load.warm.p99",
            round(percentile(times, 0.99), 2),
            "ms",
            len(times),
            round(percentile(times, 0.5), 2),
            round(percentile(times, 0.95), 2),
            goal="≤ 50 ms",
            note=f"a warm run every {PACE_S * 1000:g} ms beside the load",
        ),
    ]


async def paced(runner: Runner, seconds: float) -> list[float]:
    """Times in ms of warm runs, from the moment at which each was due."""
    direct = Direct(runner)
    client = await Client.connect(direct.port)
    node = await Node.define(direct, client, "def warm() -> int:\n    return 1\n")
    for _ in range(20):
        await node.run("warm", "warm", ONE)
    times: list[float] = []
    began = time.perf_counter()
    for number in range(int(seconds / PACE_S)):
        due = began + number * PACE_S
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        times.append((await node.run("warm", "warm", ONE)).ms)
    client.close()
    return times


async def killed(runner: Runner) -> None:
    os.kill(runner.process.pid, signal.SIGKILL)
    await runner.process.ended()
    await runner.stop()  # of it, only the client is left


async def recovery(folder: Path) -> Result:
    """kill -9 with 20 sandboxes, each with a session: seconds until a run in one of them is answered again."""
    times: list[float] = []
    settings = {"QFLOW_LOG_LEVEL": "error", "QFLOW_POOL_CEILING": str(SANDBOXES), "QFLOW_POOL_FLOOR": "0"}
    runner = await Runner.start(folder, "docker", env=settings)
    try:
        direct = Direct(runner)
        await direct.define()
        for number in range(SANDBOXES):
            client = await Client.connect(direct.port)
            await client.call(direct.run_request(1, f"workflow {number}".replace(" ", "+"), "e"))
            client.close()
        for _ in range(RECOVERIES):
            await killed(runner)
            began = time.perf_counter()
            port, token = direct.port, runner.token
            runner = await Runner.start(folder, "docker", env=settings, port=port, token=token)
            direct.runner = runner
            client = await Client.connect(port)
            await client.call(direct.run_request(1, "workflow+7", "e"))
            times.append(time.perf_counter() - began)
            client.close()
            assert len(await runner.sandboxes()) == SANDBOXES
    finally:
        await runner.stop()
    times.sort()
    return Result(
        "recovery.crash",
        round(times[len(times) // 2], 2),
        "s",
        len(times),
        goal="≤ 2 s",
        note=f"from the start of a new runner to a run in one of {SANDBOXES} sandboxes that were there",
    )
