"""What packages cost: a layer that is there, one that is built, the first run with pandas, and a further execution."""

import asyncio
import itertools
import json
import statistics
import time
from pathlib import Path

from qflow_runner.layers import Layers, compile_here
from qflow_runner.settings import Settings
from tests.bench.client import Client, request
from tests.bench.direct import DEFAULT_CPUS, Direct, started
from tests.bench.nodes import Node, proportional_memory, sandbox_of
from tests.bench.results import Result, latency

PLAIN = "def double(item: dict) -> dict:\n    item['n'] = item['n'] * 2\n    return item\n"
PANDAS = """
import pandas as pd


def total(n: int = 1) -> int:
    return int(pd.DataFrame({"n": [n, 2]}).n.sum())
"""
NUMBER = b'{"items":[{"json":{"n":1}}]}'
WANTED = ["pandas"]
SESSIONS = 10
NAMES = itertools.count(1)


async def measure(folder: Path) -> list[Result]:
    results = await _locks(folder / "locks")
    async with started(folder / "runner", DEFAULT_CPUS) as direct:
        client = await Client.connect(direct.port)
        try:
            pandas = await Node.define(direct, client, PANDAS)
            results += await _builds(direct, client, pandas)
            results += await _first_runs(direct, pandas)
            results += await _hits(direct, client)
            results += await _forks(pandas)
            results.append(await _sessions(direct, pandas))
        finally:
            client.close()
    async with started(folder / "runner", DEFAULT_CPUS) as direct:
        results.append(await _after_a_restart(direct))
    return results


async def _builds(direct: Direct, client: Client, pandas: Node) -> list[Result]:
    """Of a run whose layer was removed: uv has the wheels. The first fills its cache and does not count."""
    times: list[float] = []
    for _ in range(4):
        await direct.until_warm(2)
        ran = await pandas.run(f"build-{next(NAMES)}", "build")
        times.append(ran.timing["packages_ms"])
        for layer in await _layers(direct, client):
            await client.call(request("DELETE", f"/v1/layers/{layer}", None, direct.runner.token))
    await pandas.run(f"build-{next(NAMES)}", "build")
    return [latency("layer.build.pandas", times[1:], "≤ 2000 ms", "lock to layer, uv's cache warm")]


async def _first_runs(direct: Direct, pandas: Node) -> list[Result]:
    times: list[float] = []
    for _ in range(10):
        await direct.until_warm(2)
        await asyncio.sleep(0.3)  # a sandbox that has just started still has work of its own
        times.append((await pandas.run(f"first-{next(NAMES)}", "first")).ms)
    return [latency("layer.first.run", times, "≤ 1200 ms", "new workflow, a warm sandbox waits, 0.5 CPU")]


async def _after_a_restart(direct: Direct) -> Result:
    client = await Client.connect(direct.port)
    pandas = await Node.define(direct, client, PANDAS)
    await direct.until_warm(2)
    ran = await pandas.run("restarted", "restarted")
    client.close()
    note = "the runner's first look at the layer, each file hashed"
    return latency("layer.first.look", [ran.timing["packages_ms"]], "", note)


async def _hits(direct: Direct, client: Client) -> list[Result]:
    """The same code in one live session each, with a requirement and without, in turns."""
    plain = await Node.define(direct, client, PLAIN)
    packed = await Node.define(direct, client, PLAIN, requirements=WANTED)
    without: list[float] = []
    beside: list[float] = []
    inside: list[float] = []
    for number in range(1_050):
        for node, times in ((plain, without), (packed, beside)):
            ran = await node.run("hit", "hit", NUMBER)
            if number >= 50:
                times.append(ran.ms)
        inside.append(ran.timing["packages_ms"])
    added = statistics.median(beside) - statistics.median(without)
    return [
        Result(
            "layer.hit",
            round(added, 3),
            "ms",
            len(beside),
            baseline=round(statistics.median(without), 3),
            goal="≤ 1 ms",
            note="a live run with a requirement less one without",
        ),
        latency("layer.hit.inside", inside[50:], "", "the runner's own packages_ms of these runs"),
    ]


async def _forks(pandas: Node) -> list[Result]:
    """The first run of a new execution, in an environment that has pandas imported."""
    results: list[Result] = []
    for label, pause_s in (("", 0.1), (".soon", 0.02)):
        times: list[float] = []
        for _ in range(60):
            await asyncio.sleep(pause_s)
            times.append((await pandas.run("fork", f"fork-{next(NAMES)}")).ms)
        note = f"0.5 CPU, {pause_s * 1000:g} ms pause"
        results.append(latency(f"pandas.fork{label}", times[10:], "" if label else "≤ 6 ms", note))
    return results


async def _sessions(direct: Direct, pandas: Node) -> Result:
    """Each session has run once and waits for its execution's next node."""
    for number in range(2):
        await pandas.run("memory", f"memory-{number}")
    await asyncio.sleep(1)
    sandbox = await sandbox_of(direct, "memory")
    before, few = proportional_memory(sandbox)
    for number in range(2, 2 + SESSIONS):
        await pandas.run("memory", f"memory-{number}")
    await asyncio.sleep(1)
    after, many = proportional_memory(sandbox)
    assert many - few == SESSIONS
    note = f"PSS of {SESSIONS} more sessions after a run each; the sandbox has {after / 1e6:.0f} MB then"
    return Result(
        "session.memory",
        round((after - before) / SESSIONS / 1e6, 2),
        "MB",
        SESSIONS,
        goal="≤ 6 MB",
        note=note,
    )


async def _locks(folder: Path) -> list[Result]:
    """Asking for the versions of requirements that were resolved before: by this process, and by an earlier one."""
    settings = Settings(data_dir=folder)
    known = await _opened(settings)
    await known.locks.lock(WANTED, "3.12")
    same = [await _asked(known) for _ in range(500)]
    await known.close()
    earlier: list[float] = []
    for _ in range(20):
        layers = await _opened(settings)
        earlier.append(await _asked(layers))
        await layers.close()
    return [
        latency("lock.same", same, "≤ 5 ms"),
        latency("lock.same.restarted", earlier, "≤ 5 ms", "the lock is read from disk"),
    ]


async def _opened(settings: Settings) -> Layers:
    layers = Layers(settings, compile_here)
    await layers.open()
    return layers


async def _asked(layers: Layers) -> float:
    began = time.perf_counter()
    await layers.locks.lock(WANTED, "3.12")
    return (time.perf_counter() - began) * 1000


async def _layers(direct: Direct, client: Client) -> list[str]:
    answer = await client.call(request("GET", "/v1/layers", None, direct.runner.token))
    return [row["id"] for row in json.loads(answer.body)["layers"]]
