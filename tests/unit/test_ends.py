"""What a person is told of a session whose process ended."""

import pytest

from qflow_agent import wire
from qflow_runner.sandbox.ends import ended


@pytest.mark.parametrize(
    ("status", "code", "said", "hint"),
    [
        (3, "process_exited", "exit status 3", "Return a value"),
        (-9, "session_lost", "signal 9 (SIGKILL).", "Run the workflow again"),
        (
            -11,
            "session_lost",
            "signal 11 (SIGSEGV). That is a crash in compiled code.",
            "another version of the package",
        ),
        (-6, "session_lost", "signal 6 (SIGABRT). That is a crash", "another version of the package"),
        (-64, "session_lost", "signal 64", "Run the workflow again"),
        (-99, "session_lost", "signal 99.", "Run the workflow again"),
    ],
)
def test_the_end_of_a_process_is_named(status: int, code: str, said: str, hint: str) -> None:
    error = ended(wire.Exited(1, status))

    assert code == error.code
    assert said in error.detail
    assert hint in str(error.hint)
