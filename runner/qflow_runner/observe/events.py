"""What happens in an execution, for whoever watches it: the start, progress and end of its runs.

Nobody has to watch, and a watcher that is too slow misses the oldest of what it did not read, never delays a run.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

WAITING = 256
"""Events that a watcher may be behind."""

BUSY = 1_000
"""Runs whose newest state is remembered, for those who begin to watch while they last."""

ALL = ""
"""In place of an execution's name: what happens in all of them."""

Kind = Literal["started", "installing", "progress", "printed", "reading", "ended"]


@dataclass(frozen=True)
class Event:
    kind: Kind
    execution: str
    node: str
    about: dict[str, Any]


class Watcher:
    def __init__(self) -> None:
        self._waiting: deque[Event] = deque(maxlen=WAITING)
        self._news = asyncio.Event()

    def tell(self, event: Event) -> None:
        self._waiting.append(event)
        self._news.set()

    async def events(self, pause_s: float) -> AsyncGenerator[Event | None]:
        """The next event; None when there was none for `pause_s`, so that a reader can show that it is alive."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            self._news.clear()
            try:
                async with asyncio.timeout(pause_s):
                    await self._news.wait()
            except TimeoutError:
                yield None


class Events:
    def __init__(self) -> None:
        self.relays: list[Callable[[Event], None]] = []
        """Told of everything, whoever watches. They must not wait, nor raise."""
        self._watchers: dict[str, set[Watcher]] = {}
        self._busy: dict[tuple[str, str], Event] = {}
        """What is being installed for a run, or how far its code is: the newest, by execution and node."""

    @property
    def watchers(self) -> int:
        """Who watches an execution, or all of them."""
        return sum(map(len, self._watchers.values()))

    def tell(self, execution: str, kind: Kind, node: str, **about: Any) -> None:
        if kind in {"installing", "progress"}:
            self._busy.pop((execution, node), None)
            self._busy[execution, node] = Event(kind, execution, node, about)
            if len(self._busy) > BUSY:
                del self._busy[next(iter(self._busy))]
        elif kind == "ended":
            self._busy.pop((execution, node), None)
        if not self._watchers and not self.relays:
            return
        event = Event(kind, execution, node, about)
        for relay in self.relays:
            relay(event)
        for watched in (execution, ALL):
            for watcher in self._watchers.get(watched, ()):
                watcher.tell(event)

    @contextmanager
    def watched(self, execution: str) -> Generator[Watcher]:
        """Events from now on; first, how far those runs of it are that last."""
        watcher = Watcher()
        for event in self._busy.values():
            if event.execution == execution:
                watcher.tell(event)
        self._watchers.setdefault(execution, set()).add(watcher)
        try:
            yield watcher
        finally:
            watchers = self._watchers[execution]
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[execution]
