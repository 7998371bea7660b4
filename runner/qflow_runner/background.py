"""Tasks that nobody awaits, and the end of those that go on until they are told."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

AGAIN_S = 1.0


class Background:
    """Holds tasks while they go on, which the event loop does not. What one raises is in the log as asyncio tells it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until all have ended by themselves, also those that are started meanwhile."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def end(self) -> None:
        """Cancel them, and wait until they have ended."""
        await end(self._tasks)

    def cancel(self) -> None:
        """And do not wait."""
        for task in self._tasks:
            task.cancel()


async def end(tasks: Iterable[asyncio.Future[Any] | None]) -> None:
    """Cancel them, and wait until they have ended. None is a task that was never begun.

    Once is not enough: `asyncio.wait_for`, before Python 3.12, forgets a cancellation that comes in the moment in which
    what it waits for is done (CPython gh-86296), and Redis' client puts it around each call.
    """
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
