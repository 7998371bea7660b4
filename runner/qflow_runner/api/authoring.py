"""The calls that help to write: analyse code, judge types, check a workflow's links. None of them runs code."""

import asyncio

from aiohttp import web

from qflow_runner import types
from qflow_runner.analysis import to_json
from qflow_runner.api.bodies import MAX_DEFINITION, checked, limited, workflow_of
from qflow_runner.api.installed import layer_for, with_installed
from qflow_runner.api.models import AnalyzeBody, TypesBody
from qflow_runner.api.state import STATE
from qflow_runner.definitions import check_python
from qflow_runner.errors import TypeUnreadable
from qflow_runner.n8n_files import EXTENSION, editor_files
from qflow_runner.workflows import Check, Checker, Workflow
from qflow_runner.workflows.form import check_form

MAX_WORKFLOW = 32 * 1024 * 1024
"""Bytes of a workflow's JSON, pinned data included."""


async def analyze(request: web.Request) -> web.Response:
    state = request.app[STATE]
    body = checked(AnalyzeBody, await limited(request, MAX_DEFINITION))
    python = check_python(body.python or state.settings.python, state.definitions.pythons)
    plain = await state.analyzer.analyze(body.code, python, infer=False)
    listed = [each for each in body.requirements or () if each.strip()]
    needed = listed or [each.requirement for each in plain.requirements]
    layer = layer_for(state.layers, needed, python)
    analysis = await state.analyzer.analyze(body.code, python, packages=layer.path if layer else None)
    shown = state.code_policy.shown(analysis, body.workflow)
    return web.json_response(with_installed(to_json(shown), layer))


async def check_types(request: web.Request) -> web.Response:
    body = checked(TypesBody, await limited(request, MAX_DEFINITION))
    judgement = await asyncio.to_thread(_judge, body)
    return web.json_response(
        {"verdict": judgement.verdict, "reason": judgement.reason, "suggestion": judgement.suggestion}
    )


async def check_workflow(request: web.Request) -> web.Response:
    check, *_ = await _check(request)
    return web.json_response(check_form(check))


async def put_workflow(request: web.Request) -> web.Response:
    workflow = workflow_of(request)
    check, body, name = await _check(request)
    await request.app[STATE].workflows.put(workflow, check, body, name)
    return web.json_response(check_form(check))


async def get_workflow(request: web.Request) -> web.Response:
    return web.json_response(check_form(await request.app[STATE].workflows.get(workflow_of(request))))


async def editor_extension(request: web.Request) -> web.Response:
    del request
    text = await asyncio.to_thread((editor_files() / EXTENSION).read_text)
    return web.Response(text=text, content_type="text/javascript")


async def _check(request: web.Request) -> tuple[Check, bytes, str]:
    body = await limited(request, MAX_WORKFLOW)
    check, name = await check_text(request.app[STATE].checker, body)
    return check, body, name


async def check_text(checker: Checker, body: bytes) -> tuple[Check, str]:
    """The check of a workflow's JSON, and its name. Raises QflowError."""
    # A workflow with its pinned data may be large: it is parsed beside the loop.
    workflow = await asyncio.to_thread(checked, Workflow, body)
    return await checker.check(workflow), workflow.name


def _judge(body: TypesBody) -> types.Judgement:
    return types.judge(_type(body.source, "source"), _type(body.target, "target"))


def _type(text: str, which: str) -> types.Type:
    try:
        return types.parse(text)
    except types.TypeSyntax as error:
        raise TypeUnreadable(f"The {which} is not a type that Python can read: {error.detail}.") from None
