"""While Docker is away: one short question for all who want something of it, instead of a long wait for each.

It is the opposite of the cache's circuit, whose callers go on without: here they need an answer, and the first one
that comes when Docker is back should be served. So nothing is timed, and nothing runs in the background: whoever
calls asks, together with all who call at the same moment. The pool's pauses between boots see to it that this is seldom.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from qflow_runner.errors import DockerUnavailable

log = structlog.get_logger()


class Outage:
    """Lives in one event loop. `probe` has its own deadline, and raises DockerUnavailable."""

    def __init__(self, probe: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._probe = probe
        self._since: float | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def lasts(self) -> bool:
        return self._since is not None

    def began(self, error: DockerUnavailable) -> None:
        """A call met it."""
        if self._since is None:
            self._since = time.time()
            log.warning("docker.away", reason=error.detail)

    async def over(self) -> None:
        """Called before each call: returns at once where there is none. Raises DockerUnavailable while it lasts."""
        since = self._since
        if since is None:
            return
        if self._asking is None:
            self._asking = asyncio.create_task(self._probe())
            self._asking.add_done_callback(self._asked)
        try:
            await asyncio.shield(self._asking)
        except DockerUnavailable as error:
            clock = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(since))
            raise DockerUnavailable(f"{error.detail.removesuffix('.')}, since {clock}.") from None

    def _asked(self, asking: asyncio.Task[None]) -> None:
        self._asking = None
        if asking.cancelled() or asking.exception() is not None or self._since is None:
            return
        log.info("docker.back", away_s=round(time.time() - self._since, 1))
        self._since = None
