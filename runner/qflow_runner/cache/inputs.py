"""The items of recorded runs, sealed, so that a run can be made again. Written behind the reply."""

import asyncio
import time
from typing import Protocol

import structlog

from qflow_runner.background import end
from qflow_runner.blobs import blobs_for
from qflow_runner.cache.disk_tier import DiskTier
from qflow_runner.cache.entry import MAX_TTL_S, Cached, Payload
from qflow_runner.cache.folder import OVERHEAD
from qflow_runner.cache.sealing import seal, sealed_max, unseal
from qflow_runner.errors import InputGone, QflowError
from qflow_runner.files import Keys, Spill
from qflow_runner.settings import Settings

log = structlog.get_logger()

WAITING = 64
"""Inputs that may wait to be written; one more is not kept."""

_DAY_S = 86_400
_SPACE = "inputs"


class Kept(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def save(self, run: str, payload: Payload) -> None: ...

    async def load(self, run: str) -> Payload | None: ...


class Inputs:
    """Which runs' items are kept is a setting: of none, of those that failed, or of all."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._which = settings.keep_inputs
        self._value_max = settings.cache_value_max_mb << 20
        self._kept: Kept = (_Shared if settings.shared else _Own)(settings, keys)
        self._waiting: asyncio.Queue[tuple[str, Payload]] = asyncio.Queue(WAITING)
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._which != "off":
            await self._kept.open()
            self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        if self._writer is None:
            return
        await self._waiting.join()
        await end([self._writer])
        await self._kept.close()

    def keep(self, run: str, payload: Payload, *, failed: bool) -> None:
        """Costs nothing where it is not wanted. What finds no place in the line is not kept, and the log says so."""
        if self._writer is None or len(payload) > self._value_max or not (failed or self._which == "all"):
            return
        try:
            self._waiting.put_nowait((run, payload))
        except asyncio.QueueFull:
            log.warning("inputs.not_kept", run=run)

    async def load(self, run: str) -> Payload:
        """Raises InputGone where they were not kept, or not any more; and DiskFailed."""
        await self._waiting.join()
        found = await self._kept.load(run) if self._writer is not None else None
        if found is None:
            raise InputGone(f"The items of run {run} are not kept.")
        return found

    async def _write(self) -> None:
        while True:
            run, payload = await self._waiting.get()
            try:
                await self._kept.save(run, payload)
            except QflowError as error:
                log.warning("inputs.not_kept", run=run, reason=error.detail)
            finally:
                self._waiting.task_done()


class _Own:
    """On the disk of the only runner there is."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._keys = keys
        self._value_max = settings.cache_value_max_mb << 20
        self._keep_s = min(settings.run_days * _DAY_S, MAX_TTL_S)
        path = settings.data_dir / "inputs"
        self._disk = DiskTier(path, settings.inputs_total_mb << 20, sealed_max(self._value_max))

    async def open(self) -> None:
        await self._disk.open()

    async def close(self) -> None:
        await self._disk.close()

    async def save(self, run: str, payload: Payload) -> None:
        now = time.time()
        entry = Cached(payload, 0, now, now + self._keep_s)
        await self._disk.save(run, await asyncio.to_thread(seal, self._keys, run, entry), entry)

    async def load(self, run: str) -> Payload | None:
        sealed = await self._disk.load(run) if self._disk.may_have(run) else None
        found = await asyncio.to_thread(unseal, self._keys, run, sealed, self._value_max) if sealed else None
        return found.payload if found else None


class _Shared:
    """Where every process of the cluster finds what another one kept."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._store = Spill(
            settings,
            keys,
            blobs=blobs_for(settings, "inputs"),
            days=settings.run_days,
            total_mb=settings.inputs_total_mb,
            overhead=OVERHEAD,
            once=True,
        )

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def save(self, run: str, payload: Payload) -> None:
        writer = self._store.writer(_SPACE, run, {})
        try:
            writer.write(payload)
            await writer.finish()
        finally:
            writer.abort()

    async def load(self, run: str) -> Payload | None:
        value = await self._store.find(_SPACE, run)
        if value is None:
            return None
        return b"".join([chunk async for chunk in self._store.read(value)])
