"""Something that is done from time to time, as long as the runner runs."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from qflow_runner.errors import QflowError

log = structlog.get_logger()


class Tidy:
    def __init__(self, every_s: float, work: Callable[[], Awaitable[object]]) -> None:
        self._every_s = every_s
        self._work = work
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await self._work()
            except QflowError as error:  # a disk that is away now may be back the next time
                log.warning("tidy.failed", reason=error.detail)
            try:
                async with asyncio.timeout(self._every_s):
                    await self._stop.wait()
            except TimeoutError:
                continue
