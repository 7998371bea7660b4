"""The items of recorded runs, sealed on disk, so that a run can be made again. Written behind the reply."""

import asyncio
import contextlib
import time
from pathlib import Path

import structlog

from qflow_runner.cache import folder
from qflow_runner.cache.disk_tier import DiskTier
from qflow_runner.cache.entry import MAX_TTL_S, Cached, Payload
from qflow_runner.cache.sealing import seal, sealed_max, unseal
from qflow_runner.ending import end
from qflow_runner.errors import InputGone
from qflow_runner.files import Keys
from qflow_runner.settings import Settings

log = structlog.get_logger()

WAITING = 64
"""Inputs that may wait to be written; one more is not kept."""


class Inputs:
    """Which runs' items are kept is a setting: of none, of those that failed, or of all."""

    def __init__(self, settings: Settings, keys: Keys, owner: str) -> None:
        """In a cluster every process writes a directory of its own, called `owner`, and reads those of all."""
        self._which = settings.keep_inputs
        self._value_max = settings.cache_value_max_mb << 20
        self._keep_s = min(settings.run_days * 86_400, MAX_TTL_S)
        self._keys = keys
        self._shared = settings.shared_dir and settings.shared_dir / "inputs"
        path: Path = self._shared / owner if self._shared else settings.data_dir / "inputs"
        self._disk = DiskTier(path, settings.inputs_total_mb << 20, sealed_max(self._value_max))
        self._waiting: asyncio.Queue[tuple[str, Payload]] = asyncio.Queue(WAITING)
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._which != "off":
            if self._shared:
                await asyncio.to_thread(_sweep, self._shared)
            await self._disk.open()
            self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        if self._writer is None:
            return
        await self._waiting.join()
        await end([self._writer])
        await self._disk.close()

    def keep(self, run: str, payload: Payload, *, failed: bool) -> None:
        """Costs nothing where it is not wanted. What finds no place in the line is not kept, and the log says so."""
        if self._writer is None or len(payload) > self._value_max or not (failed or self._which == "all"):
            return
        try:
            self._waiting.put_nowait((run, payload))
        except asyncio.QueueFull:
            log.warning("inputs.not_kept", run=run)

    async def load(self, run: str) -> Payload:
        """Raises InputGone where they were not kept, or not any more."""
        await self._waiting.join()
        sealed = await self._disk.load(run) if self._writer is not None and self._disk.may_have(run) else None
        if sealed is None and self._shared:
            sealed = await asyncio.to_thread(_search, self._shared, run, sealed_max(self._value_max))
        found = await asyncio.to_thread(unseal, self._keys, run, sealed, self._value_max) if sealed else None
        if found is None:
            raise InputGone(f"The items of run {run} are not kept.")
        return found.payload

    async def _write(self) -> None:
        while True:
            run, payload = await self._waiting.get()
            try:
                now = time.time()
                entry = Cached(payload, 0, now, now + self._keep_s)
                await self._disk.save(run, await asyncio.to_thread(seal, self._keys, run, entry), entry)
            finally:
                self._waiting.task_done()


def _search(shared: Path, run: str, limit: int) -> bytes | None:
    """In the directories of all. Blocks."""
    name = folder.file_name(run)
    for owner in shared.iterdir() if shared.is_dir() else ():
        found = folder.read(owner, name, limit)
        if found is not None:
            return found
    return None


def _sweep(shared: Path) -> None:
    """What is too old, of processes that will not come back for it. Blocks."""
    now = time.time()
    for entry in shared.glob("*/*.entry"):
        with contextlib.suppress(FileNotFoundError):
            if entry.stat().st_mtime < now:  # when it expires
                entry.unlink()
