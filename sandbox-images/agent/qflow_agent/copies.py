"""A copy for each node that takes a kept object, so that two branches never see each other's changes.

Made in the cheapest way that is safe: what cannot change is handed over itself, frames are copied on write, and what
has to be is copied whole. An object that cannot be copied (an open file, a lock, a running generator) is handed over
itself: whoever takes it shares it.
"""

import copy
import datetime
import sys
from types import BuiltinFunctionType, FunctionType, GeneratorType, ModuleType
from typing import Any, Callable, Dict, List, Mapping, Optional

_CONSTANT = {
    *(type(None), bool, int, float, complex, str, bytes, range, type(Ellipsis), GeneratorType),
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone),
    *(FunctionType, BuiltinFunctionType, ModuleType, type),
}
"""Objects of exactly these classes are the same for everybody: they cannot change, or cannot be copied."""

_CONSTANT_NAMES = frozenset(
    {"decimal.Decimal", "fractions.Fraction", "uuid.UUID", "pathlib.PosixPath", "pathlib.PurePosixPath"}
)
"""More of them, which would cost an import to name."""

_CONTAINERS = (list, dict, set, tuple, frozenset)


def own_copy(value: Any) -> Any:
    """A copy of `value` whose changes nobody else sees, or `value` itself. Raises MemoryError alone."""
    try:
        return _copy(value, {})
    except MemoryError:
        raise
    except (Exception, SystemExit):  # it holds what cannot be copied, or its own copying fails
        return value


def own_containers(value: Any, shared: Mapping[int, Any]) -> Any:
    """A copy of the dicts and lists that `value` is made of, with the same objects in them.

    What is `shared`, by its id, is one of these objects, also where it is a dict or a list.
    """
    return _containers(value, dict(shared))


def is_read_once(value: Any) -> bool:
    """Whether it is an iterator that gives its elements to whoever reads it first."""
    module = type(value).__module__
    return hasattr(type(value), "__next__") and module in ("builtins", "itertools", "_csv")


def is_begun(value: Any) -> bool:
    """Whether a generator gave elements already."""
    if type(value) is not GeneratorType:
        return False
    from inspect import GEN_CREATED, getgeneratorstate

    return getgeneratorstate(value) != GEN_CREATED


def _containers(value: Any, done: Dict[int, Any]) -> Any:
    cls = type(value)
    if cls is not dict and cls is not list:
        return value
    if id(value) in done:
        return done[id(value)]
    if cls is dict:
        made: Any = {}
        done[id(value)] = made
        made.update((name, _containers(part, done)) for name, part in value.items())
    else:
        made = done[id(value)] = []
        made.extend(_containers(part, done) for part in value)
    return made


def _copy(value: Any, memo: Dict[int, Any]) -> Any:
    """As copy.deepcopy with its memo, but with our own ways for what has cheaper ones."""
    cls = type(value)
    if _is_constant(cls) or isinstance(value, type):
        return value
    if id(value) in memo:
        return memo[id(value)]
    if cls in _CONTAINERS:
        return _copy_container(value, cls, memo)
    maker = _maker_of(cls)
    if maker is None:
        return copy.deepcopy(value, memo)
    made = memo[id(value)] = maker(value)
    return made


def _copy_container(value: Any, cls: Any, memo: Dict[int, Any]) -> Any:
    parts = dict.values(value) if cls is dict else value
    classes = set(map(type, parts))
    if cls is dict:
        classes.update(map(type, value))
    if all(map(_is_constant, classes)):
        if cls is tuple or cls is frozenset:
            return value
        made = memo[id(value)] = value.copy()
        return made
    # Known before its parts are copied, because one of them may lead back to it.
    if cls is dict:
        made = memo[id(value)] = {}
        for name, part in value.items():
            made[_copy(name, memo)] = _copy(part, memo)
        return made
    if cls is list:
        made = memo[id(value)] = []
        made.extend(_copy(part, memo) for part in value)
        return made
    copied: List[Any] = [_copy(part, memo) for part in value]
    if id(value) in memo:
        return memo[id(value)]  # made meanwhile, by a part that leads back to it
    made = memo[id(value)] = cls(copied)
    return made


def _is_constant(cls: type) -> bool:
    if cls in _CONSTANT:
        return True
    module = cls.__module__
    # Python stops to copy the iterators of itertools in 3.14, and warns of it before.
    if module != "itertools" and "%s.%s" % (module.partition("._")[0], cls.__name__) not in _CONSTANT_NAMES:
        return False
    _CONSTANT.add(cls)
    return True


def _maker_of(cls: type) -> Optional[Callable[[Any], Any]]:
    for base in cls.__mro__:
        package = base.__module__.partition(".")[0] if isinstance(base.__module__, str) else ""
        maker = _MAKERS.get("%s.%s" % (package, base.__name__))
        if maker is not None:
            return maker
    return None


def _itself(value: Any) -> Any:
    return value


def _pandas(value: Any) -> Any:
    return value.copy(deep=not _copies_on_write())


def _copies_on_write() -> bool:
    pandas: Any = sys.modules["pandas"]
    if int(pandas.__version__.partition(".")[0]) >= 3:
        return True
    return getattr(pandas.options.mode, "copy_on_write", False) is True


def _array(value: Any) -> Any:
    if value.dtype.hasobject:
        return copy.deepcopy(value)
    # What nobody may write to, and what is no view of what somebody may, cannot change.
    return value if not value.flags.writeable and value.base is None else value.copy("K")


def _clone(value: Any) -> Any:
    return value.clone()


_MAKERS: Dict[str, Callable[[Any], Any]] = {
    "pandas.DataFrame": _pandas,
    "pandas.Series": _pandas,
    "pandas.Index": _itself,
    "polars.DataFrame": _clone,
    "polars.LazyFrame": _clone,
    "polars.Series": _clone,
    "polars.Expr": _itself,
    "pyarrow._Weakrefable": _itself,
    "numpy.ndarray": _array,
    "numpy.generic": _itself,
}
