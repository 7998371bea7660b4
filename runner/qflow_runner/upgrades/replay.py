"""Runs a definition on two locks, each in a sandbox of its own that no live execution uses, and compares the items."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from qflow_runner.errors import BodyTooLarge, FileUnknown, QflowError, SandboxError
from qflow_runner.files import Files
from qflow_runner.layers import Lock
from qflow_runner.run import Flow, RunAnswer, RunRequest
from qflow_runner.sandbox.keeper import Keeper
from qflow_runner.sandbox.streams import ItemStream
from qflow_runner.sessions import Sessions
from qflow_runner.upgrades.compare import Difference, differences

MAX_RESULT = 16 * 1024 * 1024
"""Bytes of a result that is compared: both are parsed, and held."""


@dataclass(frozen=True)
class Replay:
    """What to run: the id of a definition, and the body of its run as JSON."""

    definition: str
    body: bytes


@dataclass(frozen=True)
class Side:
    """How a run went: its items, or the problem that it had."""

    lock: str
    items: list[Any] | None = None
    answer: RunAnswer | None = None
    problem: QflowError | None = None


@dataclass(frozen=True)
class Comparison:
    """`before` is None where there was nothing to run. `more` counts the differences that are not listed."""

    before: Side | None
    after: Side
    differences: list[Difference] = field(default_factory=list[Difference])
    more: int = 0

    @property
    def equal(self) -> bool:
        """Both ran, and gave the same items."""
        ran = self.before is not None and self.before.items is not None and self.after.items is not None
        return ran and not self.differences


class Replayer:
    def __init__(self, flow: Flow, keeper: Keeper, sessions: Sessions, files: Files) -> None:
        self._flow = flow
        self._keeper = keeper
        self._sessions = sessions
        self._files = files

    async def compare(self, replay: Replay, old: Lock | None, new: Lock) -> Comparison:
        """One after the other, so that neither takes the other's time. A run that fails is a side with a problem."""
        before = await self._run(replay, old) if old is not None else None
        after = await self._run(replay, new)
        if before is None or before.items is None or after.items is None:
            return Comparison(before, after)
        found, more = await asyncio.to_thread(differences, before.items, after.items)
        return Comparison(before, after, found, more)

    async def _run(self, replay: Replay, lock: Lock) -> Side:
        async with self._place() as name:
            request = RunRequest(replay.definition, workflow=name, execution=name, node="upgrade", lock=lock)
            try:
                async with self._flow.run(request, replay.body) as answer:
                    items = await asyncio.to_thread(_items, await _whole(answer))
                await self._name_files(items, name)
            except QflowError as error:
                return Side(lock.id, problem=error)
            return Side(lock.id, items, answer)

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[str]:
        """A name for a workflow and its only execution; all that has it is gone at the end."""
        name = f"upgrade-{secrets.token_urlsafe(18)}"
        try:
            yield name
        finally:
            await self._sessions.end(name)
            await self._files.forget(name)
            for row in self._keeper.snapshot():
                if row["workflow"] == name:
                    self._keeper.retire(row["id"])

    async def _name_files(self, items: list[Any], workflow: str) -> None:
        """A file's id is made up anew each time: in its place comes the hash of what is in the file."""
        for item in items:
            for about in _binaries(item):
                try:
                    stored = await self._files.find(workflow, about["file"])
                except FileUnknown:
                    continue
                digest = hashlib.sha256()
                async with aclosing(self._files.read(stored)) as pieces:
                    async for piece in pieces:
                        digest.update(piece)
                del about["file"]
                about["sha256"] = digest.hexdigest()


def _binaries(item: Any) -> list[dict[str, Any]]:
    binary = item.get("binary") if isinstance(item, dict) else None
    if not isinstance(binary, dict):
        return []
    each = cast("dict[str, Any]", binary).values()
    return [about for about in each if isinstance(about, dict) and isinstance(about.get("file"), str)]


async def _whole(answer: RunAnswer) -> bytes:
    payload = answer.payload
    size = payload.size if isinstance(payload, ItemStream) else len(payload)
    if size > MAX_RESULT:
        raise BodyTooLarge(
            f"The result has {size} bytes; up to {MAX_RESULT} are compared.",
            hint="Give fewer items to compare with.",
        )
    if isinstance(payload, ItemStream):
        return b"".join([chunk async for chunk in payload])
    return bytes(payload)


def _items(text: bytes) -> list[Any]:
    try:
        items = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        raise SandboxError("The session answered with something that is not a list of items.")
    return cast("list[Any]", items)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
