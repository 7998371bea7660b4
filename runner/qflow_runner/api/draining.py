"""How the runner stops: what is under way may finish, new work is refused, and a second signal waits for nothing."""

import asyncio
import time

from aiohttp import web

from qflow_runner.admission import stopping
from qflow_runner.api.routes import Handler
from qflow_runner.api.state import STATE

CALM_S = 0.25
"""After the last call, for those that belong to it: a node fetches the files of its run."""

BEGINNINGS = frozenset({"POST", "PUT"})


class Drain:
    """Counts the calls that must not be cut off: all but those that only watch."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._under_way = 0
        self._last = time.monotonic()
        self._changed = asyncio.Event()

    @property
    def begun(self) -> bool:
        return self.since is not None

    @property
    def under_way(self) -> int:
        return self._under_way

    def begin(self) -> None:
        self.since = self._last = time.monotonic()

    def enter(self) -> None:
        self._under_way += 1

    def leave(self) -> None:
        self._under_way -= 1
        self._last = time.monotonic()
        self._changed.set()

    async def quiet(self, seconds: float) -> bool:
        """Wait until nothing is under way. Whether that came within this time."""
        try:
            async with asyncio.timeout(seconds):
                while self._under_way or self._last + CALM_S > time.monotonic():
                    self._changed.clear()
                    if self._under_way:
                        await self._changed.wait()
                    else:
                        await asyncio.sleep(max(self._last + CALM_S - time.monotonic(), 0))
        except TimeoutError:
            return False
        return True


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Inside of the edge, which makes a problem document of what is raised here."""
    drain = request.app[STATE].drain
    if not request.path.startswith("/v1/") or request.path.endswith("/events"):
        return await handler(request)
    if drain.begun and request.method in BEGINNINGS:
        raise stopping()
    drain.enter()
    try:
        return await handler(request)
    finally:
        drain.leave()


async def say_goodbye(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer of a runner that stops: the caller's next call is better made anew."""
    if request.app[STATE].drain.begun:
        response.force_close()
        response.headers["Connection"] = "close"
