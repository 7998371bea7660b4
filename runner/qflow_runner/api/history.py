"""What ran: pages of executions and runs, one of each, and what happens now."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from qflow_runner.api.bodies import query_of
from qflow_runner.api.history_models import (
    Execution,
    ExecutionDetails,
    ExecutionPage,
    ExecutionQuery,
    ExecutionsQuery,
    Run,
    RunDetails,
    RunPage,
    RunsQuery,
)
from qflow_runner.api.state import STATE
from qflow_runner.errors import RunUnknown

RUNS_SHOWN = 1_000


async def list_executions(request: web.Request) -> web.Response:
    query = query_of(ExecutionsQuery, request)
    rows = await request.app[STATE].history.executions(
        workflow=query.workflow,
        failed=query.failed,
        before=query.before or "",
        since_ms=query.since,
        limit=query.limit,
    )
    page = ExecutionPage(executions=[Execution(**row) for row in rows], next=_next(rows, query.limit))
    return web.json_response(text=page.model_dump_json())


async def show_execution(request: web.Request) -> web.Response:
    query, name = query_of(ExecutionQuery, request), request.match_info["id"]
    history = request.app[STATE].history
    rows = await history.executions(workflow=query.workflow, execution=name)
    if not rows:
        raise RunUnknown(f"There is no record of an execution {name}.")
    runs = await history.runs(workflow=query.workflow, execution=name, limit=RUNS_SHOWN)
    shown = ExecutionDetails(
        executions=[Execution(**row) for row in rows], runs=[Run(**row) for row in runs.runs]
    )
    return web.json_response(text=shown.model_dump_json())


async def list_runs(request: web.Request) -> web.Response:
    query = query_of(RunsQuery, request)
    found = await request.app[STATE].history.runs(
        workflow=query.workflow,
        execution=query.execution,
        node=query.node,
        outcome=query.outcome,
        before=query.before or "",
        since_ms=query.since,
        limit=query.limit,
    )
    page = RunPage(
        runs=[Run(**row) for row in found.runs], next=_next(found.runs, query.limit), partial=found.partial
    )
    return web.json_response(text=page.model_dump_json())


async def show_run(request: web.Request) -> web.Response:
    found = await request.app[STATE].history.run(request.match_info["id"])
    return web.json_response(text=RunDetails(**found).model_dump_json())


def _next(rows: Sequence[dict[str, Any]], limit: int) -> str | None:
    return rows[-1]["id"] if len(rows) == limit else None
