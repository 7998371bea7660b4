"""Deals the numbers of items out to workers, in order, so many at a time that handing out costs little."""

from typing import List

CHUNK_S = 0.02
"""What one hand-out should take: long enough to cost nothing, short enough that all workers end together."""

LEAST_S = 0.001
"""A hand-out that takes less would cost more than it evens out."""

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
        even = left // (2 * self._workers)
        if self._seconds:
            pace = self._items / self._seconds
            size = max(LEAST_S * pace, min(CHUNK_S * pace, even))
        else:
            size = min(FIRST, self._total // (8 * self._workers), even)
        return min(left, max(1, int(size)))
