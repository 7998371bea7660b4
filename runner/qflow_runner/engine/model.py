"""What the API asks of whoever has the sandboxes."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from qflow_runner.errors import NoWorkers, QflowError
from qflow_runner.run import RunAnswer, RunRequest
from qflow_runner.sandbox.backend import Health
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.streams import BodyStream

Call = Callable[[bytes], Awaitable[bytes]]
"""One of the things beside runs that only whoever has the sandboxes can do: JSON in, JSON out. Raises QflowError."""

Calls = Mapping[str, Call]

RETENTION = "job.retention"
"""The call that removes old records: in a cluster one worker does it for all."""

Answers = Mapping[str, bytes | QflowError]
"""By worker."""


class Engine(Protocol):
    """Every method raises QflowError. Each run is begun at most once."""

    local: bool
    """Whether the sandboxes are this process's own."""

    @property
    def places(self) -> tuple[int, int] | None:
        """Runs that it makes at once, in all and of one workflow; None where the settings say it."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def run(
        self, request: RunRequest, payload: Payload | BodyStream
    ) -> AbstractAsyncContextManager[RunAnswer]:
        """Where the execution's objects are. Cancelling it ends the code."""
        ...

    async def ask(self, call: str, body: bytes, *, execution: str = "") -> bytes:
        """Of one worker: where the execution's objects are, or any. `execution` is its workflow, a line's end, its name."""
        ...

    async def ask_each(self, call: str, body: bytes = b"") -> Answers:
        """Of every worker."""
        ...

    def health(self) -> Mapping[str, Health]:
        """Of its own parts, beside those of this process."""
        ...


def first_of(answers: Answers) -> bytes:
    """The answer of the one who could; otherwise the first failure."""
    for answer in answers.values():
        if isinstance(answer, bytes):
            return answer
    for failure in answers.values():
        if isinstance(failure, QflowError):
            raise failure
    raise NoWorkers("No worker is there.")


def all_of(answers: Answers) -> dict[str, bytes]:
    """Those who answered, by worker. Raises where there are some and none did."""
    found = {worker: answer for worker, answer in answers.items() if isinstance(answer, bytes)}
    return found or ({"": first_of(answers)} if answers else {})
