"""The end of tasks that go on until they are told."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 1.0


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
