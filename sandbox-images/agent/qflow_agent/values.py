"""One step from a Python object towards JSON, for every kind of object that has a natural JSON form.

Classes of packages are known by their names or by what they offer, so that no package is imported. Handlers are
kept by class. A step may lead to an object that needs another step.
"""

import datetime
import enum
import os
from collections import abc
from typing import Any, Callable, Dict, Optional

_PLAIN = "biuf"
"""Kinds of numpy's scalars."""


class Refused(Exception):
    """The object has no JSON form; the message says what to return instead."""


class IsFile(Exception):
    """The object is a file, which an item holds beside its fields. `text` stands for it where it is none of them."""

    def __init__(self, text: Optional[str] = None) -> None:
        super().__init__(_FILE_ADVICE)
        self.text = text


class OneShot(Exception):
    """An iterator: reading it uses it up, so it is read only where nothing can fail before its values are used."""


def simplify(value: Any) -> Any:
    """The next simpler form of `value`. Raises Refused, OneShot, and whatever the object itself raises."""
    cls = type(value)
    handler = _HANDLERS.get(cls)
    if handler is None:
        handler = _HANDLERS[cls] = _find(cls)
    return handler(value)


def is_data(cls: type) -> bool:
    """Whether its objects are tables, arrays or their scalars, and nothing simpler."""
    return all(test(cls) is None for test in (_basic, _fields, _named)) and _data(cls) is not None


def _find(cls: type) -> Callable[[Any], Any]:
    for test in (_file, _basic, _fields, _named, _data, _collection):
        handler = test(cls)
        if handler is not None:
            return handler
    return _refuse(_ADVICE)


def _refuse(advice: str) -> Callable[[Any], Any]:
    def handler(_value: Any) -> Any:
        raise Refused(advice)

    return handler


_EXACTLY: Dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    dict: lambda value: dict(dict.items(value)),
}
"""The plain value of a subclass of JSON's own types, whatever methods it overrides."""

_FILE_ADVICE = (
    "A file is an item of its own, or a field of one: return it there. Bytes that are text: value.decode()."
)
_ADVICE = "Return its data instead: dicts, lists, text, numbers, dates, or a dataclass."


def _file(cls: type) -> Optional[Callable[[Any], Any]]:
    from qflow_agent.files import maker_of

    if maker_of(cls) is None:
        return None
    is_path = any(base.__module__.partition(".")[0] == "pathlib" for base in cls.__mro__)

    def handler(value: Any) -> Any:
        raise IsFile(os.fspath(value) if is_path else None)

    return handler


def _basic(cls: Any) -> Optional[Callable[[Any], Any]]:
    """Enums, subclasses of JSON's own types, dates."""
    if issubclass(cls, enum.Enum):
        return lambda value: value.value
    for json_class, exactly in _EXACTLY.items():
        if issubclass(cls, json_class):
            return exactly
    if issubclass(cls, (datetime.datetime, datetime.date, datetime.time)):
        # Only pandas' NaT, which is no date, differs from itself.
        return lambda value: value.isoformat() if value == value else None  # noqa: PLR0124
    if issubclass(cls, datetime.timedelta):
        return lambda value: value.total_seconds()
    if cls.__name__ == "Secret" and cls.__module__ == "qflow":
        return _refuse("A secret is not written into items. Return what you made with it.")
    if issubclass(cls, complex):
        return _refuse("Return its real and imaginary parts as two numbers.")
    if issubclass(cls, (abc.Coroutine, abc.Awaitable)):
        return _refuse("It was never awaited: make the function async and await it.")
    return None


def _fields(cls: Any) -> Optional[Callable[[Any], Any]]:
    """Classes with fields. A pydantic dataclass is a dataclass; a model says itself what it holds."""
    if hasattr(cls, "model_dump"):
        return lambda value: value.model_dump()
    if hasattr(cls, "__fields__") and hasattr(cls, "dict"):
        return lambda value: value.dict()
    if hasattr(cls, "__dataclass_fields__"):
        import dataclasses

        return _attributes([field.name for field in dataclasses.fields(cls)])
    if hasattr(cls, "__attrs_attrs__"):
        return _attributes([field.name for field in cls.__attrs_attrs__])
    if issubclass(cls, tuple):
        names = getattr(cls, "_fields", None)
        return (lambda value: dict(zip(names, value))) if isinstance(names, tuple) else list
    return None


def _attributes(names: Any) -> Callable[[Any], Any]:
    return lambda value: {name: getattr(value, name) for name in names}


def _named(cls: type) -> Optional[Callable[[Any], Any]]:
    """Classes of the standard library and of pandas that would cost an import to name."""
    for base in cls.__mro__:
        handler = _BY_NAME.get("%s.%s" % (base.__module__.partition(".")[0], base.__name__))
        if handler is not None:
            return handler
    return os.fspath if hasattr(cls, "__fspath__") else None


def _decimal(value: Any) -> Any:
    """A number where JavaScript holds it exactly and no decimal places are lost, else text."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        return None  # NaN or an infinity
    return int(value) if exponent >= 0 and abs(value) < 2**53 else str(value)


_BY_NAME: Dict[str, Callable[[Any], Any]] = {
    "decimal.Decimal": _decimal,
    "uuid.UUID": str,
    "fractions.Fraction": str,
    "ipaddress._BaseAddress": str,
    "ipaddress._BaseNetwork": str,
    "types.SimpleNamespace": lambda value: dict(vars(value)),
    "pandas.NAType": lambda _value: None,
    "pandas.Interval": str,
    "pandas.Period": str,
}


def _data(cls: Any) -> Optional[Callable[[Any], Any]]:
    """Tables, arrays and scalars: of the known packages by their rules, of others by what they offer."""
    from qflow_agent import tables
    from qflow_agent.plain import Notes

    opener = tables.opener_of(cls)
    if opener is not None:
        # What is changed here is not counted: hints are of what is returned itself.
        return lambda value: opener(value, Notes())
    if cls.__module__.partition(".")[0] == "numpy" and hasattr(cls, "tolist"):
        return _numpy
    if cls.__name__ == "DataFrame" and hasattr(cls, "to_dict") and not hasattr(cls, "to_dicts"):
        return lambda value: value.to_dict(orient="records")
    for name in ("to_dicts", "to_pylist", "as_py", "tolist", "to_list"):
        if hasattr(cls, name):
            return _method(name)
    return None


def _method(name: str) -> Callable[[Any], Any]:
    return lambda value: getattr(value, name)()


def _numpy(value: Any) -> Any:
    """What numpy itself makes a plain number or text of; dates, spans and rows with fields go by the rules of arrays."""
    if value.dtype.kind in _PLAIN and value.dtype.itemsize <= 8:
        return value.tolist()
    from qflow_agent import tables
    from qflow_agent.plain import Notes

    return tables.listed(value.reshape(1), Notes())[0]


def _collection(cls: Any) -> Optional[Callable[[Any], Any]]:
    if issubclass(cls, abc.Mapping):
        return lambda value: {key: value[key] for key in value}
    if hasattr(cls, "keys") and hasattr(cls, "__getitem__"):
        return lambda value: {key: value[key] for key in value.keys()}  # noqa: SIM118 - sqlite3.Row iterates values
    if issubclass(cls, abc.Set) and not issubclass(cls, abc.MappingView):
        return _sorted
    if hasattr(cls, "__next__"):
        return _one_shot
    return list if issubclass(cls, (list, abc.Sequence, abc.MappingView)) or cls.__name__ == "deque" else None


def _one_shot(_value: Any) -> Any:
    raise OneShot


def _sorted(value: Any) -> Any:
    """In order where there is one, so that the same set gives the same items every time."""
    values = list(value)
    try:
        return sorted(values)
    except TypeError:
        return values


_HANDLERS: Dict[type, Callable[[Any], Any]] = {}
