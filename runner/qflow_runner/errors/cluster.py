"""What goes wrong between the processes of a cluster."""

from collections.abc import Mapping
from typing import Any, ClassVar

from qflow_runner.errors.base import QflowError
from qflow_runner.errors.services import Unavailable


class QueueUnavailable(Unavailable):
    """Nothing was handed over, so nothing ran."""

    code = "queue_unavailable"
    hint = "Start Redis, or see QFLOW_REDIS_URL; the runner finds it again by itself. /readyz says what is wrong."


class NoWorkers(Unavailable):
    code = "no_workers"
    hint = "Start one with `qflow worker`, with the settings of this runner; GET /readyz lists those that are there."


class WorkerLost(QflowError):
    """The run may have been begun, so it is not made again."""

    code = "worker_lost"
    category = "sandbox"
    status = 502
    hint = "Run the workflow again. What the code had already done outside stays done."


class ReplyLost(WorkerLost):
    code = "reply_lost"


class ClusterMismatch(Unavailable):
    """Two processes that do not belong together: nothing is exchanged between them."""

    code = "cluster_mismatch"
    headers: ClassVar = {}


class Remote(QflowError):
    """A failure as a worker told it."""

    def __init__(self, document: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        known = {"type", "title", "status", "category", "code", "detail", "hint"}
        members = {name: value for name, value in document.items() if name not in known}
        self.code = str(document["code"])
        self.category = str(document["category"])
        self.status = int(document["status"])
        self.headers = dict(headers)  # pyright: ignore[reportAttributeAccessIssue] - of this failure alone
        super().__init__(str(document["detail"]), hint=document.get("hint"), **members)
