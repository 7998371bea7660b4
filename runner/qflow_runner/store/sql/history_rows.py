"""Reading what ran: pages of executions and of runs, newest first, and one run with its details."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, and_, case, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.sql.tables import executions, node_runs, run_details


async def page_of_executions(
    connection: AsyncConnection,
    *,
    workflow: str,
    execution: str,
    failed: bool,
    before: str,
    after: str,
    limit: int,
) -> list[dict[str, Any]]:
    """At most `limit`, with what their runs come to."""
    found = select(executions).order_by(executions.c.id.desc()).limit(limit)
    if workflow:
        found = found.where(executions.c.workflow == workflow)
    if execution:
        found = found.where(executions.c.execution == execution)
    if failed:
        found = found.where(executions.c.failed)
    rows = (await connection.execute(_between(found, executions.c.id, before, after))).mappings().all()
    counted = await _counted(connection, rows)
    return [dict(row) | counted.get((row["workflow"], row["execution"]), NOTHING) for row in rows]


NOTHING: dict[str, Any] = {"runs": 0, "failures": 0, "ms": 0.0}
"""Of an execution whose runs are not kept any more."""


async def _counted(
    connection: AsyncConnection, rows: Sequence[RowMapping]
) -> dict[tuple[str, str], dict[str, Any]]:
    if not rows:
        return {}
    places = [
        and_(node_runs.c.workflow == row["workflow"], node_runs.c.execution == row["execution"])
        for row in rows
    ]
    bad = case((node_runs.c.outcome != "ok", 1), else_=0)
    asked = (
        select(
            node_runs.c.workflow,
            node_runs.c.execution,
            func.count().label("runs"),
            func.sum(bad).label("failures"),
            func.sum(node_runs.c.ms).label("ms"),
        )
        .where(or_(*places))
        .group_by(node_runs.c.workflow, node_runs.c.execution)
    )
    return {
        (row.workflow, row.execution): {"runs": row.runs, "failures": int(row.failures), "ms": row.ms}
        for row in await connection.execute(asked)
    }


async def page_of_runs(
    connection: AsyncConnection,
    *,
    workflow: str,
    execution: str,
    node: str,
    outcome: str,
    before: str,
    after: str,
    within: int,
    limit: int,
) -> tuple[list[dict[str, Any]], bool]:
    """At most `limit`, and whether more than the newest `within` runs would have had to be looked at."""
    found = select(node_runs).order_by(node_runs.c.id.desc()).limit(limit)
    for column, wanted in ((node_runs.c.workflow, workflow), (node_runs.c.execution, execution)):
        found = found.where(column == wanted) if wanted else found
    if outcome:
        # Said twice, because the index holds failures alone, and the planner does not conclude that.
        found = found.where(node_runs.c.outcome == outcome)
        found = found.where(node_runs.c.outcome != "ok") if outcome != "ok" else found
    cut = False
    if node or (workflow and not execution):
        found = found.where(node_runs.c.node == node) if node else found
        oldest = await _oldest(connection, before, within)
        cut, after = oldest > after, max(oldest, after)
    rows = (await connection.execute(_between(found, node_runs.c.id, before, after))).mappings().all()
    return [dict(row) for row in rows], cut and len(rows) < limit


async def _oldest(connection: AsyncConnection, before: str, within: int) -> str:
    asked = select(node_runs.c.id).order_by(node_runs.c.id.desc()).offset(within).limit(1)
    return (await connection.execute(_between(asked, node_runs.c.id, before, ""))).scalar() or ""


async def one_run(
    connection: AsyncConnection, run: str
) -> tuple[dict[str, Any], dict[str, Any] | None] | None:
    """The run, and its details where it has some."""
    row = (await connection.execute(select(node_runs).where(node_runs.c.id == run))).mappings().one_or_none()
    if row is None:
        return None
    asked = select(run_details).where(run_details.c.id == run)
    details = (await connection.execute(asked)).mappings().one_or_none()
    return dict(row), None if details is None else dict(details)


async def remove_runs(connection: AsyncConnection, before: str, limit: int) -> int:
    """Remove the oldest runs whose id is less than `before`, and executions of which nothing is left; how many runs."""
    oldest = select(node_runs.c.id).where(node_runs.c.id < before).order_by(node_runs.c.id).limit(limit)
    ids = list((await connection.execute(oldest)).scalars())
    if not ids:
        return 0
    await connection.execute(delete(run_details).where(run_details.c.id <= ids[-1]))
    await connection.execute(delete(node_runs).where(node_runs.c.id <= ids[-1]))
    of_it = exists().where(
        node_runs.c.workflow == executions.c.workflow, node_runs.c.execution == executions.c.execution
    )
    await connection.execute(delete(executions).where(executions.c.id <= ids[-1], ~of_it))
    return len(ids)


async def nth_newest(connection: AsyncConnection, number: int) -> str:
    """The id of the run that has `number` newer ones; empty where there are not so many."""
    asked = select(node_runs.c.id).order_by(node_runs.c.id.desc()).offset(number).limit(1)
    return (await connection.execute(asked)).scalar() or ""


def _between(asked: Select[Any], column: Any, before: str, after: str) -> Select[Any]:
    asked = asked.where(column < before) if before else asked
    return asked.where(column > after) if after else asked
