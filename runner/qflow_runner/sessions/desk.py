"""Takes the values of a session that is about to end, or that another session needs, piece by piece."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from qflow_agent import wire
from qflow_runner.errors import DiskFailed, DiskFull
from qflow_runner.files import FileWriter, Spill, SpillWriter
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.inbox import Told


@dataclass(frozen=True)
class Place:
    """Whose session it is."""

    workflow: str
    execution: str
    lane: int = 0
    """Which of the execution's sessions in one environment: nodes of one lane run one after another."""


class SpillDesk:
    """Takes the values that a session is asked for between runs, and only those."""

    def __init__(self, spill: Spill, place: Place, references: dict[str, str]) -> None:
        """`references` has the space of each value that is asked for."""
        self._spill = spill
        self._place = place
        self._references = references
        self.failed: dict[str, str] = {}
        """Of each value that the disk did not take, why. Its session is none the worse for it."""
        self._writer: SpillWriter | FileWriter | None = None
        self._giving = ""

    async def want(self, want: wire.Want, session: GuestSession) -> None:
        del want, session
        raise wire.WireError("a session asked for something outside of a run")

    async def give(self, give: wire.Give) -> None:
        if self._giving:
            raise wire.WireError("a session gives one thing after another")
        with self._failing(give.id):
            self._writer = self._open(give)
        self._giving = give.id

    async def part(self, part: wire.Part, payload: Payload) -> None:
        if part.id != self._giving or not self._giving or len(payload) > wire.PART:
            raise wire.WireError("a part of nothing that is being given")
        with self._failing(part.id):
            await self._take(part, payload)
        if part.last:
            self._writer, self._giving = None, ""

    async def _take(self, part: wire.Part, payload: Payload) -> None:
        writer = self._writer
        if writer is None:
            return  # the rest of what the disk did not take
        if payload:
            writer.write(payload)
        if writer.full:
            await writer.drain()
        if part.last:
            self._writer = None
            await writer.finish()

    @contextmanager
    def _failing(self, reference: str) -> Generator[None]:
        try:
            yield
        except (DiskFull, DiskFailed) as error:
            self.failed[reference] = error.detail.removesuffix(".")
            if self._writer is not None:
                self._writer.abort()
                self._writer = None

    def told(self, told: Told) -> None:
        del told

    async def over(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abort()

    def _open(self, give: wire.Give) -> SpillWriter | FileWriter:
        space = self._references.pop(give.id, None) if give.kind == "value" else None
        if space is None:
            raise wire.WireError("a session gave what it was not asked for")
        about = {"execution": self._place.execution, "workflow": self._place.workflow}
        return self._spill.writer(space, give.id, about)
