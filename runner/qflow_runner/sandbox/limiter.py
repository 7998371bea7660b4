"""Holds a run to its node's limits, and tells what it used.

A node without limits of its own has what its sandbox has, and costs nothing here. For one with limits there are two
walls: the kernel's, a control group of the session's own, where the runner may make one; and the runner's, which looks
at the session a few times a second and ends it.
"""

import asyncio
import os
import resource
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from qflow_runner.errors import GuestProblem, OutOfMemory, ProcessLimit, SessionLost
from qflow_runner.limits import Asked
from qflow_runner.observe import metrics
from qflow_runner.sandbox.backend import Backend, Limits
from qflow_runner.sandbox.cgroups import Group, Groups
from qflow_runner.sandbox.growth import Growth
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.readings import Sample, look, tree
from qflow_runner.sandbox.sampler import Sampler, Watched
from qflow_runner.settings import Settings

log = structlog.get_logger()

MB = 1 << 20
CPUS = os.cpu_count() or 1

GUEST_LIMITS = {
    "out_of_memory": "memory",
    "process_limit": "processes",
    "limit_reached": "files",
    "result_too_large": "result",
}
"""Problems that the guest tells of, as labels of a metric."""


@dataclass(frozen=True)
class Resources:
    """What one run used. Memory is the most that its session had, in MB of 2^20 bytes."""

    cpu_ms: float = 0.0
    peak_mb: float = 0.0
    read_mb: float = 0.0
    written_mb: float = 0.0
    processes: int = 1

    def document(self) -> dict[str, Any]:
        return dict(vars(self))  # dataclasses.asdict takes ten times as long, for each run


class Held:
    """A run that is being watched."""

    def __init__(self, watched: Watched | None, sampler: Sampler) -> None:
        self._watched = watched
        self._sampler = sampler

    async def resources(self, told: Mapping[str, float], most_ms: float) -> Resources:
        """What it used, when it has ended. `told` is the guest's own word, for runs that were over before a look."""
        watched = self._watched
        if watched is not None:
            self._sampler.discard(
                watched
            )  # a large result may be on its way still, and nothing is to stop it
        told_ms, told_mb = _figure(told.get("cpu_ms")), _figure(told.get("peak_mb"))
        if watched is not None and watched.last is not None:
            used = _resources(await self._sampler.look(watched) or watched.last)
        else:
            own_ms = 0.0 if watched is None else watched.cpu_s() * 1000
            cpu_ms = min(max(own_ms, told_ms), most_ms * CPUS)
            used = Resources(round(cpu_ms, 3), round(told_mb, 1))
        metrics.RUN_CPU_SECONDS.observe(used.cpu_ms / 1000)
        metrics.RUN_PEAK_BYTES.observe(used.peak_mb * MB)
        return used


UNSEEN = (
    "the runner does not see the processes of its sandboxes, as in a container of its own: "
    "limits of nodes on memory, CPU and processes are not held, those of sandboxes are"
)
OWN_KERNEL = (
    "sandboxes have a kernel of their own, in which the runner sees no sessions: "
    "limits of nodes on memory, CPU and processes are not held, those of sandboxes are"
)
NO_GROUPS = "the runner may make no control group ({}): limits of nodes are held by looking"


class Limiter:
    def __init__(self, settings: Settings, backend: Backend) -> None:
        self.growth = Growth(settings, backend.resize)
        self._burst = settings.cpu_burst
        self._sampler = Sampler()
        self._groups: WeakKeyDictionary[Guest, Groups | None] = WeakKeyDictionary()
        self._confined: WeakKeyDictionary[GuestSession, Group] = WeakKeyDictionary()
        self._filed: WeakKeyDictionary[GuestSession, int] = WeakKeyDictionary()
        self._jobs: set[asyncio.Task[None]] = set()
        self._unconfined = ""

    def unheld(self, guests: Iterable[Guest]) -> str:
        """How far a node's own limits do not hold in these sandboxes, as a sentence; empty where they do, as far as is known."""
        unseen = any(guest.zygote.connected and not guest.zygote.pid for guest in guests)
        return UNSEEN if unseen else self._unconfined

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
        pid = self._seen(guest, session, asked, limits)
        group = self._confined.get(session)
        if pid and (group is not None or _narrower(asked, limits)):
            group = await self._confine(guest, session, asked, limits)
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

    def _seen(self, guest: Guest, session: GuestSession, asked: Asked, limits: Limits) -> int:
        """The session's process; 0 where it cannot be told from others."""
        if session.pid != guest.zygote.pid:
            return session.pid
        # The guest has a kernel of its own, and is one process here; or none of it is seen.
        if _narrower(asked, limits):
            self._unconfined = OWN_KERNEL
        return 0

    async def usage(self, guest: Guest) -> dict[str, Any]:
        """What the whole sandbox uses now, for GET /v1/sandboxes; of the figures, those that there are."""
        limits = self.growth.limits(guest)
        told: dict[str, Any] = {"memory_limit_mb": limits.memory_mb, "cpus": limits.cpus}
        pid = guest.zygote.pid
        if pid:
            groups = self._groups_of(guest)
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
        for job in self._jobs:
            job.cancel()

    def _groups_of(self, guest: Guest) -> Groups | None:
        if guest not in self._groups:
            self._groups[guest] = Groups.of(guest.zygote.pid)
        return self._groups[guest]

    async def _confine(
        self, guest: Guest, session: GuestSession, asked: Asked, limits: Limits
    ) -> Group | None:
        """The session in a group of its own, where the runner may make one; else it is watched alone."""
        groups = self._groups_of(guest)
        if groups is None:
            self._unconfined = NO_GROUPS.format("it sees none of its sandboxes'")
            return None
        known = self._confined.get(session)

        def confine() -> Group:
            group = known or groups.group()
            try:
                group.limit(asked, int(limits.cpu_period_ms * 1000), burst=self._burst)
                if known is None:
                    group.take(tree(session.pid))
            except OSError:
                if known is None:
                    group.remove()
                raise
            return group

        try:
            group = await asyncio.get_running_loop().run_in_executor(None, confine)
        except OSError as error:
            self._unconfined = NO_GROUPS.format(error)
            log.warning("session.not_confined", reason=str(error))
            return known
        self._unconfined = ""
        if known is None:
            self._confined[session] = group
            job = asyncio.get_running_loop().create_task(_removed(session, group))
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)
        return group

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
                tell(_reading(sample))

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


def _narrower(asked: Asked, limits: Limits) -> bool:
    return (
        0 < asked.memory_mb < limits.memory_mb
        or 0 < asked.cpus < limits.cpus
        or 0 < asked.processes < limits.processes
    )


async def _removed(session: GuestSession, group: Group) -> None:
    """What is left of a group goes with its container."""
    await session.cleared()
    await asyncio.get_running_loop().run_in_executor(None, group.remove)


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


def _reading(sample: Sample) -> dict[str, Any]:
    return {**_resources(sample).document(), "memory_mb": round(sample.memory / MB, 1)}


def _resources(sample: Sample) -> Resources:
    return Resources(
        round(sample.cpu_s * 1000, 3),
        round(sample.peak / MB, 1),
        round(sample.read / MB, 3),
        round(sample.written / MB, 3),
        sample.processes,
    )


def _figure(value: object) -> float:
    # The guest's own word: shown, and trusted for nothing.
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else 0.0
