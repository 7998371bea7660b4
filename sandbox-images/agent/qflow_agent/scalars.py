"""Kinds of single values: numbers, text, dates, and what a string or a number stands for without loss."""

import datetime
import enum
import os
import sys
from typing import Any, Callable, Dict, Optional

from qflow_agent.kinds import Kind, Mismatch, refuse

_JSON = (str, int, float, bool, type(None))


def scalar(cls: type, expected: str, lax: bool) -> Optional[Kind]:
    """The kind of `cls`, or None where it is not a single value. `lax` also reads numbers and truth from text."""
    if cls in _JSON:
        lossless = {float: _float, int: _lax_int, bool: _lax_bool} if lax else {float: _float}
        convert = lossless.get(cls)
        if cls is float and lax:
            convert = _lax_float
        return Kind(expected, frozenset({cls}), _guarded(convert, expected) if convert else refuse(expected))
    if cls is bytes:
        return Kind(expected, frozenset(), _guarded(_bytes, expected + " in base64"))
    if issubclass(cls, enum.Enum):
        return Kind(expected, frozenset(), _enum(cls, expected))
    convert = _by_name(cls)
    return Kind(expected, frozenset(), _guarded(convert, expected)) if convert else None


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


def _guarded(convert: Callable[[Any], Any], expected: str) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        try:
            return convert(value)
        except (ValueError, TypeError, ArithmeticError):
            raise Mismatch(expected, value) from None

    return checked


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
    if type(value) is not int:
        raise TypeError
    return float(value)


def _lax_float(value: Any) -> float:
    if type(value) not in (int, str):
        raise TypeError
    return float(value)


def _lax_int(value: Any) -> int:
    number = float(value) if type(value) is float else int(_text(value))
    if number != int(number):
        raise ValueError
    return int(number)


def _lax_bool(value: Any) -> bool:
    if type(value) is bool or value not in (0, 1, "true", "false", "True", "False"):
        raise ValueError
    return value in (1, "true", "True")


def _bytes(value: Any) -> bytes:
    import base64

    return base64.b64decode(_text(value), validate=True)


def _datetime(value: Any) -> datetime.datetime:
    text = _text(value)
    # JavaScript ends its dates with Z, which Python reads from 3.11 on.
    return datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)


def _date(value: Any) -> datetime.date:
    if len(_text(value)) <= 10:
        return datetime.date.fromisoformat(value)
    moment = _datetime(value)
    if moment.time() != datetime.time():
        raise ValueError  # the time of day would be lost
    return moment.date()


def _time(value: Any) -> datetime.time:
    text = _text(value)
    return datetime.time.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)


def _timedelta(value: Any) -> datetime.timedelta:
    if type(value) not in (int, float):
        raise TypeError
    return datetime.timedelta(seconds=value)


_TIMES: Dict[type, Callable[[Any], Any]] = {
    datetime.datetime: _datetime,
    datetime.date: _date,
    datetime.time: _time,
    datetime.timedelta: _timedelta,
}


def _enum(cls: Any, expected: str) -> Callable[[Any], Any]:
    names = ", ".join(list(cls.__members__)[:8])

    def convert(value: Any) -> Any:
        try:
            return cls(value)
        except (ValueError, TypeError, KeyError):
            if isinstance(value, str) and value in cls.__members__:
                return cls.__members__[value]
            raise Mismatch("%s (%s)" % (expected, names), value) from None

    return convert
