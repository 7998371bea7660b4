"""Which versions requirements have: chosen once, the same until a person changes them."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from qflow_runner.background import Background
from qflow_runner.blobs import blobs_for, problem
from qflow_runner.errors import (
    BuildKilled,
    BuildTimeout,
    DependencyError,
    IndexRefused,
    IndexUnavailable,
    QflowError,
    Unavailable,
)
from qflow_runner.layers.built import BuiltWheels
from qflow_runner.layers.choose import Chooser
from qflow_runner.layers.flights import Flights
from qflow_runner.layers.lines import Asked, read_lines
from qflow_runner.layers.locks import LockBook, change_between
from qflow_runner.layers.model import BuildProgress, Confine, Lock, LockChange
from qflow_runner.layers.progress import ProgressBoard
from qflow_runner.layers.resolve import Resolver
from qflow_runner.layers.sources import Sources
from qflow_runner.layers.uv import Uv, without_credentials
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings

log = structlog.get_logger()

READ_KEPT = 10_000
REFRESH_S = 5.0
"""How soon a lock that another runner changed is seen, where asking for it takes more than microseconds."""

Result = TypeVar("Result")


class Locking:
    """For the event loop; what touches the disk for long runs in threads."""

    def __init__(
        self, settings: Settings, uv: Uv, kept: BuiltWheels, board: ProgressBoard, confine: Confine | None
    ) -> None:
        self._settings = settings
        self._uv = uv
        self._kept = kept
        self._board = board
        self._confine = confine
        self._flights: Flights[Lock] = Flights()
        self._resolving = asyncio.Semaphore(settings.builds)
        self._read: dict[tuple[str, ...], Asked] = {}
        self._background = Background()
        self._resolver: Chooser
        self._book: LockBook

    def prepare(self) -> None:
        """Read the constraints. Blocks. Raises Unavailable where they cannot be read."""
        settings = self._settings
        constraints = ""
        if settings.constraints is not None:
            try:
                constraints = settings.constraints.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise Unavailable(
                    f"QFLOW_CONSTRAINTS={settings.constraints} cannot be read: {error}.",
                    hint="Name a file of requirement lines that the runner's user may read.",
                ) from error
        sources = None
        if settings.source_distributions and self._confine is not None:
            sources = Sources(settings, self._uv, self._confine, self._kept)
        resolver = Resolver(self._uv, constraints, offline=settings.wheels_dir is not None)
        self._resolver = Chooser(resolver, constraints, self._kept, sources)
        self._book = LockBook(
            blobs_for(settings, "locks"),
            [
                hashlib.sha256(constraints.encode()).hexdigest(),
                self._uv.platform,
                # Versions do not change when only a password does.
                *(without_credentials(url) for url in (settings.index_url, settings.extra_index_urls)),
                str(settings.wheels_dir or ""),
            ],
        )

    def open(self) -> None:
        if not self._book.near:
            self._background.start(self._follow())

    async def close(self) -> None:
        await self._background.end()
        await self._flights.close()

    def key(self, requirements: Sequence[str], python: str) -> str:
        """What `progress` and `events` know a resolution by, before there is a lock. Raises RequirementInvalid."""
        return self._book.key(self.asked(requirements), python)

    async def lock(self, requirements: Sequence[str], python: str, *, like: Sequence[str] = ()) -> Lock:
        """The same versions each time, chosen at the first: then those of `like` (name==version) where they do.

        Raises DependencyError.
        """
        asked = self.asked(requirements)
        key = self._book.key(asked, python)
        return self._book.current(key) or await self._flights.run(
            key, lambda: self._first(key, asked, python, like)
        )

    def decided(self, requirements: Sequence[str], python: str) -> int:
        """How often a person changed their lock, forward or back. Asks the disk: microseconds."""
        return self._book.decided(self.key(requirements, python))

    def note(self, requirements: Sequence[str], python: str, like: Sequence[str]) -> None:
        """Where they have no lock, give them one soon: so that an upgrade knows what they had as part of others."""
        self._background.start(self._note(requirements, python, like))

    async def upgrade(self, requirements: Sequence[str], python: str) -> LockChange:
        """What the newest versions would change. Nothing is changed before `accept`."""
        asked = self.asked(requirements)
        key = self._book.key(asked, python)
        await self._flights.settled(key)
        async with self._resolving:
            new = await self._resolver.resolve(asked, python, refresh=True)
        return change_between(key, await self._in_book(self._book.fetch, key), new)

    async def accept(self, change: LockChange) -> Lock:
        """From now on `lock` answers the new one. Raises LockMoved when another was accepted in between."""
        return await self._in_book(self._book.accept, change)

    async def rollback(self, requirements: Sequence[str], python: str) -> Lock:
        """Back to the lock before the last upgrade. Raises LockMoved when there is none."""
        return await self._in_book(self._book.rollback, self.key(requirements, python))

    def known(self, asked: Asked, python: str) -> Lock | None:
        """Resolves nothing."""
        return self._book.current(self._book.key(asked, python))

    def asked(self, requirements: Sequence[str]) -> Asked:
        given = tuple(requirements)
        asked = self._read.get(given)
        if asked is None:
            asked = read_lines(given, urls=self._settings.package_urls)
            if len(self._read) >= READ_KEPT:
                self._read.clear()
            self._read[given] = asked
        return asked

    async def _in_book(self, function: Callable[..., Result], *args: Any) -> Result:
        try:
            return await asyncio.to_thread(function, *args)
        except OSError as error:
            raise problem(error) from error

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self._in_book(self._book.refresh)
            except QflowError as error:
                log.warning("locks.not_followed", reason=error.detail)

    async def _first(self, key: str, asked: Asked, python: str, like: Sequence[str]) -> Lock:
        """This process does not know the lock; perhaps another one made it."""
        known = None if self._book.near else await self._in_book(self._book.fetch, key)
        return known or await self._resolve(key, asked, python, like)

    async def _resolve(self, key: str, asked: Asked, python: str, like: Sequence[str]) -> Lock:
        start = BuildProgress(key, "resolve")
        self._board.tell(start)
        began = time.perf_counter()
        try:
            async with self._resolving:
                lock = await self._choose(asked, python, like)
            lock = await self._in_book(self._book.store, key, lock)
        except BaseException as error:
            said = error.detail if isinstance(error, QflowError) else "It was stopped."
            self._board.tell(replace(start, phase="failed", detail=said))
            metrics.LOCKS.labels(outcome="failed").inc()
            raise
        self._board.tell(replace(start, phase="done", detail=lock.id))
        seconds = time.perf_counter() - began
        metrics.LOCKS.labels(outcome="ok").inc()
        metrics.LOCK_SECONDS.observe(seconds)
        ms = round(seconds * 1000)
        log.info("lock.resolved", lock=lock.id, python=python, packages=len(lock.packages), ms=ms)
        return lock

    async def _choose(self, asked: Asked, python: str, like: Sequence[str]) -> Lock:
        if like:
            try:
                return await self._resolver.resolve(asked, python, bounds=like)
            except (IndexUnavailable, IndexRefused, BuildTimeout, BuildKilled):
                raise
            except DependencyError as error:
                log.info("lock.versions_left", python=python, reason=error.detail)
        return await self._resolver.resolve(asked, python)

    async def _note(self, requirements: Sequence[str], python: str, like: Sequence[str]) -> None:
        try:
            await self.lock(requirements, python, like=like)
        except QflowError as error:
            log.info("lock.not_noted", python=python, reason=error.detail)
