"""The store: what recording a run costs, and how fast a million runs are read back."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from qflow_runner.settings import Settings
from qflow_runner.store import Database, History, Recorder, RunRow, new_run_id, now_ms
from tests.bench.results import Result, latency

MILLION = 1_000_000
AT_ONCE = 16
BATCH = 500


def row(ended: int, number: int, *, failed: bool = False) -> RunRow:
    """Forty workflows, four runs an execution, seven nodes, and one run in a hundred fails."""
    workflow = "rare" if number % 5000 == 0 else f"workflow {number % 40}"
    outcome, code = ("user_code", "code_failed") if failed else ("ok", "")
    return RunRow(
        new_run_id(ended),
        workflow,
        f"execution {number // 4}",
        f"node {number % 7}",
        "d" * 64,
        ended,
        outcome,
        code,
        12.0,
        *[1.0] * 8,
        items_in=1,
        items_out=1,
        bytes_in=100,
        bytes_out=200,
        peak_mb=12.5,
    )


class Parts:
    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings)
        self.recorder = Recorder(self.database)
        self.history = History(settings, self.database)


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Parts]:
    parts = Parts(Settings(data_dir=folder))
    await parts.database.open()
    await parts.recorder.add(row(now_ms(), 1))
    yield parts
    await parts.recorder.close()
    await parts.database.close()


async def measure(folder: Path) -> list[Result]:
    async with opened(folder / "store") as parts:
        small = await one_by_one(parts, 1_000)
        together = await at_once(parts, 1_000)
        await fill(parts)
        large = await one_by_one(parts, 1_000)
        return [
            latency("store.add", small, "≤ 0.5", "one run after the other, committed"),
            Result(
                "store.add.together",
                round(together, 4),
                "ms",
                AT_ONCE * 1_000,
                note="wall time of a run where 16 end at once",
            ),
            latency("store.add.million", large, "≤ 0.5", "with a million runs in the store"),
            *[await timed(name, ask) for name, ask in pages(parts.history)],
        ]


def pages(history: History) -> list[tuple[str, Callable[[], Awaitable[Any]]]]:
    return [
        ("executions", history.executions),
        ("executions.failed", lambda: history.executions(failed=True, workflow="workflow 7")),
        ("executions.rare", lambda: history.executions(workflow="rare")),
        ("runs", history.runs),
        ("runs.failed", lambda: history.runs(outcome="user_code", workflow="workflow 7")),
        ("runs.nothing", lambda: history.runs(node="nothing")),
        ("runs.execution", lambda: history.runs(execution="execution 1000")),
    ]


async def timed(name: str, ask: Callable[[], Awaitable[Any]]) -> Result:
    times: list[float] = []
    for _ in range(20):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
    return latency(f"store.page.{name}", times, "≤ 100", "of a million runs")


async def one_by_one(parts: Parts, count: int) -> list[float]:
    times: list[float] = []
    for number in range(count):
        began = time.perf_counter()
        assert await parts.recorder.add(row(now_ms(), number))
        times.append((time.perf_counter() - began) * 1000)
    return times


async def at_once(parts: Parts, count: int) -> float:
    """Milliseconds per run."""

    async def some(first: int) -> None:
        for number in range(first, first + count):
            await parts.recorder.add(row(now_ms(), number))

    began = time.perf_counter()
    await asyncio.gather(*(some(n * count) for n in range(AT_ONCE)))
    return (time.perf_counter() - began) * 1000 / (AT_ONCE * count)


async def fill(parts: Parts) -> None:
    begin = now_ms() - MILLION * 50
    for first in range(0, MILLION, BATCH):
        rows = (row(begin + n * 50, n, failed=n % 97 == 0) for n in range(first, first + BATCH))
        await asyncio.gather(*(parts.recorder.add(each) for each in rows))
