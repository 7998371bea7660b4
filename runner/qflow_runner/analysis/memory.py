"""A bounded memory of analyses, in which each is made once however many ask for it at the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from qflow_runner.background import end

Value = TypeVar("Value")


@dataclass(frozen=True)
class Made(Generic[Value]):
    value: Value
    weight: int
    """In bytes, roughly."""
    lasting: bool = True
    """False for what another moment might answer better; it is kept for a short while."""


class Memory(Generic[Value]):
    """The least recently used is forgotten first."""

    def __init__(self, entries: int, weight: int, short_s: float) -> None:
        self._entries = entries
        self._max_weight = weight
        self._short_s = short_s
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[Made[Value], float | None]] = OrderedDict()
        self._flights: dict[Hashable, asyncio.Task[Value]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Made[Value]]]) -> Value:
        kept = self._kept.get(key)
        if kept is not None:
            made, until = kept
            if until is None or asyncio.get_running_loop().time() < until:
                self._kept.move_to_end(key)
                return made.value
            self._forget(key)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._make(key, make))
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        # Who stops waiting does not take the answer away from the others.
        return await asyncio.shield(flight)

    async def close(self) -> None:
        await end(self._flights.values())

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Made[Value]]]) -> Value:
        made = await make()
        until = None if made.lasting else asyncio.get_running_loop().time() + self._short_s
        self._kept[key] = (made, until)
        self._weight += made.weight
        while len(self._kept) > self._entries or (self._weight > self._max_weight and len(self._kept) > 1):
            self._forget(next(iter(self._kept)))
        return made.value

    def _forget(self, key: Hashable) -> None:
        made, _ = self._kept.pop(key)
        self._weight -= made.weight
