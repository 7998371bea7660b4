"""The calls under /v1: HTTP in, a plain call of the runner, HTTP out."""

import json
from typing import Any

from aiohttp import web

from qflow_runner.analysis import Analysis
from qflow_runner.api.bodies import MAX_DEFINITION, checked, limited, paced, query_of
from qflow_runner.api.catalogue_models import SandboxRetired
from qflow_runner.api.files import read_multipart
from qflow_runner.api.found import found_in
from qflow_runner.api.guard import about
from qflow_runner.api.headers import request_id
from qflow_runner.api.models import RunQuery
from qflow_runner.api.operations import over
from qflow_runner.api.replies import run_reply
from qflow_runner.api.saved_models import DefinitionAnswer, DefinitionBody
from qflow_runner.api.saving import request_of
from qflow_runner.api.state import STATE, State
from qflow_runner.definitions import check_python
from qflow_runner.engine.model import all_of, first_of
from qflow_runner.errors import BodyTooLarge
from qflow_runner.observe.trace import HEADER, read_trace
from qflow_runner.run import RunRequest
from qflow_runner.sandbox.streams import HELD, STREAMED_FROM, BodyStream


async def put_definition(request: web.Request) -> web.Response:
    body = checked(DefinitionBody, await limited(request, MAX_DEFINITION))
    answer, _ = await define(request.app[STATE], body)
    about(request, answer.id, **({"saved": body.saved.name} if body.saved else {}))
    return web.json_response(text=answer.model_dump_json(exclude_none=True))


async def define(state: State, body: DefinitionBody) -> tuple[DefinitionAnswer, Analysis]:
    """Store a definition, and say what its code is. Raises QflowError."""
    wanted = body.request()
    named: dict[str, Any] = {}
    if body.saved is not None:
        version = await state.saved.get(body.saved.name, body.saved.version)
        wanted = request_of(version, body.model_dump(exclude={"code", "saved"}, exclude_unset=True))
        named = {"saved_name": version.name, "saved_version": version.version}
    python = check_python(wanted.python or state.settings.python, state.definitions.pythons)
    analysis = await state.analyzer.outline(wanted.code, python)
    reply = await state.definitions.put(wanted, found_in(analysis, wanted))
    return DefinitionAnswer(**reply.model_dump(), **named), analysis


async def run(request: web.Request) -> web.StreamResponse:
    state = request.app[STATE]
    query = query_of(RunQuery, request)
    definition = request.match_info["id"]
    await state.definitions.get(definition)  # so that an unknown one is answered before its items are read
    async with state.admission.place(query.workflow, _held(request), state.settings.pool_wait_s) as waited_s:
        wanted = RunRequest(
            definition=definition,
            workflow=query.workflow,
            execution=query.execution,
            node=query.node,
            on_error=query.on_error,
            keep=query.keep,
            bounds=tuple(tuple(each.split(",")) for each in query.bound.split(";")) if query.bound else (),
            waited_s=waited_s,
            request=request_id(request),
            trace=read_trace(request.headers.get(HEADER)),
        )
        async with state.engine.run(wanted, await _run_body(request, query)) as answer:
            return await run_reply(request, answer)


def _held(request: web.Request) -> int:
    """Bytes of the body that will be in memory: a large one passes through, and some say nothing of their size."""
    size = request.content_length
    if size is None or "Content-Encoding" in request.headers:
        return request.app[STATE].settings.max_body
    return size if size < STREAMED_FROM else HELD


async def end_session(request: web.Request) -> web.Response:
    ended = await over(request.app[STATE], request.match_info["id"])
    return web.json_response({"ended": ended})


async def sandboxes(request: web.Request) -> web.Response:
    listed: list[Any] = []
    for worker, answer in all_of(await request.app[STATE].engine.ask_each("sandboxes")).items():
        rows: list[dict[str, Any]] = json.loads(answer)
        listed.extend(row | {"worker": worker} if worker else row for row in rows)
    return web.json_response({"sandboxes": listed})


async def retire_sandbox(request: web.Request) -> web.Response:
    name = request.match_info["id"]
    first_of(await request.app[STATE].engine.ask_each("sandbox.retire", name.encode()))
    return web.json_response(text=SandboxRetired(retired=name).model_dump_json())


async def _run_body(request: web.Request, query: RunQuery) -> bytes | BodyStream:
    state = request.app[STATE]
    if request.content_type == "multipart/form-data":
        return await read_multipart(request, state.files, query.workflow, query.execution)
    size = request.content_length or 0
    limit = state.settings.max_body
    if size > limit:
        raise BodyTooLarge(f"The items are {size} bytes; this runner takes {limit}.")
    if size < STREAMED_FROM or "Content-Encoding" in request.headers:
        return await limited(request, limit, hint=None)
    return BodyStream(size, paced(request))
