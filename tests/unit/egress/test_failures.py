"""Which exceptions of code are those of a host that its sandbox does not reach."""

import errno
import socket

import pytest

from qflow_agent.egress_failures import not_reached
from qflow_agent.failures import problem_of


class OperationalError(Exception):
    """As of a library in C."""


def caused(error: BaseException, *, by: BaseException, how: str) -> BaseException:
    if how == "cause":
        error.__cause__ = by
    else:
        error.__context__ = by
    return error


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        socket.gaierror(socket.EAI_NONAME, "x"),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        OSError(errno.ENETUNREACH, "x"),
        OSError(errno.EHOSTUNREACH, "x"),
        OSError("Multiple exceptions: [Errno 111] Connect call failed ('127.0.0.1', 1)"),
        OSError("Tunnel connection failed: 403 x:1 is not in the Network Access of this workflow's nodes."),
        OperationalError(
            'could not translate host name "db" to address: Temporary failure in name resolution'
        ),
        OperationalError("[Errno -3] Temporary failure in name resolution"),
        caused(OperationalError("x"), by=socket.gaierror(-3, "x"), how="cause"),
        caused(
            ValueError("x"),
            by=caused(OperationalError("x"), by=OSError(111, "x"), how="context"),
            how="context",
        ),
    ],
)
def test_a_host_that_is_not_reached(error: BaseException) -> None:
    """Of the standard library, and of others that wrap or rewrite it."""
    problem = problem_of(error, {})

    assert (problem.code, problem.category) == ("network_refused", "network")
    assert "Network Access" in str(problem.hint)


def hidden() -> BaseException:
    error = caused(ValueError("x"), by=OSError(111, "x"), how="context")
    error.__suppress_context__ = True
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Connection refused by our own policy"),
        FileNotFoundError(errno.ENOENT, "x"),
        ConnectionResetError(errno.ECONNRESET, "x"),
        TimeoutError("x"),
        OperationalError("syntax error"),
        hidden(),
    ],
)
def test_other_failures_stay_what_they_are(error: BaseException) -> None:
    assert "code_raised" == problem_of(error, {}).code


def test_hostile_exceptions_are_looked_at_without_harm() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError

        @property
        def errno(self) -> int:
            raise RuntimeError

        @property
        def __module__(self) -> str:  # type: ignore[override]
            raise RuntimeError

    circle = Hostile()
    other = OSError(5, "x")
    other.__cause__ = circle
    circle.__cause__ = other

    assert not not_reached(circle)
