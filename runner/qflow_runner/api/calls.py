"""The calls under /v1: HTTP in, a plain call of the runner, HTTP out."""

from typing import Any

from aiohttp import web

from qflow_runner.api.bodies import MAX_DEFINITION, checked, limited, query_of
from qflow_runner.api.files import read_multipart
from qflow_runner.api.found import found_in
from qflow_runner.api.models import RunQuery
from qflow_runner.api.replies import reply_body, stream_reply
from qflow_runner.api.saved_models import DefinitionAnswer, DefinitionBody
from qflow_runner.api.saving import request_of
from qflow_runner.api.state import STATE
from qflow_runner.definitions import check_python
from qflow_runner.errors import BodyTooLarge
from qflow_runner.run import RunRequest
from qflow_runner.sandbox.streams import STREAMED_FROM, BodyStream, ResultStream

CHUNK = 256 * 1024


async def put_definition(request: web.Request) -> web.Response:
    state = request.app[STATE]
    body = checked(DefinitionBody, await limited(request, MAX_DEFINITION))
    wanted = body.request()
    named: dict[str, Any] = {}
    if body.saved is not None:
        version = await state.saved.get(body.saved.name, body.saved.version)
        wanted = request_of(version, body.model_dump(exclude={"code", "saved"}, exclude_unset=True))
        named = {"saved_name": version.name, "saved_version": version.version}
    python = check_python(wanted.python or state.settings.python, state.definitions.pythons)
    reply = await state.definitions.put(
        wanted, found_in(await state.analyzer.outline(wanted.code, python), wanted)
    )
    answer = DefinitionAnswer(**reply.model_dump(), **named)
    return web.json_response(text=answer.model_dump_json(exclude_none=True))


async def run(request: web.Request) -> web.StreamResponse:
    state = request.app[STATE]
    query = query_of(RunQuery, request)
    wanted = RunRequest(
        definition=request.match_info["id"],
        workflow=query.workflow,
        execution=query.execution,
        node=query.node,
        on_error=query.on_error,
        keep=query.keep,
    )
    await state.definitions.get(
        wanted.definition
    )  # so that an unknown one is answered before its items are read
    async with state.flow.run(wanted, await _run_body(request, query)) as answer:
        if isinstance(answer.payload, ResultStream):
            return await stream_reply(request, answer, answer.payload)
        return web.Response(body=reply_body(answer, answer.payload), content_type="application/json")


async def end_session(request: web.Request) -> web.Response:
    state = request.app[STATE]
    ended = await state.sessions.end(request.match_info["id"])
    await state.files.forget(request.match_info["id"])
    return web.json_response({"ended": ended})


async def sandboxes(request: web.Request) -> web.Response:
    state = request.app[STATE]
    listed = []
    for row in state.keeper.snapshot():
        guest = state.keeper.guests.get(row["id"])
        listed.append({**row, "sessions": state.sessions.count(guest) if guest else 0})
    return web.json_response({"sandboxes": listed})


async def _run_body(request: web.Request, query: RunQuery) -> bytes | BodyStream:
    state = request.app[STATE]
    if request.content_type == "multipart/form-data":
        return await read_multipart(request, state.files, query.workflow, query.execution)
    size = request.content_length or 0
    limit = state.settings.max_body
    if size > limit:
        raise BodyTooLarge(f"The items are {size} bytes; this runner takes {limit}.")
    if size < STREAMED_FROM or "Content-Encoding" in request.headers:
        return await request.read()
    return BodyStream(size, request.content.iter_chunked(CHUNK))
