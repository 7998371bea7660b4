"""Live objects: a DataFrame from node to node, by reference and as items, and one that left its session."""

import asyncio
import itertools
import statistics
import time
from pathlib import Path

from tests.bench.client import Client
from tests.bench.direct import DEFAULT_CPUS, Direct, started
from tests.bench.nodes import Node, ended
from tests.bench.results import Result, against, latency

ROWS = 100_000
MAKE = f"""
import pandas as pd


def orders() -> pd.DataFrame:
    rows = range({ROWS})
    return pd.DataFrame({{
        "id": rows,
        "city": ["city %d" % (n % 20) for n in rows],
        "customer": ["customer %d" % (n * 7919 % 5_000) for n in rows],
        "quantity": [n % 9 + 1 for n in rows],
        "price": [n % 1_000 * 0.25 + 1 for n in rows],
        "day": ["2026-%02d-%02d" % (n % 12 + 1, n % 28 + 1) for n in rows],
    }})
"""
STEPS = {
    "taxed": "df['price'] = (df['price'] * 1.19).round(2)",
    "named": "df['city'] = df['city'].str.upper()",
    "shared": "df['quantity'] = df['price'] / df.groupby('city')['price'].transform('sum')",
    "ordered": "df = df.sort_values(['customer', 'id'], ignore_index=True)",
    "summed": "df['price'] = df.groupby('customer')['price'].cumsum()",
}
LOOK = "import pandas as pd\n\n\ndef look(df: pd.DataFrame) -> int:\n    return len(df)\n"
FLOATS = """
import numpy as np
import pandas as pd


def numbers(columns: int = 6) -> pd.DataFrame:
    values = np.random.default_rng(1).random((100_000_000 // columns // 8, columns))
    return pd.DataFrame(values, columns=["c%d" % n for n in range(columns)])
"""
IDLE_S = 1.0
NAMES = itertools.count(1)


def step(name: str, *works: str) -> str:
    """A node's code that does this to a frame, and returns it."""
    lines = "\n".join(f"    {work}" for work in works)
    return f"import pandas as pd\n\n\ndef {name}(df: pd.DataFrame) -> pd.DataFrame:\n{lines}\n    return df\n"


async def measure(folder: Path) -> list[Result]:
    results: list[Result] = []
    async with started(folder / "references", DEFAULT_CPUS) as direct:
        client = await Client.connect(direct.port)
        try:
            results += await _resolved(direct, client)
            results += await _chain(direct, client)
        finally:
            client.close()
    async with started(folder / "spilling", DEFAULT_CPUS, QFLOW_SESSION_IDLE_S=str(IDLE_S)) as direct:
        client = await Client.connect(direct.port)
        try:
            results += await _spilled(direct, client)
        finally:
            client.close()
    return results


async def _resolved(direct: Direct, client: Client) -> list[Result]:
    make = await Node.define(direct, client, MAKE, output="reference")
    look = await Node.define(direct, client, LOOK)
    made = await make.run("resolve", "live")
    assert (await look.run("resolve", "live", made.items)).first == {"value": ROWS}
    live = [(await look.run("resolve", "live", made.items)).ms for _ in range(300)]
    across: list[float] = []
    for _ in range(8):
        made = await make.run("resolve", name := f"from-{next(NAMES)}")
        await asyncio.sleep(0.3)
        ran = await look.run("resolve", other := f"to-{next(NAMES)}", made.items)
        assert ran.first == {"value": ROWS}
        across.append(ran.ms)
        for execution in (name, other):
            await ended(direct, client, execution)
    note = "DataFrame of 100,000 rows, 6 columns, 0.5 CPU"
    return [
        latency("ref.resolve", live, "≤ 2 ms", note),
        latency("ref.resolve.across", across, "", "the same into another execution of the workflow"),
    ]


async def _chain(direct: Direct, client: Client) -> list[Result]:
    """Made once an execution, which is not counted; then five nodes one way or another, in turns."""
    make = await Node.define(direct, client, MAKE, output="reference")
    make_items = await Node.define(direct, client, MAKE, output="items")
    one = [await Node.define(direct, client, step("all", *STEPS.values()), output="reference")]
    five, items = [
        [await Node.define(direct, client, step(name, work), output=output) for name, work in STEPS.items()]
        for output in ("reference", "items")
    ]
    ways = {"one": (make, one), "five": (make, five), "items": (make_items, items)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(6):
        for name, (source, nodes) in ways.items():
            spent = await _row(direct, client, source, nodes)
            if number:
                times[name].append(spent)
    single, by_reference, as_items = (statistics.median(values) for values in times.values())
    count = len(times["five"])
    note = "five pandas nodes, 0.5 CPU; beside it"
    return [
        against("chain5.df100k", by_reference, as_items, count, "≤ 0.1", f"{note} the same as items"),
        against(
            "chain5.df100k.one", by_reference, single, count, "≤ 1.3", f"{note} the same work in one node"
        ),
    ]


async def _row(direct: Direct, client: Client, source: Node, nodes: list[Node]) -> float:
    """ms of these nodes one after the other, in an execution that has run each of them before."""
    execution = f"chain-{next(NAMES)}"
    made = await source.run("chain", execution)
    spent = 0.0
    for _ in range(2):
        ran, spent = made, 0.0
        for node in nodes:
            ran = await node.run("chain", execution, ran.items)
            spent += ran.ms
    await ended(direct, client, execution)
    await asyncio.sleep(0.2)
    return spent


async def _spilled(direct: Direct, client: Client) -> list[Result]:
    """A frame of 100 MB whose session was idle and is gone; the next execution asks for it."""
    make = await Node.define(direct, client, FLOATS, output="reference")
    look = await Node.define(direct, client, LOOK)
    leaving: list[float] = []
    loading: list[float] = []
    for number in range(6):
        made = await make.run("spill", first := f"make-{next(NAMES)}")
        began = time.perf_counter()
        await _until_gone(direct)
        left = (time.perf_counter() - began - IDLE_S) * 1000
        ran = await look.run("spill", second := f"load-{next(NAMES)}", made.items)
        assert ran.first == {"value": 100_000_000 // 6 // 8}
        if number:
            leaving.append(left)
            loading.append(ran.ms)
        for execution in (first, second):
            await ended(direct, client, execution)
    note = "DataFrame of 100 MB, 0.5 CPU"
    return [
        latency("spill.load", loading, "≤ 1000 ms", f"the run that loads it; {note}"),
        latency("spill.leave", leaving, "", f"an idle session's values to the store; {note}"),
    ]


async def _until_gone(direct: Direct) -> None:
    async with asyncio.timeout(60):
        while any(row["sessions"] for row in await direct.runner.sandboxes()):
            await asyncio.sleep(0.02)  # a session's end has no event outside the runner
