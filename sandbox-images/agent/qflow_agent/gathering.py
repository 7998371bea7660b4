"""What comes of the items that several processes work on, until it is put together in the items' order."""

from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from qflow_agent.keeping import Keeper
from qflow_agent.links import LinkBroken
from qflow_agent.output import Output
from qflow_agent.places import read
from qflow_agent.plain import Notes
from qflow_agent.problem import Problem
from qflow_agent.references import Desk
from qflow_agent.results import ItemWriter


class Parent(NamedTuple):
    """What the session has at hand for its workers."""

    desk: Optional[Desk]
    keeper: Optional[Keeper]
    writer: ItemWriter
    output: Optional[Output]
    fail: Callable[[Problem, int], None]
    """Write an item's error, or raise it as the end of the run."""


class _Made(NamedTuple):
    """Of one item."""

    parts: List[bytes]
    references: List[str]


class Harvest:
    def __init__(self, total: int, parent: Parent) -> None:
        self._total = total
        self._parent = parent
        self._made: List[Optional[_Made]] = [None] * total
        self._logs: List[Tuple[int, List[Any], int]] = []
        self.missing = total
        self.errors = 0
        self.kept: List[str] = []

    def add(self, chunk: range, results: memoryview) -> None:
        """What a worker handed over, of the items that it has. Raises LinkBroken for any other."""
        for entry, parts in read(results):
            if entry.number not in chunk:
                raise LinkBroken
            if self._made[entry.number] is None:
                self._set(entry.number, _Made(parts, entry.references))
                self.errors += entry.error
                self.log(entry.number, entry.logs, entry.dropped)

    def lost(self, number: int) -> None:
        """An item whose process ended: what the session wrote in its place is in its writer."""
        self._set(number, _Made(self._parent.writer.take(), []))

    def end(self, counts: List[Any], unasked: List[str], logs: List[Any], dropped: int) -> None:
        """A worker's last words."""
        notes = Notes()
        notes.integers, notes.not_numbers, notes.renamed = counts
        self._parent.writer.notes.add(notes)
        if self._parent.keeper is not None:
            self._parent.keeper.unasked += unasked
        self.log(self._total, logs, dropped)

    def log(self, number: int, logs: List[Any], dropped: int) -> None:
        if logs or dropped:
            self._logs.append((number, logs, dropped))

    def unmade(self, chunk: range) -> List[int]:
        return [number for number in chunk if self._made[number] is None]

    def put_together(self) -> None:
        """All items into the session's writer."""
        for made in self._made:
            if made is not None:
                self._parent.writer.add(made.parts)
                self.kept += made.references

    def show_output(self) -> None:
        """What the workers printed, in the order of the items that they printed it for."""
        output = self._parent.output
        if output is not None:
            for _, logs, dropped in sorted(self._logs, key=lambda each: each[0]):
                output.add([(stream, text) for stream, text in logs], dropped)

    def _set(self, number: int, made: _Made) -> None:
        self._made[number] = made
        self.missing -= 1
