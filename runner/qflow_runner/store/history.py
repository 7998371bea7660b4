"""What ran, as it is read back: pages, one run, and what is removed when it is too old or too much."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from qflow_runner.errors import RunUnknown
from qflow_runner.settings import Settings
from qflow_runner.store.database import Database
from qflow_runner.store.run_record import now_ms
from qflow_runner.store.sealed import of_run, open_text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

log = structlog.get_logger()

WITHIN = 100_000
"""The newest runs among which those of one node or workflow are looked for."""
TIDY_ROWS = 500
TIDY_ROUNDS = 4_000


@dataclass(frozen=True)
class RunPage:
    """`partial` says that older runs were not looked at."""

    runs: list[dict[str, Any]]
    partial: bool


class History:
    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._days = settings.run_days
        self._rows = settings.run_records_max
        database.tidies.append(self.tidy)

    async def executions(
        self,
        *,
        workflow: str = "",
        execution: str = "",
        failed: bool = False,
        before: str = "",
        since_ms: int = 0,
        limit: int = 50,
    ) -> list[dict[str, Any]]:
        """The newest first; `before` is the id of the last one of the page before. Raises DatabaseUnavailable."""

        async def work(connection: "AsyncConnection") -> list[dict[str, Any]]:
            from qflow_runner.store.sql import history_rows  # noqa: PLC0415 - loaded when it is opened

            return await history_rows.page_of_executions(
                connection,
                workflow=workflow,
                execution=execution,
                failed=failed,
                before=before,
                after=_id(since_ms),
                limit=limit,
            )

        return await self._database.read(work)

    async def runs(
        self,
        *,
        workflow: str = "",
        execution: str = "",
        node: str = "",
        outcome: str = "",
        before: str = "",
        since_ms: int = 0,
        limit: int = 50,
    ) -> RunPage:
        """The newest first. Raises DatabaseUnavailable."""

        async def work(connection: "AsyncConnection") -> tuple[list[dict[str, Any]], bool]:
            from qflow_runner.store.sql import history_rows  # noqa: PLC0415 - loaded when it is opened

            return await history_rows.page_of_runs(
                connection,
                workflow=workflow,
                execution=execution,
                node=node,
                outcome=outcome,
                before=before,
                after=_id(since_ms),
                within=WITHIN,
                limit=limit,
            )

        return RunPage(*await self._database.read(work))

    async def run(self, run: str) -> dict[str, Any]:
        """One run with `problem` and `logs`. Raises RunUnknown and DatabaseUnavailable."""

        async def work(connection: "AsyncConnection") -> Any:
            from qflow_runner.store.sql import history_rows  # noqa: PLC0415 - loaded when it is opened

            return await history_rows.one_run(connection, run)

        found = await self._database.read(work)
        if found is None:
            raise RunUnknown(f"There is no record of a run {run}.")
        row, details = found
        problem, logs = (
            open_text(self._database.keys, details[column], of_run(run, column))
            if details and details[column]
            else ""
            for column in ("problem", "logs")
        )
        return row | {
            "problem": json.loads(problem) if problem else None,
            "logs": json.loads(logs) if logs else [],
        }

    async def tidy(self) -> None:
        """Remove what is too old, and the oldest of what is too much, in short transactions. Raises DatabaseUnavailable."""

        async def bound(connection: "AsyncConnection") -> str:
            from qflow_runner.store.sql import history_rows  # noqa: PLC0415 - loaded when it is opened

            return await history_rows.nth_newest(connection, self._rows - 1)

        before = max(_id(now_ms() - int(self._days * 86_400_000)), await self._database.read(bound))

        async def work(connection: "AsyncConnection") -> int:
            from qflow_runner.store.sql import history_rows  # noqa: PLC0415 - loaded when it is opened

            return await history_rows.remove_runs(connection, before, TIDY_ROWS)

        removed = 0
        for _ in range(TIDY_ROUNDS):
            count = await self._database.write(work)
            removed += count
            if count < TIDY_ROWS:
                break
        if removed:
            log.info("database.tidied", removed=removed, what="runs")


def _id(ms: int) -> str:
    """Less than every id of that time or later; empty for 0."""
    return f"{ms:012x}" if ms > 0 else ""
