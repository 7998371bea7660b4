"""Whether an exception is that of a host which a sandbox does not reach."""

import errno
from typing import Optional

from qflow_agent.tracebacks import message

_CHAIN = 16
"""Exceptions of a chain that are looked at."""

_ERRORS = frozenset((errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL))
_NAMES = frozenset((-2, -3, -4, -5))
"""What getaddrinfo fails with."""

_TEXTS = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "could not translate host name",
    "failed to resolve host",
    "Network is unreachable",
    "Connection refused",
    "Connect call failed",
    "Network Access of this workflow",
)
"""Of libraries in C, which raise exceptions of their own, and of the runner's proxy."""


def not_reached(error: BaseException) -> bool:
    """Of the exception, or of one that it was raised from."""
    current: Optional[BaseException] = error
    for _ in range(_CHAIN):
        if current is None:
            break
        if isinstance(current, OSError) and _number(current) in _ERRORS | _NAMES:
            return True
        if isinstance(current, OSError) or _module(current) != "builtins":
            text = message(current)
            if any(each in text for each in _TEXTS):
                return True
        current = _before(current)
    return False


def _number(error: OSError) -> Optional[int]:
    number = OSError.__dict__["errno"].__get__(error)
    return number if type(number) is int else None


def _module(error: BaseException) -> object:
    return type.__dict__["__module__"].__get__(type(error))


def _before(error: BaseException) -> Optional[BaseException]:
    members = BaseException.__dict__
    cause: Optional[BaseException] = members["__cause__"].__get__(error)
    if cause is not None or members["__suppress_context__"].__get__(error):
        return cause
    context: Optional[BaseException] = members["__context__"].__get__(error)
    return context
