"""Items that keep a CPU busy, one after another and in two processes."""

import statistics
from pathlib import Path

from tests.bench.client import Client
from tests.bench.direct import started
from tests.bench.nodes import Node, bodies
from tests.bench.results import Result

COUNT = 40
CODE = "def busy(item: dict) -> dict:\n    return {'sum': sum(i * i for i in range(150_000 + item['n']))}\n"
CPUS = 2.0
ROUNDS = 5


async def measure(folder: Path) -> list[Result]:
    body = bodies([b'{"json":{"n":%d}}' % n for n in range(COUNT)])
    async with started(folder / "parallel", CPUS) as direct:
        client = await Client.connect(direct.port)
        try:
            nodes = {count: await Node.define(direct, client, CODE, parallel=count) for count in (1, 2)}
            times: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(ROUNDS):
                for count, node in nodes.items():
                    times[count].append((await node.run("parallel", "e", body)).ms)
        finally:
            client.close()
    one, two = statistics.median(times[1]), statistics.median(times[2])
    note = f"{COUNT} CPU-bound items one after another ÷ in two processes, {CPUS:g} CPUs"
    return [
        Result(
            "parallel.speedup",
            round(one / two, 2),
            "×",
            ROUNDS,
            baseline=round(one, 1),
            goal="≥ 1.7",
            note=note,
        )
    ]
