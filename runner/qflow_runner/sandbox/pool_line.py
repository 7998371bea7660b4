"""The line of leases that wait for a sandbox: first come, first served, per key and between keys."""

import heapq
from dataclasses import dataclass, field

from qflow_runner.sandbox.pool_events import Key

SPARE_DEADLINES = 256
"""Deadlines of leases that left, which may lie in the heap beside as many as there are of those that wait."""


@dataclass(slots=True, eq=False)
class Queue:
    """The leases of one key; they wait for one sandbox together.

    Attributes:
        leases: In order of arrival; a dict because any of them may leave.
        boot: The sandbox that boots for them, if one does.
        boot_failed: One boot failed already, the next failure is told.
    """

    key: Key
    leases: dict[int, None] = field(default_factory=dict[int, None])
    boot: str | None = None
    boot_failed: bool = False


class Line:
    """Queues in order of their first arrival. An empty queue is not kept."""

    def __init__(self) -> None:
        self._queues: dict[Key, Queue] = {}
        self._queue_of: dict[int, Queue] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __bool__(self) -> bool:
        return bool(self._queues)

    def has(self, key: Key) -> bool:
        return key in self._queues

    def queues(self) -> list[Queue]:
        """A copy, so that queues may leave while it is walked."""
        return list(self._queues.values())

    def join(self, lease: int, key: Key, deadline: float) -> None:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = Queue(key)
        queue.leases[lease] = None
        self._queue_of[lease] = queue
        heapq.heappush(self._deadlines, (deadline, lease))
        if len(self._deadlines) > 2 * len(self._queue_of) + SPARE_DEADLINES:
            self._deadlines = [each for each in self._deadlines if each[1] in self._queue_of]
            heapq.heapify(self._deadlines)

    def leave(self, lease: int) -> Queue | None:
        """The queue that the lease stood in, perhaps empty now and no longer in the line; None if it did not wait."""
        queue = self._queue_of.pop(lease, None)
        if queue is not None:
            del queue.leases[lease]
            if not queue.leases:
                del self._queues[queue.key]
        return queue

    def remove(self, queue: Queue) -> None:
        """All of its leases are answered."""
        for lease in queue.leases:
            del self._queue_of[lease]
        del self._queues[queue.key]

    def next_deadline(self) -> float | None:
        # Leases leave in any order; their deadlines are dropped only when they come up, which keeps leaving cheap.
        while self._deadlines and self._deadlines[0][1] not in self._queue_of:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def overdue(self, now: float) -> tuple[int, Queue] | None:
        """A lease that waits and whose deadline has come."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        lease = self._deadlines[0][1]
        return lease, self._queue_of[lease]
