"""A million items through the runner: how long it takes, and how little of them the runner holds."""

from pathlib import Path

from tests.bench.client import Client
from tests.bench.direct import started
from tests.bench.nodes import Growth, Node, bodies, megabytes, proportional_memory, sandbox_of
from tests.bench.results import Result, latency

COUNT = 1_000_000
CHANGE = "def change(item: dict) -> dict:\n    item['n'] = item['n'] * 2\n    return item\n"
CPUS = 1.0
MEMORY_MB = 4096
ROUNDS = 3


async def measure(folder: Path) -> list[Result]:
    body = bodies([b'{"json":{"n":%d,"name":"item %d"}}' % (n, n) for n in range(COUNT)])
    async with started(folder / "large", CPUS, QFLOW_MEMORY_MB=str(MEMORY_MB)) as direct:
        client = await Client.connect(direct.port)
        try:
            node = await Node.define(direct, client, CHANGE)
            await node.run("large", "warm", bodies([b'{"json":{"n":1}}'] * 100_000))
            grown: list[int] = []
            times: list[float] = []
            size = 0
            for number in range(ROUNDS):
                growth = Growth(direct.runner.process.pid)
                ran = await node.run("large", f"round-{number}", body)
                grown.append(growth.most())
                times.append(ran.ms)
                size = len(ran.items)
                assert ran.items.endswith(b'"name":"item %d"},"pairedItem":%d}]}' % (COUNT - 1, COUNT - 1))
            guest, _ = proportional_memory(await sandbox_of(direct, "large"))
        finally:
            client.close()
    sizes = f"{megabytes(len(body))} MB in, {megabytes(size)} MB out"
    note = f"{CPUS:g} CPU, {MEMORY_MB} MB for the sandbox, which has {guest / 1e6:.0f} MB at the end"
    return [
        latency("large.million", times, "", f"{sizes}; {note}"),
        Result(
            "large.million.memory",
            megabytes(max(grown)),
            "MB",
            ROUNDS,
            goal="≤ 4.2 MB",
            note="growth of the runner's memory (RSS) at its most; the goal is twice what may wait in it",
        ),
    ]
