"""The tier in memory. Belongs to the event loop, and holds what is in use: the longest unused goes first."""

import sys
from collections import OrderedDict

from qflow_runner.cache.entry import Cached

_OVERHEAD = 1024
_MAX_ENTRIES = 20_000
"""Bounds the time that a sweep takes, which is about a millisecond then."""


class MemoryTier:
    def __init__(self, limit: int) -> None:
        """`limit` in bytes, with what the entries take beside their payloads; 0 keeps nothing."""
        self._limit = limit
        self._entries: OrderedDict[str, Cached] = OrderedDict()
        self._total = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def total(self) -> int:
        """Bytes."""
        return self._total

    def get(self, key: str, now: float) -> Cached | None:
        cached = self._entries.get(key)
        if cached is None:
            return None
        if not cached.fresh(now):
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return cached

    def put(self, key: str, cached: Cached) -> None:
        self._remove(key)
        cost = _cost(cached)
        if cost > self._limit:
            return
        self._entries[key] = cached
        self._total += cost
        while self._total > self._limit or len(self._entries) > _MAX_ENTRIES:
            self._remove(next(iter(self._entries)))

    def sweep(self, now: float) -> None:
        for key in [key for key, each in self._entries.items() if not each.fresh(now)]:
            self._remove(key)

    def _remove(self, key: str) -> None:
        cached = self._entries.pop(key, None)
        if cached is not None:
            self._total -= _cost(cached)


def _cost(cached: Cached) -> int:
    # Of a bytearray this is what is allocated, which may be more than its length.
    return sys.getsizeof(cached.payload) + _OVERHEAD
