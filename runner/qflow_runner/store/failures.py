"""What went wrong, summed up from the records of runs: they are written anyway, and outlive the runner."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qflow_runner.store.database import Database
from qflow_runner.store.run_record import now_ms
from qflow_runner.store.sealed import of_run, open_text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

BUCKETS = 48
GROUPS = 200
"""Groups that are told; those that failed most."""
ROWS = 20_000
MESSAGE = 500
DAY_MS = 86_400_000


@dataclass
class FailureGroup:
    """Failures of one node that are alike. `buckets` has how many there were in each; `last` is Unix time in ms.

    `run`, `execution` and `message` are those of the newest.
    """

    workflow: str
    node: str
    category: str
    code: str
    count: int = 0
    last: int = 0
    run: str = ""
    execution: str = ""
    message: str = ""
    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)


@dataclass(frozen=True)
class FailureSummary:
    """Times in Unix milliseconds. `partial`: there were more kinds of failures than are told."""

    since: int
    until: int
    bucket_ms: int
    total: int
    categories: dict[str, int]
    groups: list[FailureGroup]
    partial: bool


class Failures:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def summary(self, *, since_ms: int = 0, workflow: str = "") -> FailureSummary:
        """From then on; without a time, the last day. Raises DatabaseUnavailable."""
        until = now_ms()
        since = min(since_ms or until - DAY_MS, until)
        bucket_ms = max((until - since) // BUCKETS + 1, 1)

        async def work(connection: "AsyncConnection") -> list[dict[str, Any]]:
            from qflow_runner.store.sql import failure_rows  # noqa: PLC0415 - loaded when it is opened

            return await failure_rows.counted(
                connection,
                workflow=workflow,
                since_ms=since,
                after=f"{since:012x}",
                bucket_ms=bucket_ms,
                limit=ROWS,
            )

        rows = await self._database.read(work)
        groups: dict[tuple[str, ...], FailureGroup] = {}
        categories: dict[str, int] = {}
        for row in rows:
            key = row["workflow"], row["node"], row["category"], row["code"]
            group = groups.setdefault(key, FailureGroup(*key))
            group.count += row["count"]
            group.buckets[min(max(row["bucket"], 0), BUCKETS - 1)] += row["count"]
            categories[row["category"]] = categories.get(row["category"], 0) + row["count"]
            if row["newest"] > group.run:
                group.run, group.last = row["newest"], row["last"]
        told = sorted(groups.values(), key=lambda group: (-group.count, -group.last))[:GROUPS]
        await self._say_why(told)
        partial = len(rows) == ROWS or len(groups) > len(told)
        total = sum(categories.values())
        return FailureSummary(since, until, bucket_ms, total, categories, told, partial)

    async def _say_why(self, groups: list[FailureGroup]) -> None:
        """What the newest of each says of itself."""

        async def work(connection: "AsyncConnection") -> dict[str, tuple[str, str]]:
            from qflow_runner.store.sql import failure_rows  # noqa: PLC0415 - loaded when it is opened

            return await failure_rows.problems(connection, [group.run for group in groups])

        kept = await self._database.read(work) if groups else {}
        for group in groups:
            group.execution, sealed = kept.get(group.run, ("", ""))
            text = open_text(self._database.keys, sealed, of_run(group.run, "problem")) if sealed else None
            if text is not None:
                group.message = str(json.loads(text).get("detail", ""))[:MESSAGE]
