"""A sandbox that needs more than it has is given more while it runs: one step up, and no restart."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from weakref import WeakKeyDictionary

import structlog

from qflow_runner.errors import QflowError
from qflow_runner.limits import Asked
from qflow_runner.observe import metrics
from qflow_runner.sandbox import cgroups
from qflow_runner.sandbox.backend import Limits, sandbox_limits
from qflow_runner.sandbox.guest import Guest
from qflow_runner.settings import Settings

log = structlog.get_logger()


class Growth:
    def __init__(self, settings: Settings, resize: Callable[[str, Limits], Awaitable[None]]) -> None:
        self._settings = settings
        self._first = sandbox_limits(settings)
        self._resize = resize
        self._limits: WeakKeyDictionary[Guest, Limits] = WeakKeyDictionary()
        self._turns: WeakKeyDictionary[Guest, asyncio.Lock] = WeakKeyDictionary()

    def limits(self, guest: Guest) -> Limits:
        """What the sandbox may use as a whole."""
        return self._limits.get(guest, self._first)

    def has(self, guest: Guest, asked: Asked) -> bool:
        limits = self.limits(guest)
        return asked.memory_mb <= limits.memory_mb and asked.cpus <= limits.cpus

    async def reach(self, guest: Guest, asked: Asked) -> None:
        """Called before a run whose node asks for more than its sandbox has. Raises what the backend raises."""
        async with self._turns.setdefault(guest, asyncio.Lock()):
            now = self.limits(guest)
            wanted = replace(
                now, memory_mb=max(now.memory_mb, asked.memory_mb), cpus=max(now.cpus, asked.cpus)
            )
            if wanted != now:
                await self._give(guest, wanted, "asked")

    async def after_shortage(self, guest: Guest, had_mb: int) -> int | None:
        """Called when the memory of the whole sandbox ran out at `had_mb`. What it has now; None where it stays so."""
        async with self._turns.setdefault(guest, asyncio.Lock()):
            now = self.limits(guest)
            if now.memory_mb > had_mb:
                return now.memory_mb  # another run met the same end, and it was raised for that
            memory_mb = min(2 * now.memory_mb, self._settings.memory_ceiling_mb)
            if memory_mb <= now.memory_mb:
                return None
            try:
                await self._give(guest, replace(now, memory_mb=memory_mb), "out_of_memory")
            except QflowError as error:
                log.warning("sandbox.not_grown", reason=error.detail)
                return None
            return memory_mb

    async def _give(self, guest: Guest, limits: Limits, why: str) -> None:
        sandbox = guest.ledger.records.sandbox
        await self._resize(sandbox, limits)
        self._limits[guest] = limits
        if self._settings.cpu_burst:
            let_burst(guest, limits)
        metrics.GROWN.labels(why=why).inc()
        log.info("sandbox.grown", sandbox=sandbox, memory_mb=limits.memory_mb, cpus=limits.cpus, why=why)


def let_burst(guest: Guest, limits: Limits) -> bool:
    """Called when a sandbox has its CPU share: whether it may use up what it saved. Needs the right to say so."""
    groups = cgroups.Groups.of(guest.zygote.pid) if guest.zygote.pid else None
    return groups is not None and groups.burst(int(limits.cpu_period_ms * 1000 * limits.cpus))
