"""What the run of a workflow asks of the runner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qflow_runner.workflows.results import Ran


@dataclass(frozen=True)
class Defined:
    """`as_written`: its code reads the items themselves. `shared`: it changes objects for all that follow."""

    id: str
    as_written: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Call:
    """One run of a node. `room`: bytes that its items may have."""

    node: str
    definition: Mapping[str, Any]
    id: str
    on_error: str
    keep: bool
    lane: int
    room: int


class Runner(Protocol):
    """What carries the calls out. Its methods raise QflowError."""

    async def define(self, definition: Mapping[str, Any]) -> Defined: ...

    async def call(self, call: Call, body: bytes) -> Ran: ...

    async def spread(self, references: Sequence[str]) -> Mapping[str, str]:
        """Have values in the store; a sentence for each that cannot be."""
        ...

    def skipped(self, node: str) -> None:
        """Whoever watches is to know."""
        ...
