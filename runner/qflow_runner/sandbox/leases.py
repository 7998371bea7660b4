"""Runs that wait for their workflow's sandbox, until the pool grants or refuses them one."""

import asyncio
import itertools
from collections.abc import Callable

from qflow_runner.errors import Busy, QflowError, SandboxError, Unavailable
from qflow_runner.sandbox import pool as pools


class Leases:
    def __init__(self, handle: Callable[[pools.Event], None]) -> None:
        """`handle` takes what is to be decided; the pool's answer comes by `grant` or `refuse`, at once or later."""
        self._handle = handle
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[str]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def wanted(self, key: pools.Key, until: float) -> tuple[int, str]:
        """A lease's number and its sandbox. Raises Busy, Unavailable, SandboxError, and what a boot failed with."""
        lease = next(self._numbers)
        granted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[lease] = granted
        self._handle(pools.LeaseWanted(lease, key, until))
        try:
            return lease, granted.result() if granted.done() else await granted
        except asyncio.CancelledError:
            self._handle(pools.LeaseAbandoned(lease))
            raise
        finally:
            self._waiting.pop(lease, None)

    def grant(self, lease: int, sandbox: str) -> None:
        waiting = self._waiting.get(lease)
        if waiting is not None and not waiting.done():
            waiting.set_result(sandbox)
        else:
            self._handle(pools.LeaseReturned(lease))

    def refuse(self, action: pools.Refuse, failure: QflowError | None) -> None:
        """`failure` is what the last boot failed with."""
        waiting = self._waiting.get(action.lease)
        if waiting is None or waiting.done():
            return
        match action.reason:
            case "full":
                error: QflowError = Busy("Every sandbox is in use.")
            case "deadline":
                error = Busy(action.detail)
            case "draining":
                error = Unavailable("The runner is stopping.", hint="Call again when it is back.")
            case "boot_failed":
                error = again(failure) if failure else SandboxError(action.detail)
        waiting.set_exception(error)


def again(failure: QflowError) -> QflowError:
    """The same failure for another caller, without what the first one's traceback holds on to."""
    return type(failure)(failure.detail, hint=failure.hint)
