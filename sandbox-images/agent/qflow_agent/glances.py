"""A few words on any object, at a cost that does not grow with it: nothing is read to its end, and nothing fails."""

import datetime
from collections import deque
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, List

from qflow_agent.codec import MAX_SAFE_INTEGER
from qflow_agent.definition import MODULE_PREFIX
from qflow_agent.plain import text
from qflow_agent.problem import TimeLimit
from qflow_agent.tracebacks import type_name

WORDS = 80
"""Characters that are shown of one value."""

_FEW = 5
_PARTS = 100
"""Of an object with more parts than these, its own __repr__ is not asked."""

_BRACKETS = {list: "[]", tuple: "()", set: "{}", frozenset: "{}", dict: "{}", deque: "[]"}
_EXACT = (
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone),
    *(range, complex, type(Ellipsis), type(NotImplemented)),
)
_HEAP_TYPE = 1 << 9
"""The flag of a class that was made while the program ran, by a class statement, say."""


def clipped(words: str, limit: int = WORDS) -> str:
    return text(words if len(words) <= limit else words[: limit - 1] + "…")


def type_text(cls: type) -> str:
    """``pandas.DataFrame``: the package that a person imports, and the class."""
    name = str.__str__(type.__dict__["__qualname__"].__get__(cls)).rpartition("<locals>.")[2]
    module = cls.__module__
    package = module.partition(".")[0] if isinstance(module, str) else "builtins"
    hidden = package in ("builtins", "__main__") or package.startswith(MODULE_PREFIX)
    return clipped(name if hidden else "%s.%s" % (package, name))


def cell(value: Any) -> Any:
    """`value` for a preview, as JSON has it."""
    cls = type(value)
    if value is None or cls is bool:
        return value
    if cls is int:
        return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else glance(value)
    if cls is float:
        return value if value - value == 0 else None  # NaN and the infinities are none
    if cls is str:
        return clipped(value)
    return _guarded(_other_cell, value)


def glance(value: Any) -> str:
    """``Order(id=1, lines=[…])``. A __repr__ of the person's own is asked only where the object is small."""
    return clipped(str(_guarded(_glance, value)))


def _guarded(look: Any, value: Any) -> Any:
    try:
        return look(value)
    except TimeLimit:
        raise
    except BaseException as error:  # a __repr__ may do anything, sys.exit too
        return "<%s: its __repr__ raised %s>" % (type_text(type(value)), type_name(error))


def _other_cell(value: Any) -> Any:
    cls = type(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return clipped(value.isoformat()) if value == value else None  # noqa: PLR0124 - pandas' NaT
    package = cls.__module__.partition(".")[0]
    if getattr(value, "ndim", None) == 0 and package == "numpy":
        # A date of numpy's holds a bare count in its own unit.
        held = str(value) if value.dtype.kind in "mM" else value.item()
        return cell(held) if type(held) in (bool, int, float, str) else clipped(str(value))
    if cls.__name__ in ("NAType", "NaTType") and package == "pandas":
        return None
    return glance(value)


def _glance(value: Any) -> str:
    cls = type(value)
    if cls is str:
        return repr(clipped(value))
    if value is None or cls is bool or cls is float or cls in _EXACT:
        return repr(value)
    if cls is int:
        return repr(value) if value.bit_length() < 250 else "an int of %d bits" % value.bit_length()
    if cls in _BRACKETS:
        return _container(value, _BRACKETS[cls])
    return _named(value) or _of_class(value, cls)


def _named(value: Any) -> str:
    """What has a name or a size to say, and nothing else."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "%s of %d bytes" % (type(value).__name__, memoryview(value).nbytes)
    if isinstance(value, type):
        return "class %s" % type_text(value)
    if isinstance(value, (FunctionType, BuiltinFunctionType)):
        return "function %s" % value.__qualname__
    return "module %s" % value.__name__ if isinstance(value, ModuleType) else ""


def _of_class(value: Any, cls: Any) -> str:
    shape = getattr(value, "shape", None)
    if type(shape) is tuple:
        return "%s of shape %s" % (type_text(cls), "×".join(map(str, shape)))
    if cls.__repr__ is not object.__repr__ and not _has_default_repr(cls) and _is_small(value):
        return str.__str__(repr(value))
    return _attributes(value)


def _container(value: Any, brackets: str) -> str:
    shown: List[str] = []
    for part in islice(value, _FEW):
        if type(value) is dict:
            shown.append("%s: %s" % (_short(part), _short(value[part])))
        else:
            shown.append(_short(part))
    if len(value) > _FEW:
        shown.append("… %d in all" % len(value))
    return brackets[0] + ", ".join(shown) + brackets[1]


def _short(value: Any) -> str:
    cls = type(value)
    if cls in _BRACKETS and value:
        return "%s…%s" % tuple(_BRACKETS[cls])
    if cls in (str, int, float, bool) or value is None:
        return clipped(_glance(value), 30)
    return type_text(cls)


def _attributes(value: Any) -> str:
    """``Order(id=1, …)``, from what stands in the object itself."""
    try:
        named = object.__getattribute__(value, "__dict__")
    except AttributeError:
        named = {}
    shown = [
        "%s=%s" % (name, _short(part))
        for name, part in islice(named.items(), _FEW)
        if isinstance(name, str) and not name.startswith("_")
    ]
    return "%s(%s%s)" % (type_text(type(value)), ", ".join(shown), ", …" if len(named) > _FEW else "")


def _has_default_repr(cls: Any) -> bool:
    """Whether it is the one that dataclasses write, which goes through all that the object holds."""
    return getattr(cls.__repr__, "__wrapped__", None) is not None and hasattr(cls, "__dataclass_fields__")


def _is_small(value: Any) -> bool:
    """Whether what hangs on the object is little, as far as that can be seen from outside."""
    left = [_PARTS]
    return _count(value, left, 4)


def _count(value: Any, left: List[int], depth: int) -> bool:
    """Take the parts of `value` off what is left; False when that, or the depth, is used up."""
    left[0] -= 1
    if left[0] < 0 or depth < 0:
        return False
    cls = type(value)
    if isinstance(value, str):
        return str.__len__(value) <= 1000
    if isinstance(value, (bytes, bytearray)):
        return len(value) <= 1000
    if isinstance(value, int):
        return int.bit_length(value) < 1000
    for container in _BRACKETS:
        if isinstance(value, container):
            if container.__len__(value) > left[0]:
                return False
            parts = dict.values(value) if isinstance(value, dict) else container.__iter__(value)  # type: ignore[attr-defined]
            return all(_count(part, left, depth - 1) for part in parts)
    parts = _held(value)
    if not parts and not cls.__flags__ & _HEAP_TYPE:
        return not hasattr(cls, "__len__") and not hasattr(cls, "__array__")
    return len(parts) <= left[0] and all(_count(part, left, depth - 1) for part in parts)


def _held(value: Any) -> List[Any]:
    """What stands in the attributes and slots of an object."""
    parts: List[Any] = []
    try:
        parts += object.__getattribute__(value, "__dict__").values()
    except AttributeError:
        pass
    for base in type(value).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                try:
                    parts.append(object.__getattribute__(value, name))
                except AttributeError:
                    pass
    return parts
