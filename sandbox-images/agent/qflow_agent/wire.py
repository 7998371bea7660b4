"""What the runner and the guest say to each other: one dataclass per message, length-prefixed frames.

A frame is ``length (4 bytes, big endian) · message (msgpack map) · payload (raw bytes)``. The length
counts the message alone; the message's ``n`` says how many payload bytes follow it. Payloads are JSON
bodies as n8n sent them, or as n8n will get them, and are never packed into the message.

Both sides import this module, so it is written for Python 3.8 and imports nothing but msgpack.
Unknown fields are dropped and missing ones take their default, so that sides one version apart
understand each other; a field of the wrong type is a :class:`WireError`, because everything that
comes from a guest is hostile.
"""

import struct
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Dict, List, NamedTuple, Tuple, Type, Union

import msgpack

PROTOCOL = 1
"""Raised by every change that an older side would misread."""

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes of one message without its payload; captured output is the largest thing in one."""

PART = 1024 * 1024
"""Bytes of one part of a file or a value."""

_LENGTH = struct.Struct(">I")
HEADER_SIZE = _LENGTH.size


class WireError(Exception):
    """The other side sent something that is not a frame of this protocol; the connection is of no more use."""


@dataclass(frozen=True)
class Hello:
    """Guest to runner, first on every connection. `token` is what the runner gave for this connection."""

    role: str  # "zygote", "environment", "session" or "egress"
    token: str
    protocol: int
    python: str = ""
    agent: str = ""
    pid: int = 0
    late: List[str] = field(default_factory=list)  # modules that an environment leaves to its sessions
    isolation: str = ""  # what of a session is kept from the others: "full", "files" alone, or nothing


@dataclass(frozen=True)
class Environment:
    """Runner to zygote: fork a process that imports `imports` from `layer`, dials in with `token`, and forks sessions."""

    token: str
    layer: str
    imports: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fork:
    """Runner to zygote or environment: fork a session, which dials in with `token`. A `spare` one has time to warm up first."""

    token: str
    spare: bool = False


@dataclass(frozen=True)
class Egress:
    """Runner to zygote: fork the process that lets code out to what it may reach; it dials in with `token`, as "egress"."""

    token: str


@dataclass(frozen=True)
class Listen:
    """Runner to that process: hand on what connects to this loopback address. `host` is empty where http is proxied."""

    address: str
    port: int
    host: str = ""


@dataclass(frozen=True)
class Listening:
    """The answer to it. `reason` says why it cannot listen there."""

    address: str
    port: int
    reason: str = ""


@dataclass(frozen=True)
class Kill:
    """Runner to zygote: end the session of `token` now, and everything that it started."""

    token: str


@dataclass(frozen=True)
class Exited:
    """Zygote to runner: the session's process is gone. `status` is negative for a signal, as subprocess has it."""

    token: str
    status: int
    out_of_memory: bool = False


@dataclass(frozen=True)
class Define:
    """Runner to session, before the first run of a definition in that session."""

    definition: str
    code: str
    function: str = ""
    mode: str = "auto"
    output: str = "auto"
    validation: str = "strict"
    parallel: int = 1  # processes that share the items, where the function is called per item
    sharing: str = "copy"  # what parameters get of a referenced object: a "copy", or itself, "shared"


@dataclass(frozen=True)
class Run:
    """Runner to session: call the definition's function. The payload is the body of the HTTP request."""

    run: int
    definition: str
    workflow: str = ""
    execution: str = ""
    node: str = ""
    time_limit_s: float = 30.0
    on_error: str = "stop"  # "stop" at the first failing item, or "continue" with the next
    keep: bool = False  # output "auto" may keep objects: every node that follows can take references
    proxy: str = ""  # of http, where a node of the workflow lists a pattern of hosts
    file_mb: int = 0  # the largest file that the code may write; 0: what fits
    output_mb: int = 0  # the largest result; 0: the runner's limit
    log_kb: int = 0  # thousands of characters of output that are kept; 0: the session's own limit
    threads: int = 0  # of numeric libraries, where the node has a CPU limit of its own
    traceparent: str = ""  # the trace that the run is part of, as W3C Trace Context writes it
    live: bool = False  # what it prints is to be told while it runs, too


@dataclass(frozen=True)
class Done:
    """Session to runner: the function returned. The payload is a JSON array of n8n items."""

    run: int
    items: int = 0
    errors: int = 0
    timing: Dict[str, float] = field(default_factory=dict)  # ms by phase: bind, code, encode, …
    logs: List[List[str]] = field(default_factory=list)  # [stream, text] in the order written
    hints: List[str] = field(default_factory=list)
    kept: List[str] = field(default_factory=list)  # references to what this run left in the session
    memory: float = 0.0  # share of the sandbox's memory in use, where the session keeps something
    shared: List[str] = field(default_factory=list)  # references whose objects the run may have changed
    usage: Dict[str, float] = field(
        default_factory=dict
    )  # cpu_ms of this run, peak_mb of its session, items_in


@dataclass(frozen=True)
class Failed:
    """Session to runner: the run failed; `problem` holds the members of a problem document."""

    run: int
    problem: Dict[str, Any] = field(default_factory=dict)
    timing: Dict[str, float] = field(default_factory=dict)
    logs: List[List[str]] = field(default_factory=list)
    hints: List[str] = field(default_factory=list)
    shared: List[str] = field(default_factory=list)  # as in Done
    usage: Dict[str, float] = field(default_factory=dict)  # as in Done


@dataclass(frozen=True)
class Want:
    """Session to runner, in a run: a value that another session left (`kind` "value"), or an uploaded file ("file")."""

    id: str
    kind: str


@dataclass(frozen=True)
class Have:
    """Runner to session, the answer to Want. A file is at `path`; a value's `size` bytes follow as parts.

    `reason` says in a sentence why it is not to be had, and then nothing follows.
    """

    id: str
    size: int = 0
    path: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Give:
    """Session to runner: a file or a value, which follows as parts. For a file, what n8n shows of it."""

    id: str
    kind: str  # "file" or "value"
    name: str = ""
    mime: str = ""


@dataclass(frozen=True)
class Part:
    """Either way, after Have or Give: the payload is the next piece of what has this id, at most PART bytes."""

    id: str
    last: bool = False


@dataclass(frozen=True)
class Spill:
    """Runner to session, between runs: give the values of these references, because they are needed elsewhere.

    With `drop` the session forgets what it gave: it asks for it as for any other value when it needs it again.
    """

    ids: List[str] = field(default_factory=list)
    drop: bool = False


@dataclass(frozen=True)
class Spilled:
    """Session to runner, when all was given that could be; `refused` has a sentence for each other reference."""

    refused: Dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Session to runner, in a run: how far it says that it is, from 0 to 1; negative where it cannot know."""

    run: int
    fraction: float = -1.0
    text: str = ""


@dataclass(frozen=True)
class Printed:
    """Session to runner, in a run: what the code printed lately, for whoever watches. The answer has all of it again."""

    run: int
    stream: str  # "stdout" or "stderr"
    text: str


Message = Union[
    Hello,
    Environment,
    Fork,
    Egress,
    Listen,
    Listening,
    Kill,
    Exited,
    Define,
    Run,
    Done,
    Failed,
    Want,
    Have,
    Give,
    Part,
    Spill,
    Spilled,
    Progress,
    Printed,
]
_TAGS: Dict[str, Type[Any]] = {
    "hello": Hello,
    "environment": Environment,
    "fork": Fork,
    "egress": Egress,
    "listen": Listen,
    "listening": Listening,
    "kill": Kill,
    "exited": Exited,
    "define": Define,
    "run": Run,
    "done": Done,
    "failed": Failed,
    "want": Want,
    "have": Have,
    "give": Give,
    "part": Part,
    "spill": Spill,
    "spilled": Spilled,
    "progress": Progress,
    "printed": Printed,
}
_TAG_OF = {cls: tag for tag, cls in _TAGS.items()}


class _Field(NamedTuple):
    name: str
    types: Tuple[type, ...]
    required: bool


def _plain_types(annotation: Any) -> Tuple[type, ...]:
    origin = getattr(annotation, "__origin__", None)
    plain = origin if isinstance(origin, type) else annotation
    return (int, float) if plain is float else (plain,)


_FIELDS = {
    cls: tuple(
        _Field(f.name, _plain_types(f.type), f.default is MISSING and f.default_factory is MISSING)
        for f in fields(cls)
    )
    for cls in _TAG_OF
}


def encode(message: Message, payload_size: int = 0) -> bytes:
    """The frame of `message` up to its payload, which the caller sends behind it."""
    body: Dict[str, Any] = {"t": _TAG_OF[type(message)], "n": payload_size}
    body.update(message.__dict__)
    packed = msgpack.packb(body, use_bin_type=True, unicode_errors="surrogatepass")
    if len(packed) > MAX_MESSAGE:
        raise WireError(f"a {body['t']} message of {len(packed)} bytes is over the limit of {MAX_MESSAGE}")
    return _LENGTH.pack(len(packed)) + packed


def message_size(header: Union[bytes, bytearray, memoryview]) -> int:
    """The size of the message that follows these four bytes. Raises WireError for one that is too large."""
    (size,) = _LENGTH.unpack(header)
    if not 0 < size <= MAX_MESSAGE:
        raise WireError(f"a message of {size} bytes is outside 1 to {MAX_MESSAGE}")
    return int(size)


def decode(packed: Union[bytes, bytearray, memoryview]) -> Tuple[Message, int]:
    """The message and the size of the payload behind it. Raises WireError for anything malformed."""
    try:
        body = msgpack.unpackb(packed, raw=False, strict_map_key=True, unicode_errors="surrogatepass")
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise WireError(f"not a msgpack message: {type(error).__name__}") from error
    if not isinstance(body, dict):
        raise WireError("a message is a map")
    tag = body.get("t")
    cls = _TAGS.get(tag) if isinstance(tag, str) else None
    if cls is None:
        raise WireError("a message with an unknown tag")
    size = body.get("n", 0)
    if not _is_size(size):
        raise WireError("the payload size is a whole number that is not negative")
    values = {}
    for name, types, required in _FIELDS[cls]:
        if name in body:
            value = body[name]
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                raise WireError(f"{tag}.{name} has the type {type(value).__name__}")
            values[name] = value
        elif required:
            raise WireError(f"{tag}.{name} is missing")
    return cls(**values), size


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
