"""The façade of this room: requirements in, layers out."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from typing import Any

import structlog

from qflow_runner.background import Background
from qflow_runner.errors import (
    Unavailable,
)
from qflow_runner.layers.build import Builder, layer_id
from qflow_runner.layers.built import BuiltWheels
from qflow_runner.layers.flights import Flights
from qflow_runner.layers.locking import Locking
from qflow_runner.layers.model import (
    BuildProgress,
    Compile,
    Confine,
    Layer,
    LayerInfo,
    Lock,
    Record,
)
from qflow_runner.layers.progress import ProgressBoard
from qflow_runner.layers.store import LayerStore
from qflow_runner.layers.uv import Uv
from qflow_runner.settings import Settings

log = structlog.get_logger()

RECHECK_S = 60.0


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
        self.locks = Locking(settings, self._uv, self._kept, self._board, confine)
        """Which versions requirements have."""
        self._builder = Builder(settings, self._uv, compile, self._board, self._kept)
        self._store = LayerStore(settings.layers_dir)
        self._building: Flights[Record] = Flights()
        self._checked: dict[str, float] = {}
        self._background = Background()
        self.built: list[Callable[[str, list[str]], None]] = []
        """Told of each layer that was built: its id, and its packages. They must not wait, nor raise."""

    async def open(self) -> None:
        """Read the layers and the constraints there are, and remove what a killed build left."""
        await asyncio.to_thread(self._open)
        self.locks.open()

    async def close(self) -> None:
        """Stop builds; finished layers stay."""
        await self._background.end()
        await self.locks.close()
        await self._building.close()
        self._store.close()

    async def layer(self, lock: Lock) -> Layer:
        """The directory for a lock, built when it is missing or was changed. Raises DependencyError."""
        layer = layer_id(lock, self._uv.platform)
        record = self._store.record(layer)
        last = self._checked.get(layer)
        if record is not None and last is not None and self._store.present(layer):
            if time.monotonic() - last > RECHECK_S:
                # By sizes and times, beside the run: thousands of files take longer than a run may wait.
                self._background.start(self._check(record, whole=False))
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
        asked = self.locks.asked(requirements)
        if not asked.requirements:
            return None
        lock = self.locks.known(asked, python)
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
        self.locks.prepare()
        self._settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept.open()
        self._uv.cache.mkdir(parents=True, exist_ok=True)
        self._uv.sweep()
        self._store.open()

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
            self._background.start(self.evict())
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

    @property
    def total(self) -> tuple[int, int]:
        """How many layers are on disk, and their bytes; from memory."""
        return self._store.total

    def list(self) -> list[LayerInfo]:
        """The longest unused first."""
        return self._store.list()
