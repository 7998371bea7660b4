"""The tier on disk: bounded by size, the oldest goes first. Its bookkeeping belongs to the event loop."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from qflow_runner.cache import folder
from qflow_runner.cache.circuit import RETRY_S, Circuit, TierAway
from qflow_runner.cache.entry import Cached, Payload
from qflow_runner.cache.folder import Row, file_name
from qflow_runner.errors import DiskFull, QflowError
from qflow_runner.files.disk import Disk
from qflow_runner.files.tidy import Tidy

Result = TypeVar("Result")

READ_S = 1.0
"""A disk that takes longer is slower than most code."""

_WRITE_S = 15.0
_CLOSE_S = 5.0
_SWEEP_S = 300.0
_MAX_ENTRIES = 50_000
"""Bounds the time that a sweep takes, which is a few milliseconds then."""


class _NoRoom(TierAway):
    pass


class DiskTier:
    """No method raises. One `save` or `drop` at a time."""

    name = "disk"

    def __init__(
        self,
        path: Path,
        limit: int,
        sealed_max: int,
        *,
        now: Callable[[], float] = time.time,
        retry_s: float = RETRY_S,
    ) -> None:
        """`limit` and `sealed_max`, the size of one file at most, in bytes."""
        self.circuit = Circuit(self.name, self._load, retry_s)
        self._path = path
        self._limit = limit
        self._sealed_max = sealed_max
        self._now = now
        self._disk = Disk("qflow-results", threads=2)
        self._rows: dict[str, Row] = {}  # the oldest first
        self._total = 0
        self._tidy = Tidy(_SWEEP_S, self.sweep)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def total(self) -> int:
        """Bytes."""
        return self._total

    async def open(self) -> None:
        self.circuit.start()
        self._tidy.start()

    async def close(self) -> None:
        await self.circuit.stop()
        await self._tidy.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._disk.close()

    def may_have(self, key: str) -> bool:
        return self.circuit.closed and file_name(key) in self._rows

    async def load(self, key: str) -> Payload | None:
        name = file_name(key)
        try:
            content = await self._call(READ_S, folder.read, self._path, name, self._sealed_max)
        except TierAway as away:
            self.circuit.trip(str(away))
            return None
        if content is None:
            self._forget(name)
        return content

    async def save(self, key: str, sealed: Payload, cached: Cached) -> None:
        name, cost = file_name(key), folder.cost(len(sealed))
        if not self.circuit.closed or cost > self._limit:
            return
        gone = [name] if self._forget(name) else []
        gone += self._make_room(cost)
        try:
            await self._call(_WRITE_S, folder.write, self._path, name, sealed, cached.expires, gone)
        except _NoRoom as full:  # what is there can be read all the same
            self.circuit.slip(str(full))
        except TierAway as away:
            self.circuit.trip(str(away))
        else:
            self._rows[name] = Row(cost, cached.expires)
            self._total += cost

    async def drop(self, key: str) -> None:
        name = file_name(key)
        self._forget(name)
        await self._unlink([name])

    async def sweep(self) -> None:
        """Remove what has expired."""
        if not self.circuit.closed:
            return
        now = self._now()
        gone = [name for name, row in self._rows.items() if folder.outdated(row, now)]
        for name in gone:
            self._forget(name)
        await self._unlink(gone)

    async def _unlink(self, names: list[str]) -> None:
        try:
            await self._call(_WRITE_S, folder.unlink, self._path, names)
        except TierAway as away:
            self.circuit.trip(str(away))

    async def _load(self) -> None:
        """What is on the disk is what counts, also after writes of which nobody knows how they ended."""
        self._rows = await self._call(_WRITE_S, folder.listing, self._path)
        self._total = sum(row.cost for row in self._rows.values())
        await self._call(_WRITE_S, folder.unlink, self._path, self._make_room(0))

    async def _call(self, seconds: float, function: Callable[..., Result], *args: object) -> Result:
        """Raises TierAway, and _NoRoom for a disk that is full."""
        try:
            async with asyncio.timeout(seconds):
                return await self._disk.call(function, *args)
        except TimeoutError:
            raise TierAway(f"The disk did not answer within {seconds:g} s.") from None
        except DiskFull as error:
            raise _NoRoom(error.detail) from None
        except QflowError as error:
            raise TierAway(error.detail) from None

    def _make_room(self, cost: int) -> list[str]:
        """What has to go for it. Its rows are gone already."""
        gone: list[str] = []
        while self._rows and (self._total + cost > self._limit or len(self._rows) >= _MAX_ENTRIES):
            oldest = next(iter(self._rows))
            self._forget(oldest)
            gone.append(oldest)
        return gone

    def _forget(self, name: str) -> bool:
        """Whether there was one."""
        row = self._rows.pop(name, None)
        self._total -= row.cost if row is not None else 0
        return row is not None
