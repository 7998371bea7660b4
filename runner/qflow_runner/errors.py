"""Every way in which a call can fail, as one tree.

::

    QflowError
    ├── RequestError          the caller can mend it: the request, the token, the definition's name
    │   ├── Unauthorized, NotFound, DefinitionUnknown, BodyInvalid, BodyTooLarge
    │   ├── TypeUnreadable, WorkflowUnknown
    │   ├── SavedUnknown, SavedVersionUnknown, SavedNameInvalid
    │   ├── FileUnknown, FileIdInvalid, FileTooLarge, UploadBroken
    │   ├── PythonUnsupported a definition wants a Python that there is not
    │   ├── PackageVulnerable a package has known vulnerabilities, and the policy refuses it
    ├── DependencyError       packages that cannot be had, or a layer that could not be built
    │   ├── RequirementInvalid, RequirementRefused
    │   ├── PackageUnknown, VersionMissing, VersionYanked, RequirementsConflict
    │   ├── PackagePython, WheelMissing, HashMismatch, ModuleReserved
    │   ├── IndexUnavailable, IndexRefused
    │   ├── LayerTooLarge, LayerDiskFull, BuildTimeout, BuildKilled, BuildFailed
    │   ├── SourceRefused, SourceBuildFailed, SourceMemory, SourceHostRefused
    │   ├── LayerInUse, LayerUnknown, LockMoved
    │   └── UpgradeUnknown, UpgradeNotBuilt
    ├── GuestProblem          what the sandbox reported of the person's code, category and all
    ├── RunTimeout            the code ran longer than its limit and was stopped
    ├── SessionLost           the execution's process ended under a run
    │   ├── SessionExited     the code ended it (os._exit, a crash in C)
    │   └── OutOfMemory       the kernel ended it for want of memory
    ├── SandboxError          a sandbox did not start, or died
    ├── DiskFull              no room for a file or a value
    ├── ValueDamaged          a spilled value is not what was written
    ├── Busy                  no sandbox or place in time: try again later
    ├── Unavailable           something the runner needs is away: Docker, an image, the database
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


class PackageVulnerable(RequestError):
    code = "package_vulnerable"
    category = "policy"
    status = 422
    hint = "Ask for a fixed version in the node's requirements, or set QFLOW_ADVISORIES=warn."


class DependencyError(QflowError):
    """What the code depends on cannot be had. `uv` holds the last lines of the installer where it said something."""

    code = "dependency"
    category = "dependency"
    status = 422

    def again(self) -> "DependencyError":
        """The same for another caller, who may add members of his own."""
        return type(self)(self.detail, hint=self.hint, **self.members)


class RequirementInvalid(DependencyError):
    code = "requirement_invalid"
    hint = "Write one requirement a line, as in: pandas>=2,<3"


class RequirementRefused(DependencyError):
    """A line that would reach the runner's files, run code on it, or choose another index."""

    code = "requirement_refused"


class PackageUnknown(DependencyError):
    code = "package_unknown"


class VersionMissing(DependencyError):
    code = "version_missing"
    hint = "Ask for a version that exists, or leave the version out."


class VersionYanked(DependencyError):
    """Its authors withdrew the only version that would do."""

    code = "version_yanked"
    hint = "Allow another version. Who must have this one names it exactly, with ==."


class RequirementsConflict(DependencyError):
    code = "requirements_conflict"
    hint = (
        "Loosen or leave out one of them. A node that needs the other versions can have its own requirements."
    )


class PackagePython(DependencyError):
    code = "package_python"
    hint = "Choose another Python in the node, or allow another version of the package."


class WheelMissing(DependencyError):
    code = "wheel_missing"
    hint = (
        "Only built packages (wheels) are installed: allow another version, or choose another Python in the node. "
        "The administrator can allow building from source (QFLOW_SOURCE_DISTRIBUTIONS)."
    )


class HashMismatch(DependencyError):
    code = "hash_mismatch"
    hint = "Somebody changed the file, or the hash belongs to another one: see where it comes from before you upgrade."


class ModuleReserved(DependencyError):
    code = "module_reserved"
    hint = "Remove the package that brings it from the requirements."


class IndexUnavailable(DependencyError):
    code = "index_unavailable"
    status = 503
    hint = "Packages that were installed before work on. Try again, or see that the runner reaches its package index."
    headers: ClassVar = {"Retry-After": "10"}


class IndexRefused(DependencyError):
    code = "index_refused"
    status = 503
    hint = "See to the user and password in QFLOW_INDEX_URL or QFLOW_EXTRA_INDEX_URLS."


class LayerTooLarge(DependencyError):
    code = "layer_too_large"
    hint = "Ask for fewer or smaller packages, or raise QFLOW_LAYER_MAX_MB."


class LayerDiskFull(DependencyError):
    code = "layer_disk_full"
    status = 507
    hint = "Free space, or lower QFLOW_LAYERS_MAX_MB. What was begun was removed again."


class BuildTimeout(DependencyError):
    code = "build_timeout"
    status = 504
    hint = "Try again: what was downloaded is kept. Or raise QFLOW_BUILD_DEADLINE_S."


class BuildKilled(DependencyError):
    code = "build_killed"
    status = 502
    hint = "Try again. If it happens again, the machine may be short of memory."


class BuildFailed(DependencyError):
    code = "build_failed"
    status = 502


class SourceRefused(DependencyError):
    """There is no boundary to build a source distribution in."""

    code = "source_refused"
    category = "policy"
    hint = "Ask for a version that comes as a wheel."


class SourceBuildFailed(DependencyError):
    """`uv` holds the last lines of the build."""

    code = "source_build_failed"
    hint = "The build's last words are with this error. Sandboxes have no compiler: what needs one must come as a wheel."


class SourceMemory(DependencyError):
    code = "source_memory"
    status = 507
    hint = "Ask for a version that comes as a wheel, or raise QFLOW_BUILD_MEMORY_MB."


class SourceHostRefused(DependencyError):
    code = "source_host_refused"
    category = "policy"
    hint = "A build reaches the package index alone; the administrator can add hosts of it with QFLOW_PACKAGE_HOSTS."


class LayerInUse(DependencyError):
    code = "layer_in_use"
    status = 409
    hint = "Wait until its executions are over."


class LayerUnknown(DependencyError):
    code = "layer_unknown"
    status = 404
    hint = "See `qflow layers list`."


class LockMoved(DependencyError):
    code = "lock_moved"
    status = 409
    hint = "Ask for the upgrade again, and look at what it changes now."


class UpgradeUnknown(DependencyError):
    code = "upgrade_unknown"
    status = 404
    hint = "Ask for the upgrade again: what was worked out is kept for an hour, and used once."


class UpgradeNotBuilt(DependencyError):
    """Its packages could not be installed, so nothing can be changed to them."""

    code = "upgrade_not_built"
    status = 409
    hint = "Ask for the upgrade again once the reason is mended. The versions in use work on."


class TypeUnreadable(RequestError):
    code = "type_unreadable"
    status = 422
    hint = "Write it as an annotation in Python, such as list[int] or int | None."


class SavedUnknown(RequestError):
    code = "saved_unknown"
    category = "unavailable"
    status = 404
    hint = "See GET /v1/saved for the names that there are; the name may have been deleted."


class SavedVersionUnknown(SavedUnknown):
    code = "saved_version_unknown"
    hint = "Leave the version out to take the latest, or choose one that there is."


class SavedNameInvalid(RequestError):
    code = "saved_name_invalid"
    hint = "A name has 1 to 200 printable characters, and no space at either end."


class WorkflowUnknown(RequestError):
    code = "workflow_unknown"
    category = "unavailable"
    status = 404
    hint = "PUT it to /v1/workflows/{id} first."


class FileUnknown(RequestError):
    code = "file_unknown"
    category = "unavailable"
    status = 404
    hint = (
        "Files are kept until their execution is over, or for QFLOW_FILES_KEEP_S: run the node again that made it, "
        "or upload it again."
    )


class FileIdInvalid(RequestError):
    code = "file_id_invalid"
    hint = (
        "An id is 1 to 64 letters, digits, '-' and '_', and of one execution alone: take a long random one."
    )


class FileTooLarge(RequestError):
    code = "file_too_large"
    category = "policy"
    status = 413
    hint = "Split the file, or raise QFLOW_FILES_MAX_MB."


class UploadBroken(RequestError):
    """The content ended early, stalled, or was not what was announced. Nothing of it is kept."""

    code = "upload_broken"
    category = "network"
    hint = "Upload it again."


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


class DiskFull(QflowError):
    code = "disk_full"
    category = "unavailable"
    status = 507
    hint = "Free space on the runner's disk, or raise QFLOW_FILES_TOTAL_MB or QFLOW_SPILL_TOTAL_MB."


class ValueDamaged(QflowError):
    """A spilled value is missing, incomplete or altered, or its key is gone. Nothing of it can be trusted."""

    code = "value_damaged"
    category = "unavailable"
    status = 422
    hint = "Run the workflow again from the node that made the value."


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


class DiskFailed(Unavailable):
    code = "disk_failed"
    hint = "See the disk under QFLOW_DATA_DIR and the runner's rights there."


class KeyInvalid(Unavailable):
    """The key file is not one: the runner does not start, because what was encrypted would be lost."""

    code = "key_invalid"
    hint = "Restore the file from a backup; only if nothing encrypted is needed any more, delete it."


class DatabaseUnavailable(Unavailable):
    code = "database_unavailable"
    hint = (
        "Start the database, or see QFLOW_DATABASE_URL; the runner finds it again by itself. "
        "/readyz says what is wrong."
    )


class Internal(QflowError):
    """A mistake of ours. The log has the traceback under the same request id."""

    hint = "Report it with the runner's log of this moment."


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        return ""
    clean = value.encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
