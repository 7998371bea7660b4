"""Values as bytes that another session of the workflow can load: pickle protocol 5, large buffers beside the stream.

A packed value is ``magic · size of the facts (4 bytes) · facts (JSON) · number of segments (4 bytes) · their sizes
(8 bytes each)``, then the segments, each from a multiple of ALIGNMENT on: the pickle stream, then its buffers. What
is loaded stands on slices of the packed bytes; nothing large is copied.
"""

import io
import json
import pickle
import struct
import sys
from typing import Any, List, NamedTuple, Optional, Tuple

from qflow_agent.by_value import DataPickler, code_pickler, library
from qflow_agent.codec import Buffer
from qflow_agent.glances import type_text
from qflow_agent.tracebacks import message, type_name

MAGIC = b"QFV1"
ALIGNMENT = 64
"""Arrays and vector instructions want their first byte on such an address."""

OUT_OF_BAND = 4096
"""A smaller buffer is cheaper inside the stream."""

_LENGTH = struct.Struct(">I")
_SIZE = struct.Struct(">Q")
_PYTHON = "%d.%d" % sys.version_info[:2]


class Unpicklable(Exception):
    """The value cannot be packed, or not be loaded here. The message is a sentence; `hint` says what to do."""

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


class _Facts(NamedTuple):
    type: str
    python: str
    by_value: bool
    package: str
    version: str


def pack(value: Any) -> List[Buffer]:
    """The packed form of `value`, in pieces to be written one after the other. Raises Unpicklable."""
    try:
        stream, views, by_value = _pickled(value)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # whatever the value's own __reduce__ raises
        raise _refused(value, error) from None
    package = str(type(value).__module__).partition(".")[0]
    version = getattr(sys.modules.get(package), "__version__", "")
    facts = _Facts(
        type_text(type(value)), _PYTHON, by_value, package, version if isinstance(version, str) else ""
    )
    told = json.dumps(facts._asdict()).encode()
    segments: List[Buffer] = [stream, *views]
    sizes = [memoryview(segment).nbytes for segment in segments]
    head = b"".join(
        [
            MAGIC,
            _LENGTH.pack(len(told)),
            told,
            _LENGTH.pack(len(segments)),
            *(_SIZE.pack(size) for size in sizes),
        ]
    )
    pieces: List[Buffer] = [head]
    written = len(head)
    for segment, size in zip(segments, sizes):
        gap = -written % ALIGNMENT
        if gap:
            pieces.append(bytes(gap))
        pieces.append(segment)
        written += gap + size
    return pieces


def unpack(packed: Buffer) -> Any:
    """The value that `pack` packed. It may keep `packed` alive, and change it. Raises Unpicklable."""
    facts: Optional[_Facts] = None
    try:
        facts, segments = _read(memoryview(packed))
        if facts.by_value:
            _check_python(facts)
            library()
        return pickle.loads(segments[0], buffers=segments[1:])
    except (Unpicklable, MemoryError):
        raise
    except (
        Exception,
        SystemExit,
    ) as error:  # what the value's own __setstate__ raises, and all that damaged bytes lead to
        raise _not_loaded(facts, error) from None


def _pickled(value: Any) -> Tuple[Buffer, List[Buffer], bool]:
    views: List[Buffer] = []

    def keep_out(buffer: Any) -> bool:
        view = buffer.raw()
        if view.nbytes < OUT_OF_BAND:
            return True
        views.append(view)
        return False

    file = io.BytesIO()
    try:
        # Most values need nothing more, and the library that writes code costs an import.
        DataPickler(file, 5, buffer_callback=keep_out).dump(value)
        return file.getvalue(), views, False
    except MemoryError:
        raise
    except (Exception, SystemExit):
        del views[:]
    file = io.BytesIO()
    pickler = code_pickler(file, keep_out)
    pickler.dump(value)
    return file.getvalue(), views, pickler.by_value


def _read(packed: memoryview) -> Tuple[_Facts, List[memoryview]]:
    """Raises ValueError, struct.error or TypeError for anything that `pack` did not write."""
    if packed[:4] != MAGIC:
        raise ValueError("it does not begin as a packed value does")
    (size,) = _LENGTH.unpack_from(packed, 4)
    at = 8 + size
    facts = _Facts(**json.loads(bytes(packed[8:at])))
    (count,) = _LENGTH.unpack_from(packed, at)
    at += _LENGTH.size
    if count < 1 or at + count * _SIZE.size > packed.nbytes:
        raise ValueError("it is incomplete")
    sizes = [_SIZE.unpack_from(packed, at + index * _SIZE.size)[0] for index in range(count)]
    at += count * _SIZE.size
    segments = []
    for size in sizes:
        at += -at % ALIGNMENT
        if at + size > packed.nbytes:
            raise ValueError("it is incomplete")
        segments.append(packed[at : at + size])
        at += size
    return facts, segments


def _check_python(facts: _Facts) -> None:
    if facts.python != _PYTHON:
        raise Unpicklable(
            "A value of type %s holds code of a node with Python %s, which Python %s cannot run."
            % (facts.type, facts.python, _PYTHON),
            "Give both nodes the same Python, or return plain data: a dict, a list, a table.",
        )


def _refused(value: Any, error: BaseException) -> Unpicklable:
    name = type_text(type(value))
    if hasattr(type(value), "__next__"):
        return Unpicklable(
            "A %s cannot leave the session that made it: it is read step by step, where it runs." % name,
            "Return a list of what it gives.",
        )
    return Unpicklable(
        "A value of type %s cannot leave the session that made it: %s." % (name, _reason(error)),
        "Return what it was made from (a path, an address, a query) and open it in the next node; or give its class "
        "a __getstate__ that leaves out what is open.",
    )


def _not_loaded(facts: Optional[_Facts], error: BaseException) -> Unpicklable:
    if facts is None:
        return Unpicklable(
            "The kept value is damaged: %s." % _reason(error), "Run the node that made it again."
        )
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if isinstance(missing, str):
        return Unpicklable(
            "A value of type %s needs the module '%s', which this node does not have."
            % (facts.type, missing.partition(".")[0]),
            "Give both nodes the same requirements.",
        )
    own = getattr(sys.modules.get(facts.package), "__version__", "") if facts.version else ""
    versions = ""
    if facts.version and own != facts.version:
        versions = " It was made with %s %s, here is %s." % (facts.package, facts.version, own or "none")
    return Unpicklable(
        "A value of type %s could not be loaded: %s.%s" % (facts.type, _reason(error), versions),
        "Give both nodes the same requirements and the same Python, or return plain data.",
    )


def _reason(error: BaseException) -> str:
    return ("%s: %s" % (type_name(error), message(error)[:300])).rstrip(" .:")
