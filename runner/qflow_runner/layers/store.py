"""The finished layers on disk: which there are, that they are unchanged, who uses them, and which go.

A layer is in use while a process holds a shared lock on its file in `.state`; that file's time is its last use.
So a runner and a command that work on the same directory do not take each other's layers away.
"""

import fcntl
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from pydantic import ValidationError

from qflow_runner.errors import LayerInUse, LayerUnknown
from qflow_runner.layers import tree
from qflow_runner.layers.build import FORMAT, RECORD
from qflow_runner.layers.model import Layer, LayerInfo, Record
from qflow_runner.layers.scratch import STATE, is_layer_id, put_aside, sweep

log = structlog.get_logger()

STATE_KEPT_S = 86_400.0
RECENT_S = 60.0
"""A layer that was asked for so lately is not evicted: its caller may be about to hold it."""


class LayerStore:
    """Its methods touch the disk and may be called in threads, except those that say otherwise."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._records: dict[str, Record] = {}
        self._marked: dict[str, int] = {}
        self._held: dict[str, tuple[int, int]] = {}
        self._guard = threading.Lock()

    def open(self) -> None:
        """Make the directories, and remove what builds that were cut off left. Called once, before all else."""
        self.directory.mkdir(parents=True, exist_ok=True)
        # A guest knows the layer that it was given, and cannot see which others there are.
        self.directory.chmod(0o711)
        (self.directory / STATE).mkdir(mode=0o700, exist_ok=True)
        gone = sweep(self.directory)
        if gone:
            log.info("layers.swept", gone=gone)
        present = {path.name for path in self.directory.iterdir() if is_layer_id(path.name)}
        for layer in present:
            self.load(layer)
        for path in (self.directory / STATE).iterdir():
            if path.name not in present and time.time() - path.stat().st_mtime > STATE_KEPT_S:
                path.unlink(missing_ok=True)

    def load(self, layer: str) -> Record | None:
        """The record of a finished layer, from its marker. None when there is none that this version can use."""
        path = self.directory / layer / tree.MARKER
        try:
            record = RECORD.validate_json(path.read_bytes())
        except FileNotFoundError:
            record = None
        except (ValidationError, OSError) as error:
            log.warning("layer.unreadable", layer=layer, reason=str(error).splitlines()[0])
            record = None
        if record is None or record.id != layer or record.format != FORMAT:
            self._records.pop(layer, None)
            return None
        self._records[layer] = record
        self._marked[layer] = path.stat().st_mtime_ns
        return record

    def record(self, layer: str) -> Record | None:
        """From memory; touches no disk."""
        return self._records.get(layer)

    def present(self, layer: str) -> bool:
        """Whether the one in memory is still there: another process may have removed or rebuilt it. Microseconds."""
        try:
            return (self.directory / layer / tree.MARKER).stat().st_mtime_ns == self._marked.get(layer)
        except OSError:
            return False

    def layer(self, record: Record) -> Layer:
        return Layer(
            record.id,
            record.lock.python,
            self.directory / record.id,
            record.lock.packages,
            record.modules,
            record.bytes,
        )

    def made_for(self, requirements: frozenset[str], python: str, platform: str) -> Record | None:
        """The last used of the layers whose lock's requirements are these and perhaps more."""
        records = [
            record
            for record in list(self._records.values())
            if record.lock.python == python
            and record.platform == platform
            and requirements <= set(record.lock.requirements)
        ]
        return max(records, key=lambda record: self._info(record).used, default=None)

    def check(self, record: Record, *, whole: bool) -> bool:
        """Whether its files are those that were built; see tree.check. Says in the log why not."""
        try:
            tree.check(self.directory / record.id, record.manifest, whole=whole)
        except tree.Unsound as error:
            log.warning("layer.changed", layer=record.id, reason=str(error))
            return False
        return True

    def forget(self, layer: str) -> None:
        """Use it no more; touches no disk."""
        self._records.pop(layer, None)

    @contextmanager
    def hold(self, layer: str) -> Generator[None]:
        """In use, and never removed, until the end. Microseconds; raises LayerUnknown."""
        with self._guard:
            descriptor, count = self._held.get(layer) or (self._lock(layer), 0)
            self._held[layer] = (descriptor, count + 1)
        try:
            yield
        finally:
            with self._guard:
                descriptor, count = self._held[layer]
                if count > 1:
                    self._held[layer] = (descriptor, count - 1)
                else:
                    del self._held[layer]
                    os.utime(descriptor)
                    os.close(descriptor)

    def touch(self, layer: str) -> None:
        """It was asked for just now."""
        path = self._state(layer)
        path.touch(mode=0o600)
        os.utime(path)

    def remove(self, layer: str) -> None:
        """Raises LayerUnknown, and LayerInUse when this or another process holds it."""
        if not is_layer_id(layer) or not (self.directory / layer).is_dir():
            self.forget(layer)
            raise LayerUnknown(f"There is no layer {layer[:40]}.")
        with self._guard:
            if layer in self._held:
                raise LayerInUse(f"The layer {layer} is in use.")
        descriptor = os.open(self._state(layer), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.forget(layer)
            aside = put_aside(self.directory, layer)
        except BlockingIOError:
            raise LayerInUse(f"The layer {layer} is in use.") from None
        finally:
            os.close(descriptor)
        if aside is not None:
            tree.remove(aside)

    def evict(self, max_bytes: int, max_age_s: float) -> list[str]:
        """Remove those unused for too long, then the longest unused until the rest fits; ids of what went."""
        now = time.time()
        gone: list[str] = []
        infos = self.list()
        total = sum(info.bytes for info in infos)
        for info in infos:
            idle = now - info.used
            if info.held or idle < RECENT_S or (idle <= max_age_s and total <= max_bytes):
                continue
            with suppress(LayerInUse, LayerUnknown):
                self.remove(info.id)
                total -= info.bytes
                gone.append(info.id)
                log.info("layer.evicted", layer=info.id, mb=info.bytes >> 20, idle_s=round(idle))
        return gone

    def close(self) -> None:
        with self._guard:
            for descriptor, _ in self._held.values():
                os.close(descriptor)
            self._held.clear()

    def _info(self, record: Record) -> LayerInfo:
        try:
            used = max(record.built, self._state(record.id).stat().st_mtime)
        except FileNotFoundError:
            used = record.built
        with self._guard:
            held = self._held.get(record.id, (0, 0))[1]
        lock = record.lock
        return LayerInfo(
            record.id,
            lock.python,
            lock.packages,
            record.modules,
            record.bytes,
            record.built,
            used,
            held,
            record.warnings,
        )

    def _lock(self, layer: str) -> int:
        if layer not in self._records:
            raise LayerUnknown(f"There is no layer {layer[:40]}.")
        descriptor = os.open(self._state(layer), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise LayerUnknown(f"The layer {layer} is just being removed.") from None
        if not (self.directory / layer).is_dir():
            os.close(descriptor)
            self.forget(layer)
            raise LayerUnknown(f"The layer {layer} was removed.")
        return descriptor

    def _state(self, layer: str) -> Path:
        return self.directory / STATE / layer

    @property
    def total(self) -> tuple[int, int]:
        """How many, and their bytes; from memory."""
        records = list(self._records.values())
        return len(records), sum(record.bytes for record in records)

    def list(self) -> list[LayerInfo]:
        return sorted(
            (self._info(record) for record in list(self._records.values())), key=lambda each: each.used
        )
