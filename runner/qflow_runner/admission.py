"""Which runs may begin: so many at once, so many of one workflow, and so many bytes of their bodies.

A run that has to wait does so before its body is read, so its items stay in the socket and cost no memory here.
Workflows take turns: one with a thousand waiting runs does not hold up another with one.
"""

import asyncio
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from qflow_runner.errors import Busy, Unavailable
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings

FIRST_GUESS_S = 1.0
"""How long a run takes, until some have been measured."""
LONGEST_WAIT_S = 60


@dataclass(frozen=True)
class AdmissionLimits:
    """`waiting` and `waiting_per_workflow` are runs that wait, `bytes` the bodies of those that run."""

    runs: int
    per_workflow: int
    waiting: int
    waiting_per_workflow: int
    bytes: int


@dataclass(eq=False)
class _Waiter:
    size: int
    let_in: asyncio.Future[None]


class Admission:
    """Lives in one event loop."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._running: Counter[str] = Counter()
        self._runs = 0
        self._bytes = 0
        self._line: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        self._waiting = 0
        self._run_s = FIRST_GUESS_S
        self._stopping = False

    @property
    def runs(self) -> int:
        return self._runs

    @property
    def places(self) -> int:
        return self._limits.runs

    @property
    def waiting(self) -> int:
        return self._waiting

    @property
    def bytes(self) -> int:
        """Of the bodies of what runs."""
        return self._bytes

    @property
    def workflows(self) -> int:
        """Workflows that something is remembered of: those with a run here."""
        return len(self._running.keys() | self._line.keys())

    def describe(self) -> str:
        return (
            f"{self._runs} of {self._limits.runs} runs, {self._waiting} waiting,"
            f" {self._bytes >> 20} MB of their items in memory"
        )

    @asynccontextmanager
    async def place(self, workflow: str, size: int, wait_s: float) -> AsyncGenerator[float]:
        """A place for one run with a body of so many bytes, and the seconds that it waited for that.

        Raises Busy, and Unavailable when the runner stops.
        """
        came = time.monotonic()
        size = min(size, self._limits.bytes)
        if self._at_once(workflow, size):
            self._take(workflow, size)
        else:
            await self._wait(workflow, size, wait_s)
        began = time.monotonic()
        try:
            yield began - came
        finally:
            self._run_s += (time.monotonic() - began - self._run_s) / 16
            self._give_back(workflow, size)

    def resize(self, runs: int, per_workflow: int) -> None:
        """So many at once from now on: workers of a cluster come and go."""
        if (runs, per_workflow) != (self._limits.runs, self._limits.per_workflow):
            self._limits = replace(self._limits, runs=runs, per_workflow=per_workflow)
            self._let_in()

    def stop(self) -> None:
        """From now on nobody is let in, and who waits is told."""
        self._stopping = True
        for waiters in list(self._line.values()):
            for waiter in waiters:
                if not waiter.let_in.done():
                    waiter.let_in.set_exception(stopping())

    async def _wait(self, workflow: str, size: int, wait_s: float) -> None:
        if self._stopping:
            raise stopping()
        waiters = self._line.get(workflow)
        if self._waiting >= self._limits.waiting:
            raise self._busy(f"{self._waiting} runs wait already", "queue_full")
        if waiters is not None and len(waiters) >= self._limits.waiting_per_workflow:
            raise self._busy(f"{len(waiters)} runs of this workflow wait already", "workflow_queue_full")
        waiter = _Waiter(size, asyncio.get_running_loop().create_future())
        self._line.setdefault(workflow, deque()).append(waiter)
        self._waiting += 1
        self._let_in()
        try:
            async with asyncio.timeout(wait_s):
                await waiter.let_in
        except (TimeoutError, asyncio.CancelledError) as error:
            let_in = waiter.let_in
            if let_in.done() and not let_in.cancelled() and let_in.exception() is None:
                self._give_back(workflow, size)  # it was let in at the very moment in which it went away
            if isinstance(error, TimeoutError):
                raise self._busy(f"Other runs were in the way for {wait_s:g} s", "waited_too_long") from None
            raise
        finally:
            self._leave(workflow, waiter)

    def _leave(self, workflow: str, waiter: _Waiter) -> None:
        waiters = self._line.get(workflow)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            self._waiting -= 1
            if not waiters:
                del self._line[workflow]
            self._let_in()  # it may have been in others' way

    def _give_back(self, workflow: str, size: int) -> None:
        self._runs -= 1
        self._bytes -= size
        self._running[workflow] -= 1
        if not self._running[workflow]:
            del self._running[workflow]
        self._let_in()

    def _at_once(self, workflow: str, size: int) -> bool:
        """Whether it goes before nobody who waits for the room that it takes."""
        if self._stopping or not self._fits(workflow, size):
            return False
        return all(self._running[other] >= self._limits.per_workflow for other in self._line)

    def _fits(self, workflow: str, size: int) -> bool:
        limits = self._limits
        return (
            self._runs < limits.runs
            and self._running[workflow] < limits.per_workflow
            and self._bytes + size <= limits.bytes
        )

    def _take(self, workflow: str, size: int) -> None:
        self._runs += 1
        self._bytes += size
        self._running[workflow] += 1

    def _let_in(self) -> None:
        """One of each workflow in turn. A large body is not overtaken by small ones: it would wait for ever."""
        let_in = not self._stopping
        while let_in and self._runs < self._limits.runs:
            let_in = False
            for workflow, waiters in list(self._line.items()):
                if self._running[workflow] >= self._limits.per_workflow:
                    continue
                if not self._fits(workflow, waiters[0].size):
                    return
                waiter = waiters.popleft()
                self._waiting -= 1
                if waiters:
                    self._line.move_to_end(workflow)
                else:
                    del self._line[workflow]
                if not waiter.let_in.done():
                    self._take(workflow, waiter.size)
                    waiter.let_in.set_result(None)
                let_in = True

    def _busy(self, why: str, reason: str) -> Busy:
        metrics.REFUSED.labels(reason=reason).inc()
        seconds = math.ceil(self._run_s * (self._waiting + 1) / self._limits.runs)
        return Busy(f"{why}; the runner does {self._limits.runs} at once.", retry_after_s=seconds)


def stopping() -> Unavailable:
    return Unavailable("The runner is stopping.", hint="Call again when it is back.")


def admission_limits(settings: Settings) -> AdmissionLimits:
    return AdmissionLimits(
        runs=settings.runs_max,
        per_workflow=settings.runs_per_workflow,
        waiting=settings.queue_max,
        waiting_per_workflow=settings.queue_per_workflow,
        bytes=settings.bodies_mb << 20,
    )
