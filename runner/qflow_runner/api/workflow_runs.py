"""POST /v1/workflows/{id}/runs: the Qflow nodes of a workflow, without n8n."""

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from qflow_runner.api.bodies import checked, limited, sentence, workflow_of
from qflow_runner.api.calls import define
from qflow_runner.api.headers import request_id
from qflow_runner.api.operations import over
from qflow_runner.api.saved_models import DefinitionBody
from qflow_runner.api.state import STATE, State
from qflow_runner.api.workflow_runs_models import BoundSecret, WorkflowRunBody
from qflow_runner.errors import BodyTooLarge, DefinitionUnknown, LinkIncompatible, QflowError, RequestError
from qflow_runner.observe.trace import HEADER, Trace, read_trace
from qflow_runner.run import RunAnswer, RunRequest, no_items
from qflow_runner.sandbox.streams import STREAMED_FROM, BodyStream, ItemStream
from qflow_runner.workflows import Workflow
from qflow_runner.workflows.bundles import Items
from qflow_runner.workflows.calls import Call, Defined
from qflow_runner.workflows.form import check_form
from qflow_runner.workflows.plan import Given, plan
from qflow_runner.workflows.requests import host_lines, uses_secrets
from qflow_runner.workflows.results import NodeResult, Ran
from qflow_runner.workflows.running import WorkflowResult, WorkflowRun
from qflow_runner.workflows.steps import Plan

CHUNK = 256 * 1024
LONGEST_NAME = 200

Bounds = tuple[tuple[str, ...], ...]


async def run_workflow(request: web.Request) -> web.Response:
    state = request.app[STATE]
    workflow_id = workflow_of(request)
    text = await limited(request, state.settings.max_body) or b"{}"
    body = await asyncio.to_thread(checked, WorkflowRunBody, text)
    workflow = body.workflow
    if workflow is None:
        workflow = await asyncio.to_thread(checked, Workflow, await state.workflows.text(workflow_id))
    planned = await asyncio.to_thread(plan, workflow, _given(body), body.nodes)
    if body.check:
        await _refuse_links(state, workflow, planned)
    execution = body.execution or f"run-{secrets.token_hex(8)}"
    secret = {name for name in planned.jobs if body.secrets and uses_secrets(planned.steps[name].node)}
    values, bounds = _secrets(body)
    run = WorkflowRun(
        planned,
        _Calls(state, workflow_id, execution, dict.fromkeys(secret, bounds), _caller_of(request)),
        concurrent=body.concurrent,
        room=state.settings.max_body,
        secrets=dict.fromkeys(secret, f',"secrets":{json.dumps(values)}'),
    )
    try:
        result = await run.run()
    finally:
        if not body.keep_session:
            await over(state, execution)
    return web.Response(body=b"".join(_reply(execution, result)), content_type="application/json")


class _Calls:
    """Carries the calls of one workflow's run out, as the node of n8n would ask for them."""

    def __init__(
        self,
        state: State,
        workflow: str,
        execution: str,
        bounds: Mapping[str, Bounds],
        caller: tuple[str, Trace | None],
    ) -> None:
        """`bounds`: for the nodes that get secrets, the hosts of each that is bound to some. `caller`: request and trace."""
        self._caller = caller
        self._state = state
        self._bounds = bounds
        self._workflow = workflow
        self._execution = execution

    async def define(self, definition: Mapping[str, Any]) -> Defined:
        try:
            body = DefinitionBody.model_validate(definition)
        except ValidationError as error:
            raise RequestError(
                f"The node's parameters make no definition: {sentence(error)}.", hint="Correct them."
            ) from None
        answer, analysis = await define(self._state, body)
        stored = await self._state.definitions.get(answer.id)
        return Defined(
            answer.id,
            as_written=bool(analysis.script) or stored.mode == "script",
            shared=stored.sharing == "shared",
        )

    async def call(self, call: Call, body: bytes) -> Ran:
        try:
            return await self._call(call, call.id, body)
        except QflowError as error:
            if error.code != DefinitionUnknown.code:
                raise
            # Forgotten between, as with so many that not all are held.
            return await self._call(call, (await self.define(call.definition)).id, body)

    async def spread(self, references: Sequence[str]) -> Mapping[str, str]:
        asked = json.dumps({"workflow": self._workflow, "references": list(references)}).encode()
        place = f"{self._workflow}\n{self._execution}"
        return json.loads(await self._state.engine.ask("values.spread", asked, execution=place))

    def skipped(self, node: str) -> None:
        self._state.events.tell(self._execution, "ended", _shown(node), outcome="skipped", ms=0.0)

    async def _call(self, call: Call, definition: str, body: bytes) -> Ran:
        wanted = RunRequest(
            definition=definition,
            workflow=self._workflow,
            execution=self._execution,
            node=_shown(call.node),
            on_error=call.on_error,
            keep=call.keep,
            lane=call.lane,
            bounds=self._bounds.get(call.node, ()),
            request=self._caller[0],
            trace=self._caller[1],
        )
        limit = self._state.settings.max_body
        if len(body) > limit:
            raise BodyTooLarge(f"The items for the node are {len(body)} bytes; this runner takes {limit}.")
        payload = body if len(body) < STREAMED_FROM else BodyStream(len(body), _chunks(body))
        wait_s = self._state.settings.pool_wait_s
        async with (
            self._state.admission.place(self._workflow, len(body), wait_s) as waited_s,
            self._state.engine.run(replace(wanted, waited_s=waited_s), payload) as answer,
        ):
            text = await _text(answer, call.room)
            return Ran(
                Items(text, answer.count),
                answer.errors,
                answer.kept,
                answer.timing,
                answer.logs,
                answer.hints,
            )


async def _text(answer: RunAnswer, room: int) -> bytes:
    """Its items. Raises BodyTooLarge, and SandboxError for what is no list."""
    payload = answer.payload
    size = payload.size if isinstance(payload, ItemStream) else len(payload)
    if size > room:
        raise BodyTooLarge(
            f"The node's items are {size} bytes; the items of one workflow run may have {room} more."
        )
    if not isinstance(payload, ItemStream):
        return bytes(payload)
    text = b"".join([chunk async for chunk in payload])
    if text[:1] != b"[" or text[-1:] != b"]":
        raise no_items()
    return text


async def _chunks(body: bytes):  # noqa: ANN202 - an async generator of bytes
    view = memoryview(body)
    for start in range(0, len(body), CHUNK):
        yield bytes(view[start : start + CHUNK])


def _caller_of(request: web.Request) -> tuple[str, Trace | None]:
    return request_id(request), read_trace(request.headers.get(HEADER))


def _secrets(body: WorkflowRunBody) -> tuple[dict[str, str], Bounds]:
    given = body.secrets or {}
    bound = [each for each in given.values() if isinstance(each, BoundSecret)]
    values = {name: each if isinstance(each, str) else each.value for name, each in given.items()}
    return values, tuple(tuple(host_lines(each.hosts)) for each in bound)


def _given(body: WorkflowRunBody) -> Given | None:
    if isinstance(body.items, dict):
        return {
            name: [each.model_dump(by_alias=True) for each in items] for name, items in body.items.items()
        }
    return None if body.items is None else [each.model_dump(by_alias=True) for each in body.items]


async def _refuse_links(state: State, workflow: Workflow, planned: Plan) -> None:
    """Links of nodes that will run: an incompatible one is known before any code ran."""
    check = await state.checker.check(workflow)
    refused = [
        each for each in check.refused if each.link.source in planned.parents.get(each.link.target, ())
    ]
    if not refused:
        return
    more = f" And {len(refused) - 1} more." if len(refused) > 1 else ""
    hint = refused[0].verdict.judgement.suggestion
    links = {id(each) for each in refused}
    form = check_form(check)["links"]
    raise LinkIncompatible(
        f"{refused[0].sentence}{more}",
        hint=f"{hint} {LinkIncompatible.hint}".strip(),
        node=refused[0].link.target,
        links=[told for told, each in zip(form, check.links, strict=True) if id(each) in links],
    )


def _shown(node: str) -> str:
    """As a run may name it."""
    return node.encode("utf-8", "replace").decode().replace("\0", "?")[:LONGEST_NAME]


def _reply(execution: str, result: WorkflowResult) -> Iterator[bytes]:
    """The items are spliced in as they came from the sessions."""
    yield f'{{"execution":{json.dumps(execution)},"ok":{json.dumps(result.ok)},"nodes":{{'.encode()
    separator = ""
    for name, node in result.nodes.items():
        yield f'{separator}{json.dumps(name)}:{{"items":['.encode()
        yield b",".join(each.text for each in _by_output(node))
        yield b"]," + json.dumps(_about(node)).encode()[1:]
        separator = ","
    rest = {"order": result.order, "ms": result.ms, "hints": result.hints}
    yield b"}," + json.dumps(rest).encode()[1:]


def _by_output(node: NodeResult) -> list[Items]:
    """What all runs of the node gave."""
    width = max(map(len, node.outputs), default=0)
    return [Items.joined([run[n] for run in node.outputs if n < len(run)]) for n in range(width)]


def _about(node: NodeResult) -> dict[str, Any]:
    told: dict[str, Any] = {
        "status": node.status,
        "ms": node.ms,
        "timing": node.timing,
        "logs": node.logs,
        "hints": node.hints,
    }
    extra = {"errors": node.errors, "problem": node.problem, "reason": node.reason}
    return told | {name: value for name, value in extra.items() if value}
