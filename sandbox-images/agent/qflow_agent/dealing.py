"""Deals the numbers of items out to workers, in order, so many at a time that handing out costs little."""

from typing import List

CHUNK_S = 0.02
"""What one hand-out should take: long enough to cost nothing, short enough that all workers end together."""

FIRST = 64
"""Items at most, as long as it is not known how long one takes."""


class Dealer:
    def __init__(self, total: int, workers: int) -> None:
        self._total = total
        self._workers = workers
        self._next = 0
        self._returned: List[range] = []
        self._seconds = 0.0
        self._items = 0

    def take(self) -> range:
        """The next items; empty where there are none."""
        if self._returned:
            return self._returned.pop()
        start, self._next = self._next, self._next + self._size()
        return range(start, self._next)

    def give_back(self, chunk: range) -> None:
        """What a worker did not begin."""
        if chunk:
            self._returned.append(chunk)

    def took(self, items: int, seconds: float) -> None:
        """How long it was until a worker asked for more."""
        self._items += items
        self._seconds += seconds

    def _size(self) -> int:
        left = self._total - self._next
        if self._seconds:
            most = CHUNK_S * self._items / self._seconds
        else:
            most = min(FIRST, self._total // (8 * self._workers))
        return min(left, max(1, int(min(most, left // (2 * self._workers)))))
