"""The workflows that were put, and what the last check of each found, for whoever asks again or runs them.

They are in memory, and on a shelf that a restart leaves: from there they come back beside the start, or earlier when
one is asked for. While the shelf is away, what is in memory goes on.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import structlog

from qflow_runner.background import end
from qflow_runner.errors import QflowError, Unavailable, WorkflowUnknown
from qflow_runner.workflows.check import Check

log = structlog.get_logger()

KEPT_WORKFLOWS = 1_000

KEPT_BYTES = 256 << 20
"""Of their JSON together in memory; of the one put longest ago the check alone is left there then."""

Checking = Callable[[bytes], Awaitable[tuple[Check, str]]]
"""From a workflow's JSON to its check and its name. Raises QflowError."""


class Shelf(Protocol):
    """Every method raises Unavailable while it is away."""

    async def save(self, workflow: str, text: bytes) -> None: ...
    async def load(self, workflow: str) -> bytes | None: ...
    async def newest(self) -> list[str]: ...


@dataclass(frozen=True)
class Kept:
    """`size` is the bytes of its JSON; None where the check alone is in memory."""

    id: str
    name: str
    check: Check
    size: int | None


class KeptWorkflows:
    """As they were last checked; the one put longest ago is forgotten first. Lives in one event loop."""

    def __init__(self, shelf: Shelf, check: Checking) -> None:
        self._shelf = shelf
        self._check = check
        self._checks: OrderedDict[str, Check] = OrderedDict()
        self._texts: OrderedDict[str, bytes] = OrderedDict()
        self._names: dict[str, str] = {}
        self._bytes = 0
        self._restoring: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to take up what an earlier runner was given."""
        self._restoring = asyncio.create_task(self._restore())

    async def close(self) -> None:
        await end([self._restoring])

    async def put(self, workflow: str, check: Check, text: bytes, name: str = "") -> None:
        """`text` is its JSON."""
        self._names[workflow] = name
        self._checks[workflow] = check
        self._checks.move_to_end(workflow)
        self._bytes += len(text) - len(self._texts.pop(workflow, b""))
        self._texts[workflow] = text
        self._bound()
        try:
            await self._shelf.save(workflow, text)
        except Unavailable as error:
            log.warning("workflow.not_stored", workflow=workflow, reason=error.detail, hint=error.hint)

    def every(self) -> Iterator[Kept]:
        """The one put last first."""
        for workflow, check in reversed(self._checks.items()):
            text = self._texts.get(workflow)
            yield Kept(workflow, self._names[workflow], check, None if text is None else len(text))

    async def text(self, workflow: str) -> bytes:
        """Raises WorkflowUnknown, and Unavailable where only the shelf can tell."""
        text = self._texts.get(workflow)
        if text is None:
            text = await self._shelf.load(workflow)
        if text is None:
            raise WorkflowUnknown(
                "The runner does not have this workflow.",
                hint="PUT it to /v1/workflows/{id} first, or send it with the run.",
            )
        return text

    async def get(self, workflow: str) -> Check:
        """Raises WorkflowUnknown, and Unavailable where only the shelf can tell."""
        if workflow not in self._checks:
            await self._recall(workflow)
        try:
            return self._checks[workflow]
        except KeyError:
            raise WorkflowUnknown("The runner does not know this workflow.") from None

    async def _restore(self) -> None:
        try:
            for workflow in await self._shelf.newest():
                if workflow not in self._checks:
                    await self._recall(workflow)
        except Unavailable as error:
            log.warning("workflows.not_restored", reason=error.detail, hint=error.hint)

    async def _recall(self, workflow: str) -> None:
        """Behind those that are there: they were put later, or asked for earlier."""
        text = await self._shelf.load(workflow)
        if text is None:
            return
        try:
            check, name = await self._check(text)
        except Unavailable:
            raise
        except QflowError as error:
            log.warning("workflow.unreadable", workflow=workflow, reason=error.detail)
            return
        if workflow in self._checks:
            return  # it was put meanwhile
        self._names[workflow] = name
        self._checks[workflow] = check
        self._checks.move_to_end(workflow, last=False)
        self._texts[workflow] = text
        self._texts.move_to_end(workflow, last=False)
        self._bytes += len(text)
        self._bound()

    def _bound(self) -> None:
        if len(self._checks) > KEPT_WORKFLOWS:
            gone, _ = self._checks.popitem(last=False)
            del self._names[gone]
            self._bytes -= len(self._texts.pop(gone, b""))
        while self._bytes > KEPT_BYTES:
            self._bytes -= len(self._texts.popitem(last=False)[1])
