"""The runner by itself: what a run costs over HTTP, without n8n."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import docker

from lab.runner import Runner
from tests.bench.client import Client, request
from tests.bench.results import Result, latency

CODE = "def double(item: dict) -> dict:\n    item['n'] = item['n'] * 2\n    return item\n"
FRESH = itertools.count(1)
DEFAULT_CPUS = 0.5


class Direct:
    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.port = int(urlsplit(runner.url).port or 0)
        self.definition = ""

    async def define(self, code: str = CODE) -> str:
        client = await Client.connect(self.port)
        answer = await client.call(request("PUT", "/v1/definitions", {"code": code}, self.runner.token))
        client.close()
        self.definition = json.loads(answer.body)["id"]
        return self.definition

    def run_request(self, items: int, workflow: str, execution: str) -> bytes:
        body = {"items": [{"json": {"n": n, "name": f"item {n}"}} for n in range(items)]}
        path = f"/v1/definitions/{self.definition}/runs?workflow={workflow}&execution={execution}&node=bench"
        return request("POST", path, body, self.runner.token)

    async def live(self, items: int, count: int) -> list[float]:
        """Calls back to back in one session."""
        client = await Client.connect(self.port)
        wanted = self.run_request(items, "live", "live")
        await client.call(wanted)
        times = [(await client.call(wanted)).ms for _ in range(count)]
        client.close()
        return times

    async def new(self, count: int, pause_s: float) -> list[float]:
        """The first run of a new execution each."""
        client = await Client.connect(self.port)
        times = []
        for _ in range(count):
            wanted = self.run_request(1, "live", f"new-{next(FRESH)}")
            await asyncio.sleep(pause_s)
            times.append((await client.call(wanted)).ms)
        client.close()
        return times

    async def rate(self, clients: int, seconds: float, *, fresh: bool) -> tuple[float, int]:
        """Runs per second of so many clients at once, each in a session of its own or a new one each time."""
        end = time.perf_counter() + seconds

        async def work(number: int) -> int:
            client = await Client.connect(self.port)
            same = self.run_request(1, "live", f"rate-{number}")
            done = 0
            while time.perf_counter() < end:
                await client.call(self.run_request(1, "live", f"new-{next(FRESH)}") if fresh else same)
                done += 1
            client.close()
            return done

        began = time.perf_counter()
        total = sum(await asyncio.gather(*(work(number) for number in range(clients))))
        return total / (time.perf_counter() - began), total

    async def first_of_workflow(self) -> float:
        client = await Client.connect(self.port)
        answer = await client.call(self.run_request(1, f"workflow-{next(FRESH)}", "first"))
        client.close()
        return answer.ms

    async def until_warm(self, count: int) -> None:
        async with asyncio.timeout(30):
            while sum(row["state"] == "warm" for row in await self.runner.sandboxes()) < count:
                await asyncio.sleep(0.02)


async def measure_latency(folder: Path, cpus: float, label: str = "") -> list[Result]:
    """What one caller waits, with sandboxes of so many CPUs."""
    note = f"{cpus:g} CPU"
    async with started(folder, cpus) as direct:
        await direct.live(1, 200)
        return [
            latency(f"runner.live.1{label}", await direct.live(1, 2000), "≤ 1 ms", note),
            latency(f"runner.new.1{label}", await direct.new(200, 0.02), "≤ 3 ms, p95 ≤ 8", note),
            latency(f"runner.new.1.paused{label}", await direct.new(50, 0.1), "", f"{note}, 100 ms pause"),
            latency(f"runner.live.1000{label}", await direct.live(1000, 200), "≤ 3.5 ms", note),
            latency(f"runner.live.100000{label}", await direct.live(100_000, 8), "", note),
        ]


async def measure_rate(folder: Path, cpus: float, label: str = "") -> list[Result]:
    """What 16 callers at once get done, all in one sandbox of so many CPUs."""
    note = f"{cpus:g} CPU"
    async with started(folder, cpus) as direct:
        await direct.live(1, 200)
        live, live_count = await direct.rate(16, 5, fresh=False)
        new, new_count = await direct.rate(16, 5, fresh=True)
    return [
        Result(f"runner.rate.live{label}", round(live), "/s", live_count, goal="≥ 2000 /s", note=note),
        Result(f"runner.rate.new{label}", round(new), "/s", new_count, goal="≥ 300 /s", note=note),
    ]


@asynccontextmanager
async def started(folder: Path, cpus: float, **env: str) -> AsyncGenerator[Direct]:
    settings = {"QFLOW_CPUS": str(cpus), "QFLOW_LOG_LEVEL": "warning", **env}
    runner = await Runner.start(folder, "docker", env=settings)
    try:
        direct = Direct(runner)
        await direct.define()
        yield direct
    finally:
        await runner.stop()


async def measure_pool(folder: Path) -> list[Result]:
    """What a workflow's first run costs: with a warm sandbox, and without one."""
    results: list[Result] = []
    async with started(folder / "hit", DEFAULT_CPUS) as direct:
        await direct.until_warm(2)
        results.append(idle_memory((await direct.runner.sandboxes())[0]["id"]))
        times: list[float] = []
        for _ in range(20):
            await direct.until_warm(2)
            await asyncio.sleep(0.2)
            times.append(await direct.first_of_workflow())
        results.append(latency("pool.hit", times, "≤ 15 ms"))
    async with started(folder / "miss", DEFAULT_CPUS, QFLOW_POOL_FLOOR="0") as direct:
        times = [await direct.first_of_workflow() for _ in range(12)]
        results.append(latency("pool.miss", times, "≤ 500 ms"))
    return results


async def measure_churn(folder: Path, workflows: int = 200) -> list[Result]:
    """Twice a second another workflow, with a tenth as many sandboxes as workflows."""
    async with started(folder / "churn", DEFAULT_CPUS, QFLOW_POOL_CEILING="20") as direct:
        await direct.until_warm(2)
        start = time.perf_counter()
        times: list[float] = []
        for number in range(workflows):
            await asyncio.sleep(max(start + number * 0.5 - time.perf_counter(), 0))
            times.append(await direct.first_of_workflow())
        sandboxes = len(await direct.runner.sandboxes())
    return [latency("pool.churn", times, "≤ 40 ms", f"{sandboxes} sandboxes at the end")]


def idle_memory(sandbox: str) -> Result:
    """The proportional memory of a sandbox's processes, as the kernel counts it."""
    client = docker.from_env()
    try:
        top = client.api.top(f"qflow-{sandbox}")
    finally:
        client.close()
    column = top["Titles"].index("PID")
    pids = [row[column] for row in top["Processes"]]
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return Result(
        "sandbox.idle",
        round(total / 1e6, 1),
        "MB",
        len(pids),
        goal="≤ 25 MB",
        note="PSS, with a spare session",
    )
