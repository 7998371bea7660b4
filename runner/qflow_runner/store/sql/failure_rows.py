"""Counting what failed, by what it was and when."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.sql.tables import node_runs, run_details


async def counted(
    connection: AsyncConnection, *, workflow: str, since_ms: int, after: str, bucket_ms: int, limit: int
) -> list[dict[str, Any]]:
    """Failures whose id is at least `after`, by workflow, node, category, code and bucket of time.

    At most `limit` rows, those with the most recent failures; `newest` is the id of the last run of each.
    """
    # Whole numbers: SQLite and PostgreSQL divide them alike, and the moments before `since_ms` are not looked at.
    bucket = ((node_runs.c.ended - since_ms) // bucket_ms).label("bucket")
    runs = node_runs.c
    newest = func.max(node_runs.c.id).label("newest")
    asked = (
        select(
            runs.workflow,
            runs.node,
            runs.outcome.label("category"),
            runs.code,
            bucket,
            func.count().label("count"),
            newest,
            func.max(runs.ended).label("last"),
        )
        .where(node_runs.c.outcome != "ok", node_runs.c.id >= after)
        .group_by(runs.workflow, runs.node, runs.outcome, runs.code, "bucket")
        .order_by(newest.desc())
        .limit(limit)
    )
    if workflow:
        asked = asked.where(node_runs.c.workflow == workflow)
    return [dict(row) for row in (await connection.execute(asked)).mappings()]


async def problems(connection: AsyncConnection, runs: list[str]) -> dict[str, tuple[str, str]]:
    """The executions of these runs, and what is kept of their failures, as it is kept."""
    asked = (
        select(node_runs.c.id, node_runs.c.execution, run_details.c.problem)
        .outerjoin(run_details, run_details.c.id == node_runs.c.id)
        .where(node_runs.c.id.in_(runs))
    )
    return {row.id: (row.execution, row.problem or "") for row in await connection.execute(asked)}
