"""Carries out what the pool decides: boots sandboxes, removes them, and hands them to the runs that wait.

The pool knows neither clock nor container; the backend knows no policy; this is the only place where they meet.
"""

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, assert_never

import structlog

from qflow_runner.background import Background
from qflow_runner.egress import Egress
from qflow_runner.errors import QflowError, SandboxError
from qflow_runner.observe import metrics
from qflow_runner.sandbox import pool as pools
from qflow_runner.sandbox.adopting import Returned, adopt
from qflow_runner.sandbox.backend import Backend, Health
from qflow_runner.sandbox.booting import Booting
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.isolation import isolation_of
from qflow_runner.sandbox.leases import Leases, again
from qflow_runner.sandbox.ledger import SUFFIX, Ledger
from qflow_runner.sandbox.removing import Removing
from qflow_runner.settings import Settings

log = structlog.get_logger()


class Keeper:
    """Owns every sandbox of this runner. Lives in one event loop; nothing here blocks it."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        identity: str,
        *,
        layers: Path | None = None,
        files: Path | None = None,
        egress: Egress | None = None,
    ) -> None:
        """Sandboxes read `layers`, and each a directory of its own below `files`; both must exist at the first boot.

        `before_removal` is called for a sandbox that is about to be removed while it still works, `after_return` for
        one of an earlier runner, with its sessions that came back.
        """
        self.guests: dict[str, Guest] = {}
        self.before_removal: Callable[[Guest], Awaitable[None]] | None = None
        self.after_return: Callable[[Guest, list[Returned]], None] | None = None
        self._settings = settings
        self._backend = backend
        self._booting = Booting(
            settings, backend, identity, layers=layers, files=files, egress=egress, lost=self._lost
        )
        self._removing = Removing(backend, settings.run_dir, files)
        # Names differ from those of other runners here, and from those of this one's earlier life.
        self._pool = pools.Pool(pool_limits(settings), prefix=f"{identity[:6]}-{secrets.token_hex(3)}-")
        self._leases = Leases(self._handle)
        self.last_failure: QflowError | None = None
        self._background = Background()
        self._timer: asyncio.TimerHandle | None = None
        self._unlisted = False
        self._closing = False

    async def open(self) -> None:
        """Called once at start: what a killed runner left is taken up again, or removed.

        A backend that is away is not fatal: /readyz says so and boots are tried again.
        """
        self._booting.prepare()
        ledgers = {path.stem: Ledger.read(path) for path in self._settings.run_dir.glob(f"*{SUFFIX}")}
        left: dict[str, bool] = {}
        try:
            await self._backend.open()
            left = await self._backend.left(ledgers)
        except QflowError as error:
            log.warning(
                "backend.unavailable", backend=self._backend.name, reason=error.detail, hint=error.hint
            )
            self._unlisted = True
            left = dict.fromkeys(ledgers, True)  # who lives will dial in
        await asyncio.gather(*(self._adopt(name, ledgers.get(name)) for name, lives in left.items() if lives))
        await asyncio.to_thread(self._removing.sweep, set(self.guests))
        self._found()
        for name in left:
            if name not in self.guests:
                log.info("sandbox.reaped", sandbox=name)
                self._background.start(self._removing.sandbox(name))
        self._handle(pools.Tick())

    async def _adopt(self, sandbox: str, ledger: Ledger | None) -> None:
        """Take up a sandbox of an earlier runner. One that does not return, or is not wanted, is left for removal."""
        if ledger is None or ledger.records.sandbox != sandbox:
            return
        records = ledger.records
        guest = self._booting.guest(sandbox, ledger)
        try:
            returned = await adopt(guest, records)
        except (QflowError, OSError, TimeoutError) as error:
            log.warning("sandbox.not_returned", sandbox=sandbox, reason=str(error) or "it did not dial in")
            ledger.close()
            guest.close()
            return
        if guest.zygote.lost:
            return
        ledger.begin()
        self.guests[sandbox] = guest
        if self.after_return is not None:
            self.after_return(guest, returned)
        metrics.BOOTS.labels(outcome="returned").inc()
        log.info("sandbox.returned", sandbox=sandbox, workflow=records.workflow, sessions=len(returned))

    def _found(self) -> None:
        """Warm ones first, because they are those of the floor, and then the oldest."""
        now, clock = time.monotonic(), time.time()
        records = [guest.ledger.records for guest in self.guests.values()]
        for each in sorted(records, key=lambda each: (each.workflow is not None, each.owned)):
            key = None if each.workflow is None else pools.Key(each.workflow, each.python)
            booted_at, owned_at = (now - max(clock - then, 0.0) for then in (each.booted, each.owned))
            self._handle(pools.SandboxFound(each.sandbox, each.python, booted_at, key, owned_at))

    async def close(self) -> None:
        """Called once at the end: every sandbox is removed."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._handle(pools.Draining())
        for sandbox in list(self.guests):
            self._background.start(self._remove(sandbox))
        await self._background.finish()
        await self._backend.close()
        shutil.rmtree(self._settings.run_dir, ignore_errors=True)

    @asynccontextmanager
    async def lease(self, key: pools.Key, waited_s: float = 0.0) -> AsyncGenerator[Guest]:
        """The workflow's sandbox, for one run that waited for so long already. Raises Busy, Unavailable or SandboxError."""
        until = time.monotonic() + max(self._settings.pool_wait_s - waited_s, 0.0)
        lease, sandbox = await self._leases.wanted(key, until)
        if sandbox not in self.guests:
            # It died between the grant and this moment, and nothing ran: the next one is as good.
            self._handle(pools.LeaseReturned(lease))
            lease, sandbox = await self._leases.wanted(key, until)
        try:
            guest = self.guests.get(sandbox)
            if guest is None:
                raise SandboxError("Two sandboxes were lost before the run began.")
            guest.ledger.owned(key.workflow)
            yield guest
        finally:
            self._handle(pools.LeaseReturned(lease))

    def snapshot(self) -> list[dict[str, Any]]:
        """What there is, for GET /v1/sandboxes."""
        return self._pool.snapshot(time.monotonic())

    @property
    def waiting(self) -> int:
        """Runs that wait for their workflow's sandbox."""
        return len(self._leases)

    async def health(self) -> Health:
        return await self._backend.health()

    @property
    def isolation(self) -> Health:
        """How far executions of one workflow are kept apart in the sandboxes that are there: the least of all."""
        return isolation_of(
            guest.zygote.isolation for guest in self.guests.values() if guest.zygote.connected
        )

    def retire(self, sandbox: str) -> None:
        """Take a sandbox out of use that cannot be trusted any more."""
        self._handle(pools.RetireWanted(sandbox))

    def _handle(self, event: pools.Event) -> None:
        now = time.monotonic()
        for action in self._pool.handle(event, now):
            match action:
                case pools.Grant(lease, sandbox):
                    self._leases.grant(lease, sandbox)
                case pools.Refuse():
                    self._leases.refuse(action, self.last_failure)
                case pools.Boot(sandbox, python):
                    self._background.start(self._boot(sandbox, python))
                case pools.Retire(sandbox):
                    self._background.start(self._remove(sandbox))
                case _:
                    assert_never(action)
        self._schedule(now)

    def _schedule(self, now: float) -> None:
        at = self._pool.next_tick()
        if self._timer is not None:
            if at is not None and self._timer.when() <= at:
                return  # it rings early enough, and then sets itself anew
            self._timer.cancel()
            self._timer = None
        if at is not None and not self._closing:
            self._timer = asyncio.get_running_loop().call_later(max(at - now, 0), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._handle(pools.Tick())

    async def _boot(self, sandbox: str, python: str) -> None:
        began = time.monotonic()
        guest = self.guests[sandbox] = self._booting.new(sandbox, python)
        try:
            await self._booting.boot(guest)
        except (QflowError, OSError, TimeoutError) as error:
            if sandbox not in self.guests:
                await self._removing.all_of(sandbox, guest)
                return
            failure = await self._booting.failure(sandbox, error)
            self.last_failure = again(failure)
            log.warning(
                "sandbox.failed", sandbox=sandbox, python=python, reason=failure.detail, code=failure.code
            )
            metrics.BOOTS.labels(outcome="failed").inc()
            self._handle(pools.SandboxLost(sandbox, failure.detail))
            await self._remove(sandbox)
            return
        if sandbox not in self.guests:
            # It was given up meanwhile, and its container may have been made after the removal looked for it.
            await self._removing.all_of(sandbox, guest)
            return
        boot_ms = (time.monotonic() - began) * 1000
        self.last_failure = None
        metrics.BOOTS.labels(outcome="ready").inc()
        metrics.BOOT_SECONDS.observe(boot_ms / 1000)
        log.info("sandbox.ready", sandbox=sandbox, python=guest.python, boot_ms=round(boot_ms, 1))
        self._handle(pools.SandboxReady(sandbox))
        if self._unlisted:
            self._background.start(self._reap())
        for left in list(self._removing.left):
            self._background.start(self._removing.sandbox(left))

    def _lost(self, sandbox: str, reason: str) -> None:
        if sandbox not in self.guests or self._closing:
            return
        metrics.SANDBOXES_LOST.inc()
        self._handle(pools.SandboxLost(sandbox, reason))
        self._background.start(self._bury(sandbox, reason))

    async def _bury(self, sandbox: str, reason: str) -> None:
        told = await self._backend.explain(sandbox)
        log.warning("sandbox.lost", sandbox=sandbox, reason=reason, told=told)
        await self._remove(sandbox)

    async def _remove(self, sandbox: str) -> None:
        guest = self.guests.pop(sandbox, None)
        if guest is not None:
            if self.before_removal is not None:
                await self.before_removal(guest)
            guest.ledger.close()
            guest.close()
            await self._removing.all_of(sandbox, guest)

    async def _reap(self) -> None:
        """The backend was away at the start: what this runner did not take up again is removed now."""
        self._unlisted = False
        try:
            await self._backend.open()
            left = await self._backend.left(())
        except QflowError as error:
            log.warning("backend.unavailable", backend=self._backend.name, reason=error.detail)
            self._unlisted = True
            return
        for sandbox in left:
            if sandbox not in self.guests:
                log.info("sandbox.reaped", sandbox=sandbox)
                await self._removing.sandbox(sandbox)


def pool_limits(settings: Settings) -> pools.PoolLimits:
    return pools.PoolLimits(
        floor=min(settings.pool_floor, settings.pool_ceiling),
        ceiling=settings.pool_ceiling,
        idle_s=settings.pool_idle_s,
        max_age_s=settings.pool_max_age_s,
        default_python=settings.python,
        on_exhausted=settings.pool_exhausted,
        turn_s=settings.pool_turn_s,
    )
