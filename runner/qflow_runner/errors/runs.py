"""What goes wrong in a run: the code, its limits, its session, its sandbox."""

from collections.abc import Mapping
from typing import Any, ClassVar

from qflow_runner.errors.base import CATEGORIES, QflowError, RequestError

_STATUS = {"timeout": 504, "memory": 507, "sandbox": 502, "internal": 502}


class GuestProblem(QflowError):
    """What a session reported. The guest is hostile, so every member is checked and cut to size."""

    _MEMBERS: ClassVar[dict[str, tuple[type, int]]] = {
        "parameter": (str, 200),
        "path": (str, 500),
        "expected": (str, 500),
        "actual": (str, 500),
        "traceback": (str, 64_000),
        "item": (int, 0),
        "line": (int, 0),
        "column": (int, 0),
    }

    def __init__(self, problem: Mapping[str, Any]) -> None:
        category = problem.get("category")
        self.category = category if category in CATEGORIES else "user_code"
        self.code = _text(problem.get("code"), 60) or "code_failed"
        self.status = _STATUS.get(self.category, 422)
        members: dict[str, Any] = {}
        for name, (kind, limit) in self._MEMBERS.items():
            value = problem.get(name)
            if isinstance(value, kind) and not isinstance(value, bool):
                members[name] = _text(value, limit) if isinstance(value, str) else value
        detail = _text(problem.get("detail"), 4_000) or "The code failed without saying why."
        super().__init__(detail, hint=_text(problem.get("hint"), 2_000) or None, **members)
        self.timing: Mapping[str, float] = {}
        self.usage: Mapping[str, float] = {}
        """The guest's own figures of the run, as a wire message has them."""


class RunTimeout(QflowError):
    code = "time_limit"
    category = "timeout"
    status = 504
    hint = "Raise the time limit in the node's options, or give it less to do at once."


class SessionLost(QflowError):
    """The session's process ended, and with it the objects of this execution."""

    code = "session_lost"
    category = "sandbox"
    status = 502
    hint = "Run the workflow again. What the code had already done outside stays done."


class SessionExited(SessionLost):
    code = "process_exited"
    category = "user_code"
    status = 422
    hint = "Return a value or raise an exception: ending the process ends the execution's session."


class OutOfMemory(SessionLost):
    code = "out_of_memory"
    category = "memory"
    status = 507
    hint = "Handle fewer items at a time, free large objects, or raise QFLOW_MEMORY_MB."


class ProcessLimit(SessionLost):
    code = "process_limit"
    category = "policy"
    status = 422
    hint = "Start fewer processes and threads, or raise the node's limit of processes."


class ResultTooLarge(QflowError):
    code = "result_too_large"
    category = "policy"
    status = 422
    hint = "Return less, return a file or a reference, or raise the node's limit of its result."


class LimitTooHigh(RequestError):
    """A node asks for more, or for less, than this runner gives."""

    code = "limit_refused"
    category = "policy"
    status = 422


class SandboxError(QflowError):
    code = "sandbox_lost"
    category = "sandbox"
    status = 502
    hint = "Run the workflow again; the runner's log has the reason under this sandbox's id."


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        return ""
    clean = value.encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
