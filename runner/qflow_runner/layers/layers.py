"""The façade of this room: requirements in, layers out."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from qflow_runner.blobs import blobs_for, problem
from qflow_runner.ending import end
from qflow_runner.errors import (
    BuildKilled,
    BuildTimeout,
    DependencyError,
    IndexRefused,
    IndexUnavailable,
    QflowError,
    Unavailable,
)
from qflow_runner.layers.build import Builder, layer_id
from qflow_runner.layers.built import BuiltWheels
from qflow_runner.layers.choose import Chooser
from qflow_runner.layers.flights import Flights
from qflow_runner.layers.lines import Asked, read_lines
from qflow_runner.layers.locks import LockBook, change_between
from qflow_runner.layers.model import (
    BuildProgress,
    Compile,
    Confine,
    Layer,
    LayerInfo,
    Lock,
    LockChange,
    Record,
)
from qflow_runner.layers.progress import ProgressBoard
from qflow_runner.layers.resolve import Resolver
from qflow_runner.layers.sources import Sources
from qflow_runner.layers.store import LayerStore
from qflow_runner.layers.uv import Uv, without_credentials
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings

log = structlog.get_logger()

RECHECK_S = 60.0
READ_KEPT = 10_000
REFRESH_S = 5.0
"""How soon a lock that another runner changed is seen, where asking for it takes more than microseconds."""

Result = TypeVar("Result")


class Layers:
    """One for each runner. All its methods are for the event loop; what touches the disk for long runs in threads."""

    def __init__(
        self,
        settings: Settings,
        compile: Compile,  # noqa: A002 - the word for it
        confine: Confine | None = None,
    ) -> None:
        """Without `confine` nothing is built from source, whatever the settings say."""
        self._settings = settings
        self._board = ProgressBoard()
        self._uv = Uv(settings)
        self._kept = BuiltWheels(settings.data_dir / "wheels")
        self._confine = confine
        self._builder = Builder(settings, self._uv, compile, self._board, self._kept)
        self._store = LayerStore(settings.layers_dir)
        self._locking: Flights[Lock] = Flights()
        self._resolving = asyncio.Semaphore(settings.builds)
        self._building: Flights[Record] = Flights()
        self._checked: dict[str, float] = {}
        self._read: dict[tuple[str, ...], Asked] = {}
        self._background: set[asyncio.Task[object]] = set()
        self.built: list[Callable[[str, list[str]], None]] = []
        """Told of each layer that was built: its id, and its packages. They must not wait, nor raise."""
        self._resolver: Chooser
        self._book: LockBook

    async def open(self) -> None:
        """Read the layers and the constraints there are, and remove what a killed build left."""
        await asyncio.to_thread(self._open)
        if not self._book.near:
            self._later(self._follow())

    async def close(self) -> None:
        """Stop builds; finished layers stay."""
        await end(self._background)
        await self._locking.close()
        await self._building.close()
        self._store.close()

    def key(self, requirements: Sequence[str], python: str) -> str:
        """What `progress` and `events` know a resolution by, before there is a lock. Raises RequirementInvalid."""
        return self._book.key(self._asked(requirements), python)

    async def lock(self, requirements: Sequence[str], python: str, *, like: Sequence[str] = ()) -> Lock:
        """The same versions each time, chosen at the first: then those of `like` (name==version) where they do.

        Raises DependencyError.
        """
        asked = self._asked(requirements)
        key = self._book.key(asked, python)
        return self._book.current(key) or await self._locking.run(
            key, lambda: self._first(key, asked, python, like)
        )

    def decided(self, requirements: Sequence[str], python: str) -> int:
        """How often a person changed their lock, forward or back. Asks the disk: microseconds."""
        return self._book.decided(self.key(requirements, python))

    def note(self, requirements: Sequence[str], python: str, like: Sequence[str]) -> None:
        """Where they have no lock, give them one soon: so that an upgrade knows what they had as part of others."""
        self._later(self._note(requirements, python, like))

    async def upgrade(self, requirements: Sequence[str], python: str) -> LockChange:
        """What the newest versions would change. Nothing is changed before `accept`."""
        asked = self._asked(requirements)
        key = self._book.key(asked, python)
        await self._locking.settled(key)
        async with self._resolving:
            new = await self._resolver.resolve(asked, python, refresh=True)
        return change_between(key, await self._in_book(self._book.fetch, key), new)

    async def accept(self, change: LockChange) -> Lock:
        """From now on `lock` answers the new one. Raises LockMoved when another was accepted in between."""
        return await self._in_book(self._book.accept, change)

    async def rollback(self, requirements: Sequence[str], python: str) -> Lock:
        """Back to the lock before the last upgrade. Raises LockMoved when there is none."""
        return await self._in_book(self._book.rollback, self.key(requirements, python))

    async def layer(self, lock: Lock) -> Layer:
        """The directory for a lock, built when it is missing or was changed. Raises DependencyError."""
        layer = layer_id(lock, self._uv.platform)
        record = self._store.record(layer)
        last = self._checked.get(layer)
        if record is not None and last is not None and self._store.present(layer):
            if time.monotonic() - last > RECHECK_S:
                # By sizes and times, beside the run: thousands of files take longer than a run may wait.
                self._later(self._check(record, whole=False))
            return self._store.layer(record)
        record = await self._building.run(layer, lambda: self._begin(layer, lock))
        return self._store.layer(record)

    def has(self, lock: Lock) -> bool:
        """Whether its layer is there and was looked at by this process, so that `layer` answers at once."""
        layer = layer_id(lock, self._uv.platform)
        return layer in self._checked and self._store.present(layer)

    def on_disk(self, lock: Lock) -> Layer | None:
        """Its layer, if it was built once; `layer` looks at it again before it is used."""
        return self.known(layer_id(lock, self._uv.platform))

    def current(self, requirements: Sequence[str], python: str) -> Layer | None:
        """A layer that has these requirements: theirs, else the last used of those made for more beside them.

        Resolves and builds nothing: None when there is none yet. Raises RequirementInvalid, RequirementRefused.
        """
        asked = self._asked(requirements)
        if not asked.requirements:
            return None
        lock = self._book.current(self._book.key(asked, python))
        layer = self.on_disk(lock) if lock else None
        if layer is not None:
            return layer
        wanted = frozenset(asked.requirements)
        record = self._store.made_for(wanted, python, self._uv.platform)
        return self._store.layer(record) if record else None

    def hold(self, layer_id: str) -> AbstractContextManager[None]:
        """While it is held, a layer is not removed. Raises LayerUnknown on entry."""
        return self._store.hold(layer_id)

    def known(self, layer_id: str) -> Layer | None:
        """A layer that is there; from memory."""
        record = self._store.record(layer_id)
        return self._store.layer(record) if record else None

    async def remove(self, layer_id: str) -> None:
        """Raises LayerInUse, LayerUnknown."""
        await asyncio.to_thread(self._store.remove, layer_id)
        self._checked.pop(layer_id, None)

    async def evict(self) -> list[str]:
        """Remove what is unused for too long or too much, never what is held; ids of what went."""
        limits = (self._settings.layers_max_mb << 20, self._settings.layers_max_age_days * 86_400)
        gone = await asyncio.to_thread(self._store.evict, *limits)
        for layer in gone:
            self._checked.pop(layer, None)
        return gone

    def progress(self, lock_id: str) -> BuildProgress | None:
        """The newest of a lock's build, or of the resolution with that `key`."""
        return self._board.get(lock_id)

    def events(self, lock_id: str) -> AsyncIterator[BuildProgress]:
        """Progress until it is done or failed. Ends at once when nothing was ever begun."""
        return self._board.events(lock_id)

    def _open(self) -> None:
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
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept.open()
        self._uv.cache.mkdir(parents=True, exist_ok=True)
        self._uv.sweep()
        self._store.open()

    def _asked(self, requirements: Sequence[str]) -> Asked:
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
        return await self._in_book(self._book.fetch, key) or await self._resolve(key, asked, python, like)

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

    def _begin(self, layer: str, lock: Lock) -> Coroutine[Any, Any, Record]:
        """Whoever watches finds it begun as soon as `layer` was called."""
        self._board.tell(BuildProgress(lock.id, "verify", packages_total=len(lock.packages)))
        return self._provide(layer, lock)

    async def _provide(self, layer: str, lock: Lock) -> Record:
        """The one that is there, if each of its files is what was built; else a new one."""
        record = await asyncio.to_thread(self._store.load, layer)
        if record is None or not await self._check(record, whole=True):
            await self._builder.build(lock)
            record = await asyncio.to_thread(self._store.load, layer)
            if record is None:
                raise Unavailable("The layer was removed while it was being built.", hint="Try again.")
            self._checked[layer] = time.monotonic()
            self._later(self.evict())
            for tell in self.built:
                tell(layer, [f"{package.name}=={package.version}" for package in lock.packages])
        else:
            self._board.tell(BuildProgress(lock.id, "done", packages_total=len(lock.packages)))
        await asyncio.to_thread(self._store.touch, layer)
        return record

    async def _check(self, record: Record, *, whole: bool) -> bool:
        if not whole:
            self._checked[record.id] = time.monotonic()
        sound = await asyncio.to_thread(self._store.check, record, whole=whole)
        if sound:
            self._checked[record.id] = time.monotonic()
            await asyncio.to_thread(self._store.touch, record.id)
        else:
            # The next one who asks for it has it built anew.
            self._store.forget(record.id)
            self._checked.pop(record.id, None)
        return sound

    def _later(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    @property
    def total(self) -> tuple[int, int]:
        """How many layers are on disk, and their bytes; from memory."""
        return self._store.total

    def list(self) -> list[LayerInfo]:
        """The longest unused first."""
        return self._store.list()
