"""The calls about versions of packages: which are in use, what newer ones change, taking them, and going back.

Each is carried out where the layers are: in this process, or at a worker of the cluster.
"""

import asyncio
import json
from dataclasses import asdict
from typing import Any

from aiohttp import web

from qflow_runner.advisories import audit_form
from qflow_runner.api.bodies import MAX_DEFINITION, checked, limited
from qflow_runner.api.packages_models import LockBody, UpgradeBody, UpgradeToken
from qflow_runner.api.state import STATE, State
from qflow_runner.definitions import check_python
from qflow_runner.engine.model import first_of
from qflow_runner.errors import RequestError
from qflow_runner.layers import Layer, Lock
from qflow_runner.upgrades import Comparison, Difference, Replay, Side
from qflow_runner.upgrades.compare import NOTHING


async def lock_packages(request: web.Request) -> web.Response:
    body = await limited(request, MAX_DEFINITION)
    checked(LockBody, body)
    return _reply(await request.app[STATE].engine.ask("packages.lock", body))


async def upgrade_packages(request: web.Request) -> web.Response:
    state = request.app[STATE]
    text = await limited(request, state.settings.max_body)
    await asyncio.to_thread(checked, UpgradeBody, text)
    return _reply(await state.engine.ask("packages.upgrade", text))


async def accept_upgrade(request: web.Request) -> web.Response:
    """Of each worker: the one that worked it out has it."""
    body = await limited(request, MAX_DEFINITION)
    checked(UpgradeToken, body)
    return _reply(first_of(await request.app[STATE].engine.ask_each("packages.accept", body)))


async def rollback_packages(request: web.Request) -> web.Response:
    body = await limited(request, MAX_DEFINITION)
    checked(LockBody, body)
    return _reply(await request.app[STATE].engine.ask("packages.rollback", body))


def _reply(told: bytes) -> web.Response:
    return web.Response(body=told, content_type="application/json")


async def lock(state: State, text: bytes) -> bytes:
    body = checked(LockBody, text)
    found = await state.layers.locks.lock(body.requirements, _python(state, body.python))
    audit = await state.vetting.audit(found.packages)
    return json.dumps({**_lock_form(state, found), "audit": audit_form(audit)}).encode()


async def upgrade(state: State, text: bytes) -> bytes:
    body = await asyncio.to_thread(checked, UpgradeBody, text)
    python, replay = body.python, None
    if body.definition is not None:
        definition = await state.definitions.get(body.definition)
        python = python or definition.python
        if python != definition.python:
            raise RequestError(
                f"The definition runs on Python {definition.python}, and the packages are for {python}.",
                hint="Leave 'python' out.",
            )
        replay = Replay(definition.id, await asyncio.to_thread(_run_body, body))
    done = await state.upgrades.prepare(body.requirements, _python(state, python), replay)
    change = done.change
    answer: dict[str, Any] = {
        "upgrade": done.token,
        "lock": change.new.id,
        "layer": _layer_form(done.layer),
        "added": [{"name": name, "version": version} for name, version in change.added],
        "removed": [{"name": name, "version": version} for name, version in change.removed],
        "changed": [{"name": name, "before": old, "after": new} for name, old, new in change.changed],
        "same": change.same,
        "warnings": list(change.new.warnings),
        "audit": {
            "before": audit_form(done.before) if done.before is not None else None,
            "after": audit_form(done.after),
        },
        "comparison": _comparison_form(done.comparison) if done.comparison is not None else None,
    }
    return json.dumps(answer).encode()


async def accept(state: State, text: bytes) -> bytes:
    body = checked(UpgradeToken, text)
    return json.dumps(_lock_form(state, await state.upgrades.accept(body.upgrade))).encode()


async def rollback(state: State, text: bytes) -> bytes:
    body = checked(LockBody, text)
    found = await state.upgrades.rollback(body.requirements, _python(state, body.python))
    return json.dumps(_lock_form(state, found)).encode()


def _python(state: State, wanted: str) -> str:
    return check_python(wanted or state.settings.python, state.definitions.pythons)


def _run_body(body: UpgradeBody) -> bytes:
    """What a run takes: the definition's session reads it, and checks it again."""
    given = body.model_dump(include={"items", "args", "secrets"}, exclude_none=True, by_alias=True)
    return json.dumps(given).encode()


def _lock_form(state: State, found: Lock) -> dict[str, Any]:
    return {
        "id": found.id,
        "python": found.python,
        "packages": [asdict(package) for package in found.packages],
        "layer": _layer_form(state.layers.on_disk(found)),
        "warnings": list(found.warnings),
    }


def _layer_form(layer: Layer | None) -> dict[str, Any] | None:
    return {"id": layer.id, "bytes": layer.bytes} if layer is not None else None


def _comparison_form(comparison: Comparison) -> dict[str, Any]:
    return {
        "equal": comparison.equal,
        "before": _side_form(comparison.before) if comparison.before is not None else None,
        "after": _side_form(comparison.after),
        "differences": [_difference_form(each) for each in comparison.differences],
        "more": comparison.more,
    }


def _side_form(side: Side) -> dict[str, Any]:
    if side.problem is not None:
        return {"lock": side.lock, "problem": side.problem.document()}
    if side.answer is None or side.items is None:
        return {"lock": side.lock}
    answer = side.answer
    return {
        "lock": side.lock,
        "items": len(side.items),
        "errors": answer.errors,
        "timing": answer.timing,
        "logs": answer.logs,
        "hints": answer.hints,
    }


def _difference_form(difference: Difference) -> dict[str, Any]:
    values = {"before": difference.before, "after": difference.after}
    present = {name: value for name, value in values.items() if value is not NOTHING}
    return {"item": difference.item, "path": difference.path, **present}
