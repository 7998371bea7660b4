"""What only whoever has the sandboxes can do, beside runs: asked for in this process, or by others of a cluster."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from qflow_runner.advisories import audit_form
from qflow_runner.api import packages
from qflow_runner.api.state import State
from qflow_runner.engine import Calls
from qflow_runner.engine.model import RETENTION
from qflow_runner.errors import SandboxUnknown


async def over(state: State, execution: str) -> int:
    """The execution is over: its sessions end, and its files go. How many sessions there were."""
    answers = await state.engine.ask_each("session.end", execution.encode())
    await state.files.forget(execution)
    return sum(json.loads(each) for each in answers.values() if isinstance(each, bytes))


async def _end(state: State, body: bytes) -> bytes:
    return json.dumps(await state.sessions.end(body.decode())).encode()


async def _sandboxes(state: State, _: bytes) -> bytes:
    listed: list[dict[str, Any]] = []
    for row in state.keeper.snapshot():
        guest = state.keeper.guests.get(row["id"])
        egress = guest.gate.row() if guest and guest.gate else None
        sessions = state.sessions.count(guest) if guest else 0
        used = await state.limiter.usage(guest) if guest else {}
        listed.append({**row, "sessions": sessions, **used} | ({"egress": egress} if egress else {}))
    return json.dumps(listed).encode()


async def _retire(state: State, body: bytes) -> bytes:
    name = body.decode()
    if name not in state.keeper.guests:
        raise SandboxUnknown(f"There is no sandbox {name[:100]}.")
    state.keeper.retire(name)
    return b"true"


async def _layers(state: State, body: bytes) -> bytes:
    listed: list[dict[str, Any]] = []
    for info in state.layers.list():
        row = asdict(info)
        if body == b"audit":
            row["audit"] = audit_form(await state.vetting.audit(info.packages))
        listed.append(row)
    return json.dumps(listed).encode()


async def _remove_layer(state: State, body: bytes) -> bytes:
    await state.layers.remove(body.decode())
    return b"true"


async def _spread(state: State, body: bytes) -> bytes:
    asked = json.loads(body)
    return json.dumps(await state.sessions.spread(asked["workflow"], asked["references"])).encode()


async def _spill(state: State, body: bytes) -> bytes:
    """For another worker, which looks into the store afterwards."""
    workflow, _, reference = body.decode().rpartition("\n")
    return json.dumps(await state.sessions.spread(workflow, [reference])).encode()


async def _retention(state: State, _: bytes) -> bytes:
    await state.database.tidy()
    return b"true"


OPERATIONS: dict[str, Callable[[State, bytes], Awaitable[bytes]]] = {
    "session.end": _end,
    "sandboxes": _sandboxes,
    "sandbox.retire": _retire,
    "layers": _layers,
    "layer.remove": _remove_layer,
    "packages.lock": packages.lock,
    "packages.upgrade": packages.upgrade,
    "packages.accept": packages.accept,
    "packages.rollback": packages.rollback,
    "values.spread": _spread,
    "values.spill": _spill,
    RETENTION: _retention,
}


def calls_of(state: State) -> Calls:
    def bound(operation: Callable[[State, bytes], Awaitable[bytes]]) -> Callable[[bytes], Awaitable[bytes]]:
        async def call(body: bytes) -> bytes:
            return await operation(state, body)

        return call

    return {name: bound(operation) for name, operation in OPERATIONS.items()}
