"""Kinds of single values: numbers, text, dates, and what a string or a number stands for without loss."""

import datetime
import enum
import os
import sys
from typing import Any, Callable, Dict, Optional

from qflow_agent.kinds import Kind, Mismatch

_JSON = (str, int, float, bool, type(None))


def scalar(cls: type, expected: str, lax: bool) -> Optional[Kind]:
    """The kind of `cls`, or None where it is not a single value. `lax` also reads what another type stands for."""
    if cls in _JSON:
        convert = _LAX.get(cls) if lax else _float if cls is float else None
        # A bool is an int, as Python has it.
        plain = frozenset({int, bool}) if cls is int else frozenset({cls})
        return Kind(expected, plain, _guarded(convert or _nothing, expected, _advice(cls, lax)))
    if cls is bytes:
        return Kind(expected, frozenset(), _guarded(_bytes, expected + " in base64"))
    if issubclass(cls, enum.Enum):
        return Kind(expected, frozenset(), _enum(cls, expected, lax))
    convert = _LAX.get(cls) if lax else None
    convert = convert or _by_name(cls)
    return Kind(expected, frozenset(), _guarded(convert, expected, _advice(cls, lax))) if convert else None


def _by_name(cls: type) -> Optional[Callable[[Any], Any]]:
    if cls in _TIMES:
        return _TIMES[cls]
    if issubclass(cls, os.PathLike) and cls.__module__.startswith("pathlib"):
        return lambda value: cls(_text(value))
    # Read from sys.modules: a module that nobody has imported has given nobody an annotation.
    decimal, uuid = sys.modules.get("decimal"), sys.modules.get("uuid")
    if decimal is not None and cls is decimal.Decimal:
        return lambda value: cls(_decimal_text(value))
    if uuid is not None and cls is uuid.UUID:
        return lambda value: cls(_text(value))
    return None


_WRONG = (ValueError, TypeError, ArithmeticError, OSError)


def _guarded(
    convert: Callable[[Any], Any], expected: str, advice: Callable[[Any], str] = lambda _value: ""
) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        try:
            return convert(value)
        except _WRONG:
            mismatch = Mismatch(expected, value)
        mismatch.advice = advice(value)
        raise mismatch

    return checked


def _nothing(_value: Any) -> Any:
    """Takes no other class than its own."""
    raise TypeError


def _advice(cls: type, lax: bool) -> Callable[[Any], str]:
    """What to do about a value that `cls` does not take."""

    def advice(value: Any) -> str:
        if not lax and _is_read(cls, value):
            return "The node's Validation 'coerce' reads it."
        if cls in (datetime.date, datetime.datetime) and type(value) is str:
            return "Dates are read in ISO form, as in 2026-11-30; datetime.strptime reads others."
        return ""

    return advice


def _is_read(cls: type, value: Any) -> bool:
    try:
        return cls in _LAX and _LAX[cls](value) is not None
    except _WRONG:
        return False


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def _decimal_text(value: Any) -> str:
    """JSON's 19.99 is the text 19.99, which repr gives back, and not the binary fraction next to it."""
    if type(value) is bool or not isinstance(value, (str, int, float)):
        raise TypeError
    return value if isinstance(value, str) else repr(value)


def _float(value: Any) -> float:
    if not isinstance(value, int):
        raise TypeError
    return float(value)


def _lax_float(value: Any) -> float:
    if type(value) not in (int, float, str):
        raise TypeError
    return float(value)


def _lax_int(value: Any) -> int:
    if type(value) is str:
        try:
            return int(value)
        except ValueError:
            value = float(value)  # "3.0" is a whole number too
    if type(value) is not float or value != int(value):
        raise ValueError
    return int(value)


def _lax_bool(value: Any) -> bool:
    word = value.strip().lower() if type(value) is str else value
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError


def _lax_str(value: Any) -> str:
    if type(value) is bool or not isinstance(value, (int, float)):
        raise TypeError
    return str(value)


def _bytes(value: Any) -> bytes:
    import base64

    return base64.b64decode(_text(value), validate=True)


def iso_moment(value: Any) -> datetime.datetime:
    """Of a text in ISO form. Raises ValueError and TypeError."""
    text = _text(value)
    # JavaScript ends its dates with Z, which Python reads from 3.11 on.
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)


def _lax_datetime(value: Any) -> datetime.datetime:
    """Also seconds or, as JavaScript counts, milliseconds since 1970."""
    if type(value) not in (int, float):
        return iso_moment(value)
    seconds = value / 1000 if abs(value) > 20_000_000_000 else value
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def _date(value: Any) -> datetime.date:
    if len(_text(value)) <= 10:
        return datetime.date.fromisoformat(value)
    moment = iso_moment(value)
    # A datetime is a date: what has a time of day keeps it.
    return moment if moment.time() != datetime.time() else moment.date()


def _time(value: Any) -> datetime.time:
    text = _text(value)
    return datetime.time.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)


def _timedelta(value: Any) -> datetime.timedelta:
    if type(value) not in (int, float):
        raise TypeError
    return datetime.timedelta(seconds=value)


def _lax_timedelta(value: Any) -> datetime.timedelta:
    return datetime.timedelta(seconds=float(value) if type(value) is str else _lax_float(value))


_TIMES: Dict[type, Callable[[Any], Any]] = {
    datetime.datetime: iso_moment,
    datetime.date: _date,
    datetime.time: _time,
    datetime.timedelta: _timedelta,
}


_TRUE = (True, "true", "1", "yes", "y", "on", "t")
_FALSE = (False, "false", "0", "no", "n", "off", "f")

_LAX: Dict[type, Callable[[Any], Any]] = {
    str: _lax_str,
    int: _lax_int,
    float: _lax_float,
    bool: _lax_bool,
    datetime.datetime: _lax_datetime,
    datetime.timedelta: _lax_timedelta,
}


def _enum(cls: Any, expected: str, lax: bool) -> Callable[[Any], Any]:
    names = ", ".join(list(cls.__members__)[:8])

    def convert(value: Any) -> Any:
        try:
            return cls(value)
        except (ValueError, TypeError, KeyError):
            found = _member(cls, value, lax)
            if found is None:
                raise Mismatch("%s (%s)" % (expected, names), value) from None
            return found

    return convert


def _member(cls: Any, value: Any, lax: bool) -> Any:
    """The member of the name `value`; `lax` minds no capitals, and takes a number's text for the number."""
    if type(value) is str and value in cls.__members__:
        return cls.__members__[value]
    if lax and type(value) in (str, int, float):
        text = str(value).strip().lower()
        for name, member in cls.__members__.items():
            if text == name.lower() or text == str(member.value).lower():
                return member
    return None
