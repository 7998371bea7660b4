"""What it costs to analyse code and to check a workflow, over HTTP, without a sandbox."""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.bench.client import Client, request
from tests.bench.direct import DEFAULT_CPUS, Direct, started
from tests.bench.results import Result, latency

# Another number each time makes other content, which no cache knows.
NUMBERS = itertools.count(1)

ANNOTATED = '''
from dataclasses import dataclass
from datetime import date

import pandas as pd


@dataclass
class Order:
    """An order of {number}."""

    customer: str
    item: str
    quantity: int
    price: float
    due: date | None = None


def invoice(order: Order, vat: float = 0.19) -> dict[str, float]:
    """Write the invoice.

    Args:
        order: what was ordered
        vat: the tax, as a share
    """
    net = order.quantity * order.price
    return {{"net": net, "total": net * (1 + vat)}}


def table(rows: list[Order]) -> pd.DataFrame:
    """One row per order."""
    return pd.DataFrame([vars(row) for row in rows])
'''

UNANNOTATED = """
import json


def load(text, limit={number}):
    return [row for row in json.loads(text)][:limit]


def mean(values):
    numbers = [float(value) for value in values]
    return sum(numbers) / max(len(numbers), 1)
"""

STEP = "def step_{number}(n: int, label: str = 'x') -> int:\n    return n + {number}\n"


async def measure(folder: Path) -> list[Result]:
    async with started(folder / "authoring", DEFAULT_CPUS, QFLOW_POOL_FLOOR="0") as direct:
        client = await Client.connect(direct.port)
        try:
            return [
                await _analysed(client, direct, "analyze.annotated", ANNOTATED, 40, "≤ 30 ms"),
                await _analysed(client, direct, "analyze.inferred", UNANNOTATED, 12, "≤ 600 ms"),
                await _analysed(
                    client, direct, "analyze.cached", ANNOTATED.replace("{number}", "one"), 200, ""
                ),
                *await _workflows(client, direct),
            ]
        finally:
            client.close()


async def _analysed(client: Client, direct: Direct, name: str, code: str, count: int, goal: str) -> Result:
    async def once() -> None:
        text = code.format(number=next(NUMBERS)) if "{number}" in code else code
        await _call(client, direct, "/v1/analyze", {"code": text})

    return latency(name, await _times(once, count), goal)


async def _workflows(client: Client, direct: Direct) -> list[Result]:
    """200 Qflow nodes in a row, each with code of its own: all of it new, then one node changed."""
    cold: list[float] = []
    changed: list[float] = []
    for _ in range(4):
        codes = [STEP.format(number=next(NUMBERS)) for _ in range(200)]

        async def check(codes: list[str] = codes) -> None:
            answer = await _call(client, direct, "/v1/workflows/check", _row(codes))
            assert len(answer["links"]) == 199

        cold += await _times(check, 1)
        for _ in range(5):
            codes[100] = STEP.format(number=next(NUMBERS))
            changed += await _times(check, 1)
    return [
        latency("check.200.cold", cold, "≤ 1000 ms", "200 nodes, none known"),
        latency("check.200.changed", changed, "≤ 50 ms", "one of 200 nodes changed"),
    ]


def _row(codes: list[str]) -> dict[str, Any]:
    nodes = [
        {
            "name": f"Step {number}",
            "id": str(number),
            "type": "n8n-nodes-qflow.qflowPython",
            "parameters": {"code": code},
        }
        for number, code in enumerate(codes)
    ]
    connections = {
        f"Step {number}": {"main": [[{"node": f"Step {number + 1}", "type": "main", "index": 0}]]}
        for number in range(len(codes) - 1)
    }
    return {"name": "A row", "nodes": nodes, "connections": connections}


async def _call(client: Client, direct: Direct, path: str, body: Any) -> Any:
    answer = await client.call(request("POST", path, body, direct.runner.token))
    return json.loads(answer.body)


async def _times(call: Callable[[], Awaitable[None]], count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        await asyncio.sleep(0.02)
        began = time.perf_counter()
        await call()
        times.append((time.perf_counter() - began) * 1000)
    return times
