"""Worker threads for what may block: the event loop never touches the disk itself."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import structlog

from qflow_runner.background import Background
from qflow_runner.blobs import problem
from qflow_runner.errors import QflowError

log = structlog.get_logger()

Result = TypeVar("Result")


class Reader(Protocol):
    """Opens at the first read: whoever asked may be gone before a thread comes to it."""

    def next(self) -> bytes:
        """Empty at the end. May raise OSError."""
        ...

    def close(self) -> None: ...


class Disk:
    """Threads of its own, so that a slow disk holds up nothing but what is stored there."""

    def __init__(self, name: str, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._background = Background()

    async def call(self, function: Callable[..., Result], *args: Any) -> Result:
        """`function(*args)` in a thread. Raises DiskFull and DiskFailed in place of OSError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
        except OSError as error:
            raise problem(error) from error

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Let `work` run by itself; `close` waits for it."""
        self._background.start(_told(work))

    def call_later(self, function: Callable[..., Any], *args: Any) -> None:
        async def work() -> None:
            await self.call(function, *args)

        self.later(work())

    async def chunks(self, reader: Reader) -> AsyncGenerator[bytes]:
        """What `reader` has, read in threads. Closes it, also when nobody reads on."""
        waiting = None
        try:
            while True:
                waiting = self._pool.submit(reader.next)
                chunk = await asyncio.wrap_future(waiting)
                if not chunk:
                    return
                yield chunk
        except OSError as error:
            raise problem(error) from error
        finally:
            # A thread may still be in a read that nobody waits for: its descriptor must not go to another file.
            if waiting is not None:
                waiting.add_done_callback(lambda _: reader.close())

    async def close(self) -> None:
        await self._background.finish()
        await asyncio.to_thread(self._pool.shutdown)


async def _told(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except QflowError as error:
        log.warning("disk.failed", reason=error.detail)
