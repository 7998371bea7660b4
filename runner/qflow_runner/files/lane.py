"""From the event loop to a file: chunks queue up, one worker thread at a time takes all that wait."""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from qflow_runner.blobs import Buffer
from qflow_runner.errors import DiskFailed, QflowError, UploadBroken
from qflow_runner.files.disk import Disk

Result_co = TypeVar("Result_co", covariant=True)

HIGH = 2 * 1024 * 1024
"""Bytes that may wait before whoever sends is asked to pause."""

MANY = 256
"""Chunks that may wait: a million of one byte each take more memory than their bytes."""


class Sink(Protocol[Result_co]):
    """What a thread does with the chunks. One call at a time; any may raise OSError."""

    def write(self, chunks: list[Buffer]) -> None: ...

    def finish(self) -> Result_co: ...

    def discard(self) -> None:
        """Leave nothing. May come at any time after the last call, also after a failed one."""
        ...


class Lane(Generic[Result_co]):
    """`write` queues, `drain` waits for room, and exactly one of `finish` and `abort` ends it."""

    def __init__(self, disk: Disk, sink: Sink[Result_co], ended: Callable[[bool], None]) -> None:
        """`ended` is told that the sink is done with its disk, and whether it has finished."""
        self._disk = disk
        self._sink = sink
        self._ended = ended
        self._pending: list[Buffer] = []
        self._queued = 0
        self._error: QflowError | None = None
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._moved = asyncio.Event()
        self._over = False
        self._finishing: asyncio.Future[Result_co] | None = None

    @property
    def full(self) -> bool:
        return self._queued > HIGH or len(self._pending) > MANY

    def write(self, chunk: Buffer) -> None:
        """The chunk is kept, not copied. Raises DiskFull or DiskFailed when an earlier one could not be written."""
        self._check()
        if self._over or not chunk:
            return
        self._pending.append(chunk)
        self._queued += len(chunk)
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._disk.later(self._work())

    async def drain(self) -> None:
        """Wait until more may be sent. Raises as `write` does."""
        while self.full and self._error is None and not self._over:
            self._moved.clear()
            await self._moved.wait()
        self._check()

    async def finish(self) -> Result_co:
        """Raises as `write` does, and then nothing is left."""
        if self._over:
            raise UploadBroken("It was given up before its end.")
        try:
            await self._idle.wait()
            self._check()
            self._finishing = asyncio.ensure_future(self._disk.call(self._sink.finish))
            result = await asyncio.shield(self._finishing)
        except BaseException:
            self.abort()
            raise
        self._over = True
        self._ended(True)
        return result

    def abort(self) -> None:
        """Leave nothing. Does not wait; may be called again."""
        if not self._over:
            self._over = True
            self._pending.clear()
            self._queued = 0
            self._moved.set()
            self._disk.later(self._discard())

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def _work(self) -> None:
        written = False
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                await self._disk.call(self._sink.write, batch)
                self._queued -= min(self._queued, sum(map(len, batch)))
                self._moved.set()
            written = True
        except QflowError as error:
            self._error = error
        finally:
            if not written:
                self._error = self._error or DiskFailed("The runner did not write all that came.")
                self._pending.clear()
            self._busy = False
            self._idle.set()
            self._moved.set()

    async def _discard(self) -> None:
        await self._idle.wait()
        # Whoever waited for the end may have been cancelled, but its thread goes on.
        if self._finishing is not None:
            await asyncio.wait({self._finishing})
        try:
            await self._disk.call(self._sink.discard)
        finally:
            self._ended(False)
