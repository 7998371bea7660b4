"""What a cluster costs over one runner, and what a second worker brings: a real Redis, a real PostgreSQL, real Docker."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from lab import redis as lab_redis
from lab.postgres import running_postgres
from lab.redis import RedisServer
from tests.bench.results import Result, percentile
from tests.cluster.cluster import Cluster, database, until
from tests.cluster.test_runs import COUNT
from tests.faults.runner import RunnerProcess

ADD = "def add(n: int = 1) -> int:\n    return n + 1"
ECHO = "def echo(text: str) -> str:\n    return text"
WAIT = "import time\ndef wait() -> int:\n    time.sleep(0.25)\n    return 1"
ROUNDS, RUNS = 5, 100
SECONDS = 8.0
WAITING = 10_000


async def measure(folder: Path) -> list[Result]:
    async with opened(folder) as cluster:
        await cluster.worker(worker_runs=16)
        api = await cluster.api(ready=True)
        beside = await cluster.api(ready=True, engine="embedded")
        results = [
            await _added("cluster.added", api, beside, ADD, {}, "≤ 5 ms"),
            await _added("cluster.added.100kB", api, beside, ECHO, {"text": "x" * 100_000}, ""),
            await _added("cluster.added.5MB", api, beside, ECHO, {"text": "x" * 5_000_000}, "", runs=8),
        ]
        await beside.stop()
        one = await _rate(api)
        await cluster.worker(worker_runs=16)
        await until(lambda: _know(api, 2))
        two = await _rate(api)
        ratio = round(two / one, 2)
        results.append(
            Result(
                "cluster.scale",
                ratio,
                "x",
                2,
                baseline=round(one),
                ratio=ratio,
                goal="≥ 1.7",
                note=f"{two:.0f} runs/s of nodes that wait 0.25 s with two workers of 16 places, {one:.0f} with one",
            )
        )
        results.append(await _home(api))
    async with opened(folder / "drain") as cluster:
        for _ in range(2):
            await cluster.worker()
        api = await cluster.api(
            ready=True, queue_max=2 * WAITING, queue_per_workflow=2 * WAITING, pool_wait_s=600
        )
        await until(lambda: _know(api, 2))
        results.append(await _drain(api))
    return results


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Cluster]:
    await lab_redis.install()
    (folder / "redis").mkdir(parents=True)
    async with running_postgres() as postgres, database(postgres) as name:
        redis = await RedisServer.start(folder / "redis")
        cluster = Cluster(folder, redis, postgres, name, backend="docker")
        cluster.settings |= {"worker_lost_s": 10, "cpus": 1, "pool_ceiling": 16}
        try:
            yield cluster
        finally:
            await cluster.stop()
            await redis.stop()


async def _added(
    name: str,
    api: RunnerProcess,
    beside: RunnerProcess,
    code: str,
    item: dict[str, str],
    goal: str,
    runs: int = RUNS,
) -> Result:
    """In turns, so that both meet the same machine."""
    times: dict[RunnerProcess, list[float]] = {api: [], beside: []}
    for _ in range(ROUNDS):
        for each, kept in times.items():
            kept.extend(await _times(each, code, item, runs))
    ours, theirs = (percentile(times[each], 0.5) for each in (api, beside))
    return Result(
        name,
        round(ours - theirs, 2),
        "ms",
        len(times[api]),
        p50=round(ours, 2),
        p95=round(percentile(times[api], 0.95), 2),
        baseline=round(theirs, 2),
        ratio=round(ours / theirs, 2),
        goal=goal,
        note="a live session; beside it the embedded engine with the same PostgreSQL",
    )


async def _times(api: RunnerProcess, code: str, item: dict[str, str], runs: int) -> list[float]:
    definition = await api.client.define(code)
    data = json.dumps({"items": [{"json": item}]}).encode()
    found: list[float] = []
    for number in range(runs + 3):
        began = time.perf_counter()
        await _run(api, definition, data, "added", "added")
        if number >= 3:
            found.append((time.perf_counter() - began) * 1000)
    return found


async def _run(
    api: RunnerProcess, definition: str, data: bytes, workflow: str, execution: str
) -> dict[str, object]:
    query = {"workflow": workflow, "execution": execution, "node": "n"}
    headers = {"Content-Type": "application/json"}
    url = f"{api.client.address}/v1/definitions/{definition}/runs"
    async with api.client.http.post(url, params=query, data=data, headers=headers) as reply:
        told = await reply.json()
        if reply.status != 200:
            raise RuntimeError(str(told))
        return told


async def _rate(api: RunnerProcess) -> float:
    """Eight workflows of eight executions, each with its next run as soon as the last is answered."""
    definition = await api.client.define(WAIT)
    data = b'{"items":[{"json":{}}]}'
    done = 0
    until_s = time.monotonic() + SECONDS + 3

    async def execution(workflow: str, name: str) -> None:
        nonlocal done
        while time.monotonic() < until_s:
            await _run(api, definition, data, workflow, name)
            done += time.monotonic() > until_s - SECONDS

    await asyncio.gather(*(execution(f"rate{n % 8}", f"rate{n}-{until_s}") for n in range(64)))
    return done / SECONDS


async def _home(api: RunnerProcess) -> Result:
    """Fifty executions of ten runs."""

    async def execution(name: str) -> int:
        found = [
            (await api.client.values(COUNT, workflow=f"home{hash(name) % 5}", execution=name))[0]
            for _ in range(10)
        ]
        return sum(each == {"pid": found[0]["pid"], "calls": n + 1} for n, each in enumerate(found))

    kept = sum(await asyncio.gather(*(execution(f"home-{n}") for n in range(50))))
    return Result(
        "cluster.home",
        round(kept / 5, 2),
        "%",
        500,
        goal="100 %",
        note="runs that met the session of their execution's first",
    )


async def _drain(api: RunnerProcess) -> Result:
    definition = await api.client.define(ADD)
    data = b'{"items":[{"json":{}}]}'
    headers = {"Authorization": api.client.http.headers["Authorization"]}
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        headers=headers, connector=aiohttp.TCPConnector(limit=0), timeout=timeout
    ) as http:
        api.client.http, before = http, api.client.http
        began = time.monotonic()
        runs = (_run(api, definition, data, f"drain{n % 10}", f"drain{n % 40}") for n in range(WAITING))
        answers = await asyncio.gather(*runs)
        seconds = time.monotonic() - began
        api.client.http = before
    made = len({str(each["run"]) for each in answers})
    return Result(
        "cluster.drain",
        round(seconds, 1),
        "s",
        made,
        goal="all",
        note=f"{WAITING} runs of ten workflows at once, two workers: {made} made, {made / seconds:.0f}/s",
    )


async def _know(api: RunnerProcess, workers: int) -> bool:
    _, told = await api.client.call("GET", "/readyz")
    return told["parts"]["workers"]["reason"].startswith(f"{workers} workers")
