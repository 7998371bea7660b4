"""Holds a run to its node's limits, and tells what it used.

A node without limits of its own has what its sandbox has, and costs nothing here. For one with limits there are two
walls: the kernel's, a control group of the session's own, where the runner may make one; and the runner's, which looks
at the session a few times a second and ends it.
"""

import asyncio
import resource
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from qflow_runner.errors import GuestProblem, OutOfMemory, ProcessLimit, SessionLost
from qflow_runner.limits import Asked
from qflow_runner.observe import metrics
from qflow_runner.sandbox.backend import Backend, Limits
from qflow_runner.sandbox.cgroups import Group
from qflow_runner.sandbox.confining import Confining
from qflow_runner.sandbox.growth import Growth
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.readings import Sample, look
from qflow_runner.sandbox.resources import MB, Held, reading
from qflow_runner.sandbox.sampler import Sampler, Watched
from qflow_runner.settings import Settings

log = structlog.get_logger()


GUEST_LIMITS = {
    "out_of_memory": "memory",
    "process_limit": "processes",
    "limit_reached": "files",
    "result_too_large": "result",
}
"""Problems that the guest tells of, as labels of a metric."""


class Limiter:
    def __init__(self, settings: Settings, backend: Backend) -> None:
        self.growth = Growth(settings, backend.resize)
        self._confining = Confining(burst=settings.cpu_burst)
        self._sampler = Sampler()
        self._filed: WeakKeyDictionary[GuestSession, int] = WeakKeyDictionary()

    def unheld(self, guests: Iterable[Guest]) -> str:
        """How far a node's own limits do not hold in these sandboxes, as a sentence; empty where they do, as far as is known."""
        return self._confining.unheld(guests)

    @asynccontextmanager
    async def held(
        self,
        guest: Guest,
        session: GuestSession,
        asked: Asked,
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> AsyncGenerator[Held]:
        """For one run of the session. `tell` gets a reading now and then.

        Raises OutOfMemory and ProcessLimit for what met a limit, with the limit and what it had; and what the backend
        raises where the node asks for more than the sandbox has, which then nothing has run.
        """
        if not self.growth.has(guest, asked):
            await self.growth.reach(guest, asked)
        limits = self.growth.limits(guest)
        narrower = _narrower(asked, limits)
        pid = self._confining.seen(guest, session, limited=narrower)
        group = self._confining.group(session)
        if pid and (group is not None or narrower):
            group = await self._confining.confine(guest, session, asked, limits)
        if pid and (asked.file_mb or session in self._filed):
            self._limit_files(session, pid, asked.file_mb)
        kills = group.kills() if group is not None else 0
        watched = self._watched(session, pid, group, asked, tell) if pid else None
        try:
            yield Held(watched, self._sampler)
        except GuestProblem as problem:
            if problem.code in GUEST_LIMITS:
                metrics.LIMITS_HIT.labels(limit=GUEST_LIMITS[problem.code]).inc()
            raise
        except SessionLost as error:
            killed = group is not None and group.kills() > kills
            last = watched.last if watched is not None else None
            short = isinstance(error, OutOfMemory) and "limit_mb" not in error.members
            if asked.memory_mb and (killed or (short and asked.memory_mb >= limits.memory_mb)):
                metrics.LIMITS_HIT.labels(limit="memory").inc()
                raise _out_of_memory(asked.memory_mb, last, own=True) from error
            raise await self._explained(error, guest, limits.memory_mb, last) from error
        finally:
            if watched is not None:
                self._sampler.discard(watched)

    async def usage(self, guest: Guest) -> dict[str, Any]:
        """What the whole sandbox uses now, for GET /v1/sandboxes; of the figures, those that there are."""
        limits = self.growth.limits(guest)
        told: dict[str, Any] = {"memory_limit_mb": limits.memory_mb, "cpus": limits.cpus}
        pid = guest.zygote.pid
        if pid:
            groups = self._confining.groups_of(guest)
            loop = asyncio.get_running_loop()
            used = await loop.run_in_executor(None, groups.usage) if groups is not None else None
            if used is None:
                seen = await loop.run_in_executor(None, look, pid)
                used = (seen.memory, seen.cpu_s, seen.processes) if seen is not None else None
            if used is not None:
                told |= {
                    "memory_mb": round(used[0] / MB, 1),
                    "cpu_s": round(used[1], 3),
                    "processes": used[2],
                }
        return told

    def close(self) -> None:
        """Called once, after the last run."""
        self._sampler.close()
        self._confining.close()

    def _limit_files(self, session: GuestSession, pid: int, file_mb: int) -> None:
        size = file_mb * MB if file_mb else resource.RLIM_INFINITY
        with suppress(OSError, ValueError):  # without the right to: the guest has set it for itself
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
        if file_mb:
            self._filed[session] = file_mb
        else:
            self._filed.pop(session, None)

    def _watched(
        self,
        session: GuestSession,
        pid: int,
        group: Group | None,
        asked: Asked,
        tell: Callable[[dict[str, Any]], None] | None,
    ) -> Watched:
        def told(sample: Sample) -> None:
            if asked.memory_mb and sample.memory > asked.memory_mb * MB:
                session.refuse(_out_of_memory(asked.memory_mb, sample, own=True))
            elif asked.processes and sample.processes > asked.processes:
                session.refuse(_too_many(asked.processes, sample.processes))
            elif tell is not None:
                tell(reading(sample))

        watched = Watched(pid, group, fresh=session.fresh, told=told)
        self._sampler.add(watched)
        return watched

    async def _explained(
        self, error: SessionLost, guest: Guest, had_mb: int, last: Sample | None
    ) -> SessionLost:
        """The same end, with the limit that it met."""
        if isinstance(error, ProcessLimit):
            metrics.LIMITS_HIT.labels(limit="processes").inc()
        elif "limit_mb" in error.members:
            metrics.LIMITS_HIT.labels(limit="memory").inc()
        elif isinstance(error, OutOfMemory):
            metrics.LIMITS_HIT.labels(limit="sandbox_memory").inc()
            grown = await self.growth.after_shortage(guest, had_mb)
            return _out_of_memory(had_mb, last, own=False, grown=grown)
        return error


def _out_of_memory(limit_mb: int, last: Sample | None, *, own: bool, grown: int | None = None) -> OutOfMemory:
    whose = f"its limit of {limit_mb} MB" if own else f"the {limit_mb} MB of its sandbox"
    # The last look may be older than the end: what it had was the limit at least.
    peak_mb = max(last.peak / MB if last is not None else 0.0, float(limit_mb))
    if own:
        hint = "Handle fewer items at a time, free large objects, or raise Memory in the node's options."
    elif grown:
        hint = f"Its sandbox has {grown} MB from now on: run it again. What the code had already done outside stays done."
    else:
        hint = "Handle fewer items at a time, free large objects, or raise QFLOW_MEMORY_MAX_MB and the node's Memory."
    return OutOfMemory(
        f"The code used more memory than {whose}, and was stopped.",
        hint=hint,
        limit_mb=limit_mb,
        peak_mb=round(peak_mb, 1),
    )


def _too_many(limit: int, processes: int) -> ProcessLimit:
    return ProcessLimit(
        f"The code had {processes} processes and threads, its limit is {limit}, and it was stopped."
    )


def _narrower(asked: Asked, limits: Limits) -> bool:
    return (
        0 < asked.memory_mb < limits.memory_mb
        or 0 < asked.cpus < limits.cpus
        or 0 < asked.processes < limits.processes
    )
