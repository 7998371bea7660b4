"""How late the event loop is: everything in the runner waits at least so long."""

import asyncio
from collections import deque

from qflow_runner.observe import metrics

EVERY_S = 0.5
KEPT = 120
"""Measurements: a minute of them."""
MUCH_S = 0.5


class LoopLag:
    def __init__(self) -> None:
        self._measured: deque[float] = deque(maxlen=KEPT)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def most_s(self) -> float:
        """In the last minute."""
        return max(self._measured, default=0.0)

    @property
    def ok(self) -> bool:
        """Whether it was much late in the last seconds; one slow moment is none."""
        return sum(lag > MUCH_S for lag in list(self._measured)[-10:]) < 3

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + EVERY_S
        self._timer = loop.call_at(due, self._measure, due)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _measure(self, due: float) -> None:
        lag = max(asyncio.get_running_loop().time() - due, 0.0)
        self._measured.append(lag)
        metrics.LOOP_LAG.set(lag)
        self.open()
