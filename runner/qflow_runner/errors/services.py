"""What the runner needs and does not have: room, a disk, Docker, a database."""

from typing import ClassVar

from qflow_runner.errors.base import QflowError


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

    def __init__(self, detail: str, *, hint: str | None = None, retry_after_s: int = 2) -> None:
        """`retry_after_s` is when there may be room again, as far as that can be told."""
        super().__init__(detail, hint=hint)
        # Nobody is well served by a longer guess than a minute.
        self.headers = {"Retry-After": str(min(max(retry_after_s, 1), 60))}  # pyright: ignore[reportAttributeAccessIssue]


class Unavailable(QflowError):
    code = "unavailable"
    category = "unavailable"
    status = 503
    headers: ClassVar = {"Retry-After": "5"}


class DockerUnavailable(Unavailable):
    code = "docker_unavailable"
    hint = "Start Docker and see that the runner may use its socket; the runner finds it again by itself."


class ImageMissing(Unavailable):
    """Waiting does not help: somebody has to build it."""

    code = "image_missing"
    headers: ClassVar = {}


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
