"""Arrays and series on their way in, and single values of numpy's and pandas' own types."""

import sys
import typing
from typing import Any, Callable, Dict, List, Optional, Tuple

from qflow_agent.frames import columns_of_rows, raw_columns
from qflow_agent.kinds import Kind, Mismatch, opaque
from qflow_agent.scalars import iso_moment
from qflow_agent.tables import name_of, opener_of


def array(cls: Any, arguments: Tuple[Any, ...], expected: str, *, lax: bool = False) -> Optional[Kind]:
    """The kind of a Series, an ndarray or an Arrow array, which take many values, or None."""
    name = next((name for name in map(name_of, cls.__mro__) if name in _MAKERS), None)
    if name is None:
        return None
    make = _MAKERS[name]
    dtype = _dtype(arguments)

    def convert(value: Any) -> Any:
        if isinstance(value, cls) and dtype is None:
            return value
        try:
            return make(cls, _values(value, expected, lax=lax), dtype)
        except Mismatch:
            raise
        except (MemoryError, RecursionError):
            raise
        except Exception as error:  # each package has errors of its own for values that it cannot hold
            reason = str(error).strip().splitlines()
            raise Mismatch(
                expected, value, "%s cannot be made of it: %s" % (expected, reason[0] if reason else error)
            ) from None

    plain = frozenset({cls}) if dtype is None else frozenset()
    return Kind(expected, plain, convert, element=opaque("a value"))


def single(cls: Any, expected: str) -> Optional[Kind]:
    """The kind of one number or date of numpy or pandas, or None."""
    make = next((_SINGLES[name] for name in map(name_of, cls.__mro__) if name in _SINGLES), None)
    if make is None:
        return None

    def convert(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        try:
            return make(cls, value)
        except (ValueError, TypeError, OverflowError):
            raise Mismatch(expected, value) from None

    return Kind(expected, frozenset({cls}), convert)


def _dtype(arguments: Tuple[Any, ...]) -> Any:
    """Of ``NDArray[float64]`` the type of its elements, where it is a class that an array can have."""
    numpy = sys.modules.get("numpy")
    last = arguments[-1] if arguments else None
    inner = typing.get_args(last) or getattr(last, "__args__", ())
    if numpy is None or len(inner) != 1 or not isinstance(inner[0], type):
        return None
    abstract = ("generic", "number", "integer", "floating", "inexact", "signedinteger", "unsignedinteger")
    return None if inner[0].__name__ in abstract else inner[0]


def _values(value: Any, expected: str, *, lax: bool) -> Any:
    if opener_of(type(value)) is not None:
        columns = raw_columns(value, expected)
        if len(columns) != 1:
            raise Mismatch(expected, value, "it has %d columns, and one is wanted" % len(columns))
        return columns[0][1]
    if type(value) is tuple:
        return list(value)
    if type(value) is not list:
        if not lax or value is None or type(value) is dict:
            raise Mismatch(expected, value)
        return [value]
    return value


def _numpy(cls: Any, values: List[Any], dtype: Any) -> Any:
    numpy = sys.modules["numpy"]
    if values and all(type(value) is dict for value in values):
        found = columns_of_rows(values, "numpy.ndarray")
        parts = {name: _numpy(cls, column, None) for name, column in found.items()}
        made = numpy.empty(len(values), dtype=[(name, part.dtype) for name, part in parts.items()])
        for name, part in parts.items():
            made[name] = part
        return made
    kinds = set(map(type, values))
    if type(None) in kinds and kinds <= {int, float, bool, type(None)}:
        values = [float("nan") if value is None else value for value in values]
    made = numpy.array(values, dtype=dtype)
    if made.dtype.kind in "US" and not kinds <= {str, bytes, list}:
        made = numpy.array(values, dtype=object)  # numbers among text stay numbers
    return made.view(cls) if type(made) is not cls else made


def _pandas(cls: Any, values: List[Any], _dtype: Any) -> Any:
    # Of nothing, pandas would make a column of objects and say so.
    return cls(values) if values else cls(values, dtype=object)


def _polars(cls: Any, values: List[Any], _dtype: Any) -> Any:
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    return cls(name="value", values=values)


def _arrow(cls: Any, values: List[Any], _dtype: Any) -> Any:
    pyarrow = sys.modules["pyarrow"]
    made = pyarrow.array(values)
    return pyarrow.chunked_array([made]) if cls.__name__ == "ChunkedArray" else made


def _number(cls: Any, value: Any) -> Any:
    if type(value) not in (int, float) or (type(value) is float and "int" in cls.__name__):
        raise TypeError
    made = cls(value)
    if type(value) is int and int(made) != value:
        raise ValueError
    return made


def _text_or(number: bool) -> Callable[[Any, Any], Any]:
    def make(cls: Any, value: Any) -> Any:
        if type(value) is str and not number:
            return cls(value)
        if number and type(value) in (int, float):
            return cls(seconds=value)
        raise TypeError

    return make


def _numpy_moment(cls: Any, value: Any) -> Any:
    if type(value) is not str:
        raise TypeError
    found = iso_moment(value)
    if found.tzinfo is not None:
        import datetime

        found = found.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return cls(found)


_MAKERS: Dict[str, Callable[[Any, List[Any], Any], Any]] = {
    "numpy.ndarray": _numpy,
    "pandas.Series": _pandas,
    "pandas.Index": _pandas,
    "polars.Series": _polars,
    "pyarrow.Array": _arrow,
    "pyarrow.ChunkedArray": _arrow,
}

_SINGLES: Dict[str, Callable[[Any, Any], Any]] = {
    "numpy.number": _number,
    "numpy.bool_": lambda cls, value: cls(value) if type(value) is bool else _number(cls, None),
    "numpy.bool": lambda cls, value: cls(value) if type(value) is bool else _number(cls, None),
    "numpy.datetime64": _numpy_moment,
    "pandas.Timestamp": _text_or(number=False),
    "pandas.Timedelta": _text_or(number=True),
}
