"""Writing runs: a batch in one transaction, which may be written again when nobody knows what became of it."""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Insert, Table, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.run_record import DetailsRow, ExecutionRow, RunRow
from qflow_runner.store.sql.tables import executions, node_runs, run_details


@dataclass(frozen=True)
class Batch:
    runs: Sequence[RunRow]
    details: Sequence[DetailsRow]
    executions: Sequence[ExecutionRow]
    """One per execution that `runs` name."""

    def parts(self) -> list[tuple[Table, Sequence[RunRow | DetailsRow | ExecutionRow]]]:
        parts: list[tuple[Table, Sequence[RunRow | DetailsRow | ExecutionRow]]] = [
            (node_runs, self.runs),
            (executions, self.executions),
        ]
        return [*parts, (run_details, self.details)] if self.details else parts


async def add(connection: AsyncConnection, batch: Batch) -> None:
    for table, rows in batch.parts():
        await connection.execute(_adding(table, postgresql), [row._asdict() for row in rows])


class SqliteRuns:
    """The same for SQLite, on a connection of its own and without a layer between: this is on the path of every run.

    A commit survives the end of the runner, at whatever point; after a loss of power the last ones may be missing.
    """

    def __init__(self, path: Path, deadline_s: float) -> None:
        self._path = path
        self._deadline_s = deadline_s
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="runs")
        self._sql = {table: _sqlite_sql(table) for table in (node_runs, run_details, executions)}

    async def add(self, batch: Batch) -> None:
        """Committed when this returns. Raises sqlite3.Error, and then nothing of it is there."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._add, batch)

    def renew(self) -> None:
        """The next batch opens the file anew."""
        self._thread.submit(self._close)

    def close(self) -> None:
        self._thread.submit(self._close)
        self._thread.shutdown()

    def _add(self, batch: Batch) -> None:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for table, rows in batch.parts():
                connection.executemany(self._sql[table], rows)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                self._path, timeout=self._deadline_s * 0.8, isolation_level=None
            )
            self._connection.execute("PRAGMA synchronous = NORMAL")
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _adding(table: Table, dialect: Any) -> Insert:
    adding = dialect.insert(table)
    if table is not executions:
        return adding.on_conflict_do_nothing(index_elements=["id"])
    new = adding.excluded
    changed = {"ended": new.ended, "failed": or_(executions.c.failed, new.failed)}
    return adding.on_conflict_do_update(index_elements=["execution", "workflow"], set_=changed)


def _sqlite_sql(table: Table) -> str:
    return str(_adding(table, sqlite).compile(dialect=sqlite.dialect(), column_keys=[*table.c.keys()]))
