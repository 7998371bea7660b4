"""A recorded run made again: with the same items, and the same code or an edited one."""

import secrets
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from qflow_runner.api.bodies import MAX_DEFINITION, checked, limited
from qflow_runner.api.found import found_in
from qflow_runner.api.headers import request_id
from qflow_runner.api.operations import over
from qflow_runner.api.replies import run_reply
from qflow_runner.api.state import STATE, State
from qflow_runner.definitions import MAX_CODE, Definition, DefinitionRequest, content_of
from qflow_runner.observe.trace import HEADER, read_trace
from qflow_runner.run import RunRequest


class ReplayBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(default="", max_length=MAX_CODE, description="In place of the code that ran")


class DefinitionContent(BaseModel):
    """A definition as it is stored."""

    model_config = ConfigDict(extra="allow")

    id: str
    code: str
    function: str
    python: str


async def show_definition(request: web.Request) -> web.Response:
    definition = await request.app[STATE].definitions.get(request.match_info["id"])
    content = DefinitionContent(id=definition.id, **content_of(definition))
    return web.json_response(text=content.model_dump_json())


async def replay(request: web.Request) -> web.StreamResponse:
    """In an execution of its own, so that it touches nothing of the one that was recorded."""
    state = request.app[STATE]
    body = checked(ReplayBody, await limited(request, MAX_DEFINITION))
    run = await state.history.run(request.match_info["id"])
    items = await state.inputs.load(run["id"])
    definition = await state.definitions.get(run["definition"])
    wanted = definition.id if not body.code else await _edited(state, definition, body.code)
    again = RunRequest(
        definition=wanted,
        workflow=run["workflow"],
        execution=f"replay-{secrets.token_hex(8)}",
        node=run["node"],
        request=request_id(request),
        trace=read_trace(request.headers.get(HEADER)),
    )
    try:
        async with state.engine.run(again, items) as answer:
            return await run_reply(request, answer)
    finally:
        await over(state, again.execution)


async def _edited(state: State, definition: Definition, code: str) -> str:
    """The same options, and what the new code needs where the old code said what it needs itself."""
    names = DefinitionRequest.model_fields.keys()
    options: dict[str, Any] = {name: value for name, value in content_of(definition).items() if name in names}
    before = DefinitionRequest(**options)
    own = found_in(await state.analyzer.outline(definition.code, definition.python), before)
    if own.requirements == definition.requirements:
        options["requirements"] = []  # so that those of the new code are found
    request = before.model_copy(update={"code": code, "requirements": options["requirements"]})
    found = found_in(await state.analyzer.outline(code, definition.python), request)
    return (await state.definitions.put(request, found)).id
