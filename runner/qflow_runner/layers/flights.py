"""Work that several callers may want at once, and that is done once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from qflow_runner.background import end
from qflow_runner.errors import BuildKilled, DependencyError

T = TypeVar("T")


class Flights(Generic[T]):
    """Running work by key. A caller that is cancelled leaves it running: others may wait, and it ends by itself."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[T]] = {}

    async def run(self, key: str, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(start())
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        try:
            return await asyncio.shield(task)
        except DependencyError as error:
            # Whoever catches it adds his own node to it: each caller has one of his own.
            raise error.again() from error
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if task.cancelled() and not (current and current.cancelling()):
                raise BuildKilled("The runner stopped while packages were being installed.") from None
            raise

    async def settled(self, key: str) -> None:
        """Wait until no such work is running, however it ends."""
        task = self._tasks.get(key)
        if task is not None:
            await asyncio.wait([task])

    async def close(self) -> None:
        await end(self._tasks.values())

    def _done(self, key: str, task: asyncio.Task[T]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled():
            # Looked at, so that one whose callers all went away is not reported as forgotten.
            task.exception()
