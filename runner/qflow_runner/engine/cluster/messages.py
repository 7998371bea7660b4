"""What API processes and workers say to each other: maps, so that sides some versions apart understand each other.

Unknown members are dropped and missing ones take their default. What an older side would misread raises PROTOCOL; each
side says which it speaks (see `members`), and a worker that does not speak ours gets nothing from us.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import msgpack

from qflow_runner.errors import ClusterMismatch, QflowError, Remote
from qflow_runner.observe.trace import read_trace
from qflow_runner.reporting import Recorded
from qflow_runner.run import RunAnswer, RunRequest
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.resources import Resources
from qflow_runner.sandbox.streams import ItemStream

PROTOCOL = 1
OLDEST = max(1, PROTOCOL - 2)
"""The oldest that is understood: two changes back, so that a cluster can be upgraded process by process."""

INLINE = 256 * 1024
"""Bytes; what is larger goes through the shared directory, and not through Redis."""

_REQUEST = {each.name for each in fields(RunRequest)} - {"lock", "trace", "bounds"}


@dataclass(frozen=True)
class Body:
    """Items, in the message itself or, by a reference, in the shared directory."""

    size: int
    content: bytes | None
    reference: str = ""


@dataclass(frozen=True)
class Message:
    """`kind` is run, ask or cancel. `api` is where the reply goes, `epoch` the Redis that it was given to."""

    id: str
    kind: str
    api: str
    epoch: str = ""
    call: str = ""
    about: dict[str, Any] | None = None
    body: Body | None = None


def pack(message: Message) -> bytes:
    told = {**asdict(message), "v": PROTOCOL}
    return cast("bytes", msgpack.packb(told))


def unpack(packed: bytes) -> Message:
    """Raises ClusterMismatch for what is none, or of a protocol that is not ours."""
    told = _map(packed)
    if not _number(told, "v") >= OLDEST:
        raise ClusterMismatch("A message of the cluster is of a version that is too old.")
    body = told.get("body")
    return Message(
        id=_text(told, "id"),
        kind=_text(told, "kind"),
        api=_text(told, "api"),
        epoch=_text(told, "epoch"),
        call=_text(told, "call"),
        about=told.get("about") if isinstance(told.get("about"), dict) else None,
        body=_body(body) if isinstance(body, dict) else None,
    )


def request_form(request: RunRequest) -> dict[str, Any]:
    """A run with versions of its own stays where they were tried, and never crosses."""
    form = {name: getattr(request, name) for name in _REQUEST}
    return form | {
        "trace": None if request.trace is None else str(request.trace),
        "bounds": [list(each) for each in request.bounds],
    }


def request_of(form: dict[str, Any]) -> RunRequest:
    known = {name: value for name, value in form.items() if name in _REQUEST}
    bounds = tuple(tuple(map(str, each)) for each in form.get("bounds") or ())
    return RunRequest(**known, bounds=bounds, trace=read_trace(form.get("trace")))


def pack_answer(run: str, worker: str, answer: RunAnswer, body: Body) -> bytes:
    told = {
        "errors": answer.errors,
        "timing": answer.timing,
        "logs": answer.logs,
        "hints": answer.hints,
        "count": answer.count,
        "kept": list(answer.kept),
        "layer": answer.layer,
        "resources": answer.resources.document(),
        "record": None if answer.record is None else dict(vars(answer.record)),
    }
    return _packed({"id": run, "worker": worker, "answer": told, "body": asdict(body)})


def answer_of(told: dict[str, Any], payload: Payload | ItemStream) -> RunAnswer:
    record = told.get("record")
    return RunAnswer(
        payload,
        told["errors"],
        told["timing"],
        logs=told["logs"],
        hints=told["hints"],
        count=told["count"],
        kept=tuple(told["kept"]),
        layer=told["layer"],
        resources=Resources(**told["resources"]),
        record=None if record is None else Recorded(**record),
    )


def pack_told(ask: str, worker: str, body: Body) -> bytes:
    return _packed({"id": ask, "worker": worker, "body": asdict(body)})


def pack_failure(run: str, worker: str, error: QflowError) -> bytes:
    return _packed({"id": run, "worker": worker, "failure": error.document(), "headers": dict(error.headers)})


@dataclass(frozen=True)
class Reply:
    """To a message: `answer` of a run, `body`, or a failure."""

    id: str
    worker: str
    answer: dict[str, Any] | None
    body: Body | None
    failure: Remote | None


def unpack_reply(packed: bytes) -> Reply:
    """Raises ClusterMismatch."""
    told = _map(packed)
    body, failure = told.get("body"), told.get("failure")
    return Reply(
        _text(told, "id"),
        _text(told, "worker"),
        told.get("answer"),
        _body(body) if isinstance(body, dict) else None,
        Remote(failure, told.get("headers") or {}) if isinstance(failure, dict) else None,
    )


def _packed(told: dict[str, Any]) -> bytes:
    return cast("bytes", msgpack.packb({**told, "v": PROTOCOL}))


def _map(packed: bytes) -> dict[str, Any]:
    try:
        told = msgpack.unpackb(packed, strict_map_key=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise ClusterMismatch(f"A message of the cluster cannot be read: {error}.") from None
    if not isinstance(told, dict):
        raise ClusterMismatch("A message of the cluster is none.")
    return cast("dict[str, Any]", told)


def _body(told: dict[str, Any]) -> Body:
    content = told.get("content")
    return Body(
        _number(told, "size"), content if isinstance(content, bytes) else None, _text(told, "reference")
    )


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name, "")
    return value if isinstance(value, str) else ""


def _number(told: dict[str, Any], name: str) -> int:
    value = told.get(name, 0)
    return value if isinstance(value, int) else 0
