"""What the cluster calls things in Redis. All begins with its name, so that several may use one Redis."""

import hashlib
from dataclasses import dataclass

CALL_TASK = "qflow.call"
"""The task of Celery that brings a run to a worker."""


@dataclass(frozen=True)
class Names:
    cluster: str

    @property
    def prefix(self) -> str:
        return f"qflow:{self.cluster}:"

    @property
    def broker(self) -> str:
        """In front of Celery's own keys."""
        return f"{self.prefix}broker:"

    def runs(self, protocol: int) -> str:
        """The queue of runs that any worker may take which understands this version of the messages."""
        return f"runs.{protocol}"

    def direct(self, worker: str) -> str:
        """The queue of runs that belong to one worker."""
        return f"worker.{worker}"

    def queue_key(self, queue: str) -> str:
        """The list in which a queue is."""
        return f"{self.broker}{queue}"

    @property
    def about(self) -> str:
        return f"{self.prefix}about"

    @property
    def workers(self) -> str:
        """The set of workers that there are or were."""
        return f"{self.prefix}workers"

    @property
    def fence(self) -> str:
        return f"{self.prefix}fence"

    @property
    def epoch(self) -> str:
        return f"{self.prefix}epoch"

    @property
    def events(self) -> str:
        return f"{self.prefix}events"

    def worker(self, name: str) -> str:
        return f"{self.prefix}worker:{name}"

    def api(self, name: str) -> str:
        return f"{self.prefix}api:{name}"

    def replies(self, api: str) -> str:
        return f"{self.prefix}replies:{api}"

    def control(self, worker: str) -> str:
        return f"{self.prefix}control:{worker}"

    def claim(self, run: str) -> str:
        return f"{self.prefix}claim:{run}"

    def home(self, workflow: str, execution: str) -> str:
        """A hash, because a caller chose both."""
        whole = f"{len(workflow)}:{workflow}{execution}".encode("utf-8", "surrogatepass")
        return f"{self.prefix}home:{hashlib.sha256(whole).hexdigest()[:32]}"

    def job(self, name: str) -> str:
        """Whether a job that one process does for all was done in this period."""
        return f"{self.prefix}job:{name}"
