"""Writes the record of every run before its reply leaves. Runs that end together are committed together.

While the database is away nobody waits for it: a run's answer says that it is not recorded yet, its record stays in
memory, and is written when the database is back.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import structlog

from qflow_runner.errors import DatabaseUnavailable
from qflow_runner.keys import Keys
from qflow_runner.observe import metrics
from qflow_runner.store.database import Database
from qflow_runner.store.run_record import DetailsRow, ExecutionRow, RunRow
from qflow_runner.store.sealed import of_run

if TYPE_CHECKING:
    from qflow_runner.store.sql.run_rows import Batch

log = structlog.get_logger()

Record = tuple[RunRow, DetailsRow | None]

TOGETHER = 500
"""Runs in one transaction."""
BUSY = 8
GATHER_S = 0.002
"""While so many runs are under way, a transaction waits so long for the next ones: the CPU has other work meanwhile."""
OWED = 10_000
"""Records that wait in memory for a database that is away; the oldest are given up for newer ones."""
AGAIN_S = 2.0


class Recorder:
    def __init__(self, database: Database, under_way: Callable[[], int] = lambda: 0) -> None:
        """`under_way` tells how many runs there are."""
        self._database = database
        self._under_way = under_way
        self._waiting: list[tuple[Record, asyncio.Future[bool]]] = []
        self._owed: deque[Record] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._paying: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def add(self, run: RunRow, details: DetailsRow | None = None) -> bool:
        """Whether it is committed. Where it is not, it will be when the database is back."""
        record = (run, details)
        if self._paying is not None:
            self._owe([record])
            return False
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await done

    @property
    def owed(self) -> int:
        """Records that are not in the database yet."""
        return len(self._owed)

    async def close(self) -> None:
        """Write what waits. What a database that is away does not take is lost, and the log says how much."""
        self._closing.set()
        for task in (self._writing, self._paying):
            if task is not None:
                await task
        if self._owed:
            log.error("runs.not_recorded", lost=len(self._owed))

    async def _write(self) -> None:
        try:
            while self._waiting:
                if len(self._waiting) < BUSY <= self._under_way():
                    await asyncio.sleep(GATHER_S)
                taken = self._waiting[:TOGETHER]
                del self._waiting[:TOGETHER]
                records = [record for record, _ in taken]
                written = await self._committed(records)
                if not written:
                    self._owe(records)
                for _, done in taken:
                    if not done.done():
                        done.set_result(written)
        finally:
            self._writing = None

    async def _committed(self, records: Sequence[Record]) -> bool:
        began = time.perf_counter()
        try:
            await self._database.add_runs(lambda: _batch(records, self._database.keys))
        except DatabaseUnavailable as error:
            if self._paying is None:
                log.warning("runs.owed", reason=error.detail, hint=error.hint)
            return False
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - began)
        metrics.COMMITS.inc(len(records))
        return True

    def _owe(self, records: Iterable[Record]) -> None:
        for record in records:
            if len(self._owed) >= OWED:
                lost, _ = self._owed.popleft()
                metrics.RECORDS_LOST.inc()
                log.error("runs.not_recorded", lost=1, workflow=lost.workflow, execution=lost.execution)
            self._owed.append(record)
        if self._paying is None:
            self._paying = asyncio.create_task(self._pay())

    async def _pay(self) -> None:
        """Until nothing is owed. A batch may have been committed although it failed: then it is found there."""
        last = False
        try:
            while self._owed and not last:
                last = self._closing.is_set()
                if not last:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), AGAIN_S)
                while self._owed:
                    first = [self._owed[at] for at in range(min(TOGETHER, len(self._owed)))]
                    if not await self._committed(first):
                        break
                    for record in first:
                        if self._owed and self._owed[0] is record:
                            self._owed.popleft()
        finally:
            self._paying = None
        if not self._owed:
            log.info("runs.paid")


def _batch(records: Sequence[Record], keys: Keys) -> "Batch":
    from qflow_runner.store.sql.run_rows import Batch  # noqa: PLC0415 - loaded when the database is opened

    executions: dict[tuple[str, str], ExecutionRow] = {}
    for run, _ in records:
        place, started, failed = (run.execution, run.workflow), run.ended - int(run.ms), run.outcome != "ok"
        known = executions.get(place)
        if known is not None:
            started, failed = min(known.started, started), known.failed or failed
        executions[place] = ExecutionRow(*place, known.id if known else run.id, started, run.ended, failed)
    details = [_sealed(details, keys) for _, details in records if details is not None]
    return Batch([run for run, _ in records], details, list(executions.values()))


def _sealed(details: DetailsRow, keys: Keys) -> DetailsRow:
    """What code printed and said is people's own."""
    problem, logs = (
        keys.seal(text, of_run(details.id, column)) if text else ""
        for column, text in (("problem", details.problem), ("logs", details.logs))
    )
    return DetailsRow(details.id, problem, logs)
