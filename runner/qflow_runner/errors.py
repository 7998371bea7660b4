"""Every way in which a call can fail, as one tree.

::

    QflowError
    ├── RequestError          the caller can mend it: the request, the token, the definition's name
    │   ├── Unauthorized, NotFound, DefinitionUnknown, BodyInvalid, BodyTooLarge
    │   ├── TypeUnreadable, WorkflowUnknown
    │   ├── PythonUnsupported a definition wants a Python that there is not
    │   └── PackagesUnsupported a definition wants packages
    ├── GuestProblem          what the sandbox reported of the person's code, category and all
    ├── RunTimeout            the code ran longer than its limit and was stopped
    ├── SessionLost           the execution's process ended under a run
    │   ├── SessionExited     the code ended it (os._exit, a crash in C)
    │   └── OutOfMemory       the kernel ended it for want of memory
    ├── SandboxError          a sandbox did not start, or died
    ├── Busy                  no sandbox or place in time: try again later
    ├── Unavailable           something the runner needs is away: Docker, an image
    └── Internal              our mistake

Each class carries what the caller can do (`hint`), a stable `code`, a `category` and an HTTP status;
an instance carries what happened (`detail`) and the members of its problem document that apply.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

Category = Literal[
    "user_code",
    "type",
    "dependency",
    "policy",
    "network",
    "timeout",
    "memory",
    "sandbox",
    "busy",
    "unavailable",
    "internal",
]
CATEGORIES: tuple[str, ...] = get_args(Category)


class QflowError(Exception):
    """Base of all that the runner answers as a problem document."""

    code: str = "internal"
    category: str = "internal"
    status: int = 500
    hint: str | None = None
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str, *, hint: str | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = {name: value for name, value in members.items() if value is not None}
        if hint is not None:
            self.hint = hint

    @property
    def title(self) -> str:
        return self.code.replace("_", " ").capitalize()

    def document(self) -> dict[str, Any]:
        """The members of the RFC 9457 document."""
        document: dict[str, Any] = {
            "type": f"urn:qflow:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "category": self.category,
            "code": self.code,
            "detail": self.detail,
        }
        if self.hint:
            document["hint"] = self.hint
        return document | self.members


class RequestError(QflowError):
    """The request cannot be carried out as it stands."""

    code = "request_invalid"
    category = "type"
    status = 400


class Unauthorized(RequestError):
    code = "unauthorized"
    category = "policy"
    status = 401
    hint = "Send the runner's token as 'Authorization: Bearer …': QFLOW_TOKEN, or the one printed at its first start."
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="qflow"'}


class NotFound(RequestError):
    code = "not_found"
    category = "unavailable"
    status = 404
    hint = "See /openapi.json for the calls that there are."


class MethodNotAllowed(NotFound):
    code = "method_not_allowed"
    status = 405


class DefinitionUnknown(RequestError):
    code = "definition_unknown"
    category = "unavailable"
    status = 404
    hint = "PUT it to /v1/definitions and call again."


class BodyInvalid(RequestError):
    code = "body_invalid"
    hint = 'Send JSON of the form {"items": [{"json": {…}}, …], "args": [{…}]}.'


class BodyTooLarge(RequestError):
    code = "body_too_large"
    category = "policy"
    status = 413
    hint = "Send fewer items at a time (Loop Over Items), or raise QFLOW_MAX_BODY_MB."


class PythonUnsupported(RequestError):
    code = "python_unsupported"
    category = "dependency"
    status = 422


class PackagesUnsupported(RequestError):
    code = "packages_unsupported"
    category = "dependency"
    status = 422
    hint = (
        "Clear the node's requirements and use the standard library: this version installs no packages yet."
    )


class TypeUnreadable(RequestError):
    code = "type_unreadable"
    status = 422
    hint = "Write it as an annotation in Python, such as list[int] or int | None."


class WorkflowUnknown(RequestError):
    code = "workflow_unknown"
    category = "unavailable"
    status = 404
    hint = "PUT it to /v1/workflows/{id} first."


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


class SandboxError(QflowError):
    code = "sandbox_lost"
    category = "sandbox"
    status = 502
    hint = "Run the workflow again; the runner's log has the reason under this sandbox's id."


class Busy(QflowError):
    code = "busy"
    category = "busy"
    status = 503
    hint = "Try again in a moment, or raise QFLOW_POOL_CEILING or QFLOW_POOL_WAIT_S."
    headers: ClassVar = {"Retry-After": "2"}


class Unavailable(QflowError):
    code = "unavailable"
    category = "unavailable"
    status = 503
    headers: ClassVar = {"Retry-After": "5"}


class DockerUnavailable(Unavailable):
    code = "docker_unavailable"
    hint = "Start Docker and see that the runner may use its socket; the runner finds it again by itself."


class ImageMissing(Unavailable):
    code = "image_missing"


class Internal(QflowError):
    """A mistake of ours. The log has the traceback under the same request id."""

    hint = "Report it with the runner's log of this moment."


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        return ""
    clean = value.encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
