"""How far builds are, for whoever wants to watch."""

import asyncio
from collections.abc import AsyncIterator

from qflow_runner.layers.model import BuildProgress

FINISHED = frozenset({"done", "failed"})
KEPT = 200


class ProgressBoard:
    """The newest progress of each piece of work. The last word of finished ones is kept for a while."""

    def __init__(self) -> None:
        self._now: dict[str, BuildProgress] = {}
        self._changed: dict[str, asyncio.Event] = {}

    def tell(self, progress: BuildProgress) -> None:
        self._now.pop(progress.id, None)
        self._now[progress.id] = progress
        event = self._changed.pop(progress.id, None)
        if event is not None:
            event.set()
        if progress.phase in FINISHED and len(self._now) > KEPT:
            finished = [key for key, each in self._now.items() if each.phase in FINISHED]
            for key in finished[:-KEPT]:
                del self._now[key]

    def get(self, key: str) -> BuildProgress | None:
        return self._now.get(key)

    async def events(self, key: str) -> AsyncIterator[BuildProgress]:
        """The state now, and each newer one that a reader is in time for, to the end. Ends at once without any work."""
        seen: BuildProgress | None = None
        while (now := self._now.get(key)) is not None:
            if now is not seen:
                seen = now
                yield now
                continue
            if now.phase in FINISHED:
                return
            await self._changed.setdefault(key, asyncio.Event()).wait()
