"""The node inside real n8n, beside n8n's own nodes: same process, same moment, taken in turns.

A node's cost is what its workflow takes less what the same workflow takes with a No Operation node in its
place. One client keeps its connection and pauses 100 ms between calls, because n8n's own writes after a call
would otherwise stand in the way of the next one.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lab.n8n import N8n
from lab.runner import Runner
from lab.workflows import Node, chain, node
from tests.bench.client import Client, request
from tests.bench.results import Result, against, latency, percentile

PAUSE_S = 0.1
QFLOW = "n8n-nodes-qflow.qflowPython"

JS_MAKE = (
    "const out = [];\nfor (let n = 0; n < {count}; n++) out.push({{json: {{n, name: 'item ' + n, price: n * 1.5}}}});\n"
    "return out;"
)
JS_CHANGE = "for (const item of $input.all()) item.json.n = item.json.n * 2;\nreturn $input.all();"
PY_ONE = "def one(item: dict) -> dict:\n    return {'n': 2}\n"
PY_CHANGE = "def change(item: dict) -> dict:\n    item['n'] = item['n'] * 2\n    return item\n"
PY_MAKE = (
    "def make():\n    return [{{'n': n, 'name': 'item %d' % n, 'price': n * 1.5}} for n in range({count})]\n"
)


@dataclass
class Bench:
    """Published workflows by name, and a connection to n8n."""

    n8n: N8n
    client: Client
    paths: dict[str, str] = field(default_factory=dict[str, str])

    async def add(self, name: str, nodes: list[Node]) -> None:
        path = f"bench-{name.replace('.', '-')}"
        hook = node(
            "Webhook",
            "webhook",
            {"path": path, "httpMethod": "GET", "responseMode": "lastNode", "responseData": "firstEntryJson"},
            version=2,
            webhookId=path,
        )
        settings = {"executionOrder": "v1", "saveDataSuccessExecution": "none", "saveManualExecutions": False}
        saved = await self.n8n.api.create_workflow(chain(name, [hook, *nodes], **settings))
        await self.n8n.api.activate(saved)
        self.paths[name] = path

    async def call(self, name: str) -> float:
        return (await self.client.call(request("GET", f"/webhook/{self.paths[name]}"))).ms

    async def in_turns(self, names: list[str], rounds: int) -> dict[str, list[float]]:
        """Each workflow once a round, in the same order, so that all meet the same weather."""
        times: dict[str, list[float]] = {name: [] for name in names}
        for name in names:
            await self.call(name)
        for _ in range(rounds):
            for name in names:
                await asyncio.sleep(PAUSE_S)
                times[name].append(await self.call(name))
        return times

    async def rate(self, name: str, clients: int, seconds: float) -> float:
        """Calls per second of so many clients without pauses."""
        port = int(urlsplit(self.n8n.url).port or 0)
        end = time.perf_counter() + seconds

        async def work() -> int:
            client = await Client.connect(port)
            done = 0
            while time.perf_counter() < end:
                await client.call(request("GET", f"/webhook/{self.paths[name]}"))
                done += 1
            client.close()
            return done

        began = time.perf_counter()
        total = sum(await asyncio.gather(*(work() for _ in range(clients))))
        return total / (time.perf_counter() - began)


NAMES = itertools.count(1)


def nothing() -> Node:
    return node(f"Nothing {next(NAMES)}", "noOp")


def javascript(code: str) -> Node:
    return node(f"JavaScript {next(NAMES)}", "code", {"jsCode": code}, version=2)


def qflow(code: str, credential: Mapping[str, str], mode: str = "auto", output: str = "auto") -> Node:
    parameters = {"code": code, "mode": mode, "output": output}
    return node(f"Qflow {next(NAMES)}", QFLOW, parameters, credentials={"qflowApi": dict(credential)})


async def measure(folder: Path, cpus: tuple[float, float]) -> list[Result]:
    """Figures with a whole CPU for the sandbox, and those of the default limit beside them."""
    runners = [
        await Runner.start(
            folder / f"runner-{share:g}",
            "docker",
            env={"QFLOW_CPUS": str(share), "QFLOW_LOG_LEVEL": "warning"},
        )
        for share in cpus
    ]
    n8n = await N8n.start(folder / "n8n", env={"EXECUTIONS_DATA_SAVE_ON_SUCCESS": "none"})
    try:
        client = await Client.connect(int(urlsplit(n8n.url).port or 0))
        bench = Bench(n8n, client)
        whole, half = [
            await n8n.api.create_credential(f"Qflow {share:g} CPU", "qflowApi", runner.credential)
            for share, runner in zip(cpus, runners, strict=True)
        ]
        results = await one_item(bench, whole, half)
        results += await chain_of_five(bench, whole, half)
        results += await large(bench, whole, half)
        results += await rates(bench)
        client.close()
    finally:
        await n8n.stop()
        for runner in runners:
            await runner.stop()
    return results


async def one_item(bench: Bench, whole: Mapping[str, str], half: Mapping[str, str]) -> list[Result]:
    await bench.add("1.floor", [nothing()])
    await bench.add("1.js", [javascript("return [{json: {n: 2}}];")])
    await bench.add("1.qflow", [qflow(PY_ONE, whole)])
    await bench.add("1.half", [qflow(PY_ONE, half)])
    times = await bench.in_turns(["1.floor", "1.js", "1.qflow", "1.half"], 60)
    floor = statistics.median(times["1.floor"])
    return [
        latency("n8n.floor", times["1.floor"]),
        cost("n8n.js.1", times["1.js"], floor),
        cost("n8n.node.1", times["1.qflow"], floor, "≤ 8 ms", "1 CPU"),
        cost("n8n.node.1.half", times["1.half"], floor, "", "0.5 CPU"),
    ]


async def chain_of_five(bench: Bench, whole: Mapping[str, str], half: Mapping[str, str]) -> list[Result]:
    make = JS_MAKE.format(count=1000)
    await bench.add("chain.floor", [javascript(make), *(nothing() for _ in range(5))])
    await bench.add("chain.js", [javascript(make), *(javascript(JS_CHANGE) for _ in range(5))])
    await bench.add("chain.qflow", [javascript(make), *(qflow(PY_CHANGE, whole) for _ in range(5))])
    await bench.add("chain.half", [javascript(make), *(qflow(PY_CHANGE, half) for _ in range(5))])
    times = await bench.in_turns(["chain.floor", "chain.js", "chain.qflow", "chain.half"], 20)
    return compared("n8n.chain5.1000", times, "chain", "≤ 0.5")


async def large(bench: Bench, whole: Mapping[str, str], half: Mapping[str, str]) -> list[Result]:
    make = JS_MAKE.format(count=100_000)
    await bench.add("map.floor", [javascript(make), nothing()])
    await bench.add("map.js", [javascript(make), javascript(JS_CHANGE)])
    await bench.add("map.qflow", [javascript(make), qflow(PY_CHANGE, whole)])
    await bench.add("map.half", [javascript(make), qflow(PY_CHANGE, half)])
    mapped = await bench.in_turns(["map.floor", "map.js", "map.qflow", "map.half"], 8)
    await bench.add("make.js", [javascript(make)])
    await bench.add("make.qflow", [qflow(PY_MAKE.format(count=100_000), whole)])
    await bench.add("make.half", [qflow(PY_MAKE.format(count=100_000), half)])
    made = await bench.in_turns(["1.floor", "make.js", "make.qflow", "make.half"], 8)
    made["make.floor"] = made.pop("1.floor")
    return compared("n8n.map.100000", mapped, "map", "≤ 0.4") + compared(
        "n8n.make.100000", made, "make", "≤ 1.5"
    )


async def rates(bench: Bench) -> list[Result]:
    taken: dict[str, list[float]] = {"1.floor": [], "1.js": [], "1.qflow": []}
    for _ in range(3):
        for name, values in taken.items():
            values.append(await bench.rate(name, 8, 4))
    floor, js, ours = (statistics.median(values) for values in taken.values())
    return [
        Result(
            "n8n.rate.8",
            round(ours, 1),
            "/s",
            3,
            baseline=round(floor, 1),
            ratio=round(ours / floor, 3),
            goal="≥ 0.8",
        ),
        Result("n8n.js.rate.8", round(js, 1), "/s", 3, baseline=round(floor, 1), ratio=round(js / floor, 3)),
    ]


def cost(name: str, times: list[float], floor: float, goal: str = "", note: str = "") -> Result:
    p50, p95 = statistics.median(times) - floor, percentile(times, 0.95) - floor
    return Result(
        name, round(p50, 2), "ms", len(times), round(p50, 2), round(p95, 2), round(floor, 2), None, goal, note
    )


def compared(name: str, times: dict[str, list[float]], prefix: str, goal: str) -> list[Result]:
    floor, js, ours, half = (
        statistics.median(times[f"{prefix}.{each}"]) for each in ("floor", "js", "qflow", "half")
    )
    count = len(times[f"{prefix}.js"])
    return [
        against(name, ours - floor, js - floor, count, goal, "1 CPU; beside it n8n's JavaScript"),
        against(f"{name}.half", half - floor, js - floor, count, "", "0.5 CPU"),
    ]
