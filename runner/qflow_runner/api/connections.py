"""Ends connections that do not say what they want. Those that did once are ended by aiohttp when they idle."""

import asyncio
import time

from aiohttp import web

FIRST_S = 30.0
"""How long a new connection may take for the first line and the headers of its first request."""
LOOK_S = 5.0


class Connections:
    def __init__(self) -> None:
        self._seen: dict[web.RequestHandler, float] = {}
        self._spoke: set[web.RequestHandler] = set()

    def spoke(self, connection: web.RequestHandler) -> None:
        """It sent a whole head of a request."""
        self._spoke.add(connection)

    def look(self, server: web.Server, first_s: float = FIRST_S) -> int:
        """Close those that are silent for too long. How many."""
        now = time.monotonic()
        there = set(server.connections)
        self._spoke &= there
        self._seen = {each: self._seen.get(each, now) for each in there - self._spoke}
        silent = [each for each, since in self._seen.items() if now - since >= first_s]
        for each in silent:
            each.force_close()
            if each.transport is not None:
                each.transport.abort()
        return len(silent)

    async def watch(self, server: web.Server) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look(server)


CONNECTIONS = web.AppKey("connections", Connections)
