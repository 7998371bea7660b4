"""Payloads that are too large to be held: they pass through, chunk by chunk, and a slow side makes the other wait."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable

from qflow_runner.errors import SandboxError

STREAMED_FROM = 1024 * 1024
"""Bytes; what is smaller is held whole, which is quicker."""

HELD = 2 * 1024 * 1024
"""Bytes that may wait in the runner before the guest has to."""

STALL_S = 60.0
"""How long a session may send nothing of what it announced."""


class BodyStream:
    """A body on its way to a session: `size` bytes, which `chunks` gives, and which bounds how long that may take."""

    def __init__(self, size: int, chunks: AsyncIterator[bytes]) -> None:
        self.size = size
        self.chunks = chunks


class ItemStream(ABC):
    """Items on their way to whoever asked: `size` bytes of a JSON array, read once by one reader."""

    size: int

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether all of it was read."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises QflowError when no more comes."""


class ResultStream(ItemStream):
    """A result on its way from a session. Fed by its connection, read by one reader."""

    def __init__(self, size: int, hold: Callable[[bool], None]) -> None:
        self.size = size
        self._hold = hold
        self._left = size
        self._waiting: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._news = asyncio.Event()
        self._lost: SandboxError | None = None

    @property
    def complete(self) -> bool:
        """Whether all of it was read: only then can its session take another run."""
        return not self._left and not self._waiting

    def feed(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        self._waiting.append(chunk)
        self._held += len(chunk)
        self._news.set()
        if self._held > HELD and not self._paused:
            self._paused = True
            self._hold(True)

    def fail(self, error: Exception | None) -> None:
        """Its connection is gone."""
        self._lost = SandboxError("The session ended before its result was complete.")
        self._lost.__cause__ = error
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises SandboxError when the session is gone, or sends nothing for too long."""
        while not self.complete:
            if not self._waiting:
                if self._lost is not None:
                    raise self._lost
                self._news.clear()
                try:
                    async with asyncio.timeout(STALL_S):
                        await self._news.wait()
                except TimeoutError:
                    raise SandboxError(f"The session sent nothing of its result for {STALL_S:g} s.") from None
                continue
            chunk = self._waiting.popleft()
            self._held -= len(chunk)
            if self._paused and self._held <= HELD // 2:
                self._paused = False
                self._hold(False)
            yield chunk
