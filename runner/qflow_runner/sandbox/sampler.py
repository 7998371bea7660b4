"""Looks at the processes of the runs that last, a few times a second, in a thread of its own.

While no run lasts, nothing happens. A run that is over before the next look costs nothing here. Looking takes at most a
fifth of that thread's time, whatever a sandbox is full of.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from qflow_runner.sandbox.cgroups import Group
from qflow_runner.sandbox.readings import Sample, cpu_clock, look, reset_peak

EVERY_S = 0.2
PAUSE = 4
"""A pause is at least so many times as long as the look before it."""


class Watched:
    """One run's processes. `told` is called in the event loop with each look at them."""

    def __init__(
        self, pid: int, group: Group | None, *, fresh: bool, told: Callable[[Sample], None] | None = None
    ) -> None:
        """`fresh` says that nothing ran in this process before."""
        self.pid = pid
        self.group = group
        self.told = told
        self.last: Sample | None = None
        """Memory as it is, peak, CPU and I/O of this run alone."""
        self._fresh = fresh
        self._began = cpu_clock(pid) or 0.0
        self._before: Sample | None = None

    def cpu_s(self) -> float:
        """Of the process itself since this run began: cheap, and without the processes that it started."""
        now = cpu_clock(self.pid)
        return 0.0 if now is None else max(now - self._began, 0.0)

    def look(self) -> Sample | None:
        """Blocks. None when the process is gone."""
        seen = look(self.pid, self.group.processes() if self.group is not None else ())
        if seen is None:
            return None
        if self._before is None:
            self._before = Sample(cpu_s=self._began)
            if not self._fresh:
                own = self.cpu_s()
                reset_peak(self.pid)
                seen = replace(seen, peak=seen.memory)
                self._before = Sample(cpu_s=seen.cpu_s - own, read=seen.read, written=seen.written)
        before, last = self._before, self.last or Sample()
        self.last = Sample(
            seen.memory,
            max(seen.peak, last.peak),
            max(seen.cpu_s - before.cpu_s, last.cpu_s),
            max(seen.read - before.read, last.read),
            max(seen.written - before.written, last.written),
            max(seen.processes, 1),
        )
        return self.last


class Sampler:
    """Lives in one event loop."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looking = False
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="readings")

    def add(self, watched: Watched) -> None:
        self._watched.add(watched)
        self._schedule(self._every_s)

    def discard(self, watched: Watched) -> None:
        self._watched.discard(watched)

    async def look(self, watched: Watched) -> Sample | None:
        """The last look at a run that ended."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, watched.look)

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _schedule(self, after_s: float) -> None:
        if self._timer is None and not self._looking and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(after_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._watched:
            return
        self._looking = True
        looking = asyncio.get_running_loop().run_in_executor(self._thread, _look_at, list(self._watched))
        looking.add_done_callback(self._seen)

    def _seen(self, looking: "asyncio.Future[tuple[list[tuple[Watched, Sample | None]], float]]") -> None:
        self._looking = False
        if self._closed or looking.cancelled():
            return
        seen, took_s = looking.result()
        for watched, sample in seen:
            if sample is not None and watched in self._watched and watched.told is not None:
                watched.told(sample)
        if self._watched:
            self._schedule(max(self._every_s, PAUSE * took_s))


def _look_at(batch: Sequence[Watched]) -> tuple[list[tuple[Watched, Sample | None]], float]:
    began = time.monotonic()
    seen = [(watched, watched.look()) for watched in batch]
    return seen, time.monotonic() - began
