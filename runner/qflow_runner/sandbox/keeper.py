"""Carries out what the pool decides: boots sandboxes, removes them, and hands them to the runs that wait.

The pool knows neither clock nor container; the backend knows no policy; this is the only place where they meet.
"""

import asyncio
import itertools
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, assert_never

import structlog

from qflow_runner.egress import Egress
from qflow_runner.errors import Busy, QflowError, SandboxError, Unavailable
from qflow_runner.observe import metrics
from qflow_runner.sandbox import pool as pools
from qflow_runner.sandbox.adopting import Returned, adopt
from qflow_runner.sandbox.backend import Backend, Health, SandboxSpec, sandbox_limits
from qflow_runner.sandbox.environments import Lessons
from qflow_runner.sandbox.growth import let_burst
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.ledger import SUFFIX, Ledger, Records
from qflow_runner.settings import Settings

log = structlog.get_logger()

FULL = "full"
APART = (
    "each workflow has a container of its own, and in it each execution its own files, processes and sockets"
)
SHARED = {
    "": "executions of one workflow share their files and may signal each other: the kernel offers no Landlock",
    "files": "executions of one workflow may signal each other and reach abstract sockets: the kernel is older than 6.12",
}
"""What a sandbox says that keeps less apart."""


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
        self._layers = layers
        self._files = files
        self._egress = None if backend.name == "process" else egress
        self._lessons = Lessons()
        self._settings = settings
        self._backend = backend
        self._identity = identity
        # Names differ from those of other runners here, and from those of this one's earlier life.
        self._pool = pools.Pool(pool_limits(settings), prefix=f"{identity[:6]}-{secrets.token_hex(3)}-")
        self._leases = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[str]] = {}
        self.last_failure: QflowError | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._left: set[str] = set()
        self._unlisted = False
        self._closing = False

    async def open(self) -> None:
        """Called once at start: what a killed runner left is taken up again, or removed.

        A backend that is away is not fatal: /readyz says so and boots are tried again.
        """
        run_dir = self._settings.run_dir
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._layers is not None:
            self._layers.mkdir(parents=True, exist_ok=True)
        if self._files is not None:
            self._files.mkdir(parents=True, exist_ok=True)
        ledgers = {path.stem: Ledger.read(path) for path in run_dir.glob(f"*{SUFFIX}")}
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
        await asyncio.get_running_loop().run_in_executor(None, self._sweep)
        self._found()
        for name in left:
            if name not in self.guests:
                log.info("sandbox.reaped", sandbox=name)
                self._spawn(self._remove_left(name))
        self._handle(pools.Tick())

    async def _adopt(self, sandbox: str, ledger: Ledger | None) -> None:
        """Take up a sandbox of an earlier runner. One that does not return, or is not wanted, is left for removal."""
        if ledger is None or ledger.records.sandbox != sandbox:
            return
        records = ledger.records
        guest = self._guest(sandbox, ledger)
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

    def _sweep(self) -> None:
        """Directories of sandboxes that are gone. A guest that is not wanted waits for its socket: it ends now."""
        for directory in (self._settings.run_dir, self._files):
            for path in [] if directory is None else list(directory.iterdir()):
                if path.name.removesuffix(SUFFIX) in self.guests:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Called once at the end: every sandbox is removed."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._handle(pools.Draining())
        for sandbox in list(self.guests):
            self._spawn(self._remove(sandbox))
        while self._jobs:
            await asyncio.wait(set(self._jobs))
        await self._backend.close()
        shutil.rmtree(self._settings.run_dir, ignore_errors=True)

    @asynccontextmanager
    async def lease(self, key: pools.Key, waited_s: float = 0.0) -> AsyncGenerator[Guest]:
        """The workflow's sandbox, for one run that waited for so long already. Raises Busy, Unavailable or SandboxError."""
        until = time.monotonic() + max(self._settings.pool_wait_s - waited_s, 0.0)
        lease, sandbox = await self._granted(key, until)
        if sandbox not in self.guests:
            # It died between the grant and this moment, and nothing ran: the next one is as good.
            self._handle(pools.LeaseReturned(lease))
            lease, sandbox = await self._granted(key, until)
        try:
            guest = self.guests.get(sandbox)
            if guest is None:
                raise SandboxError("Two sandboxes were lost before the run began.")
            guest.ledger.owned(key.workflow)
            yield guest
        finally:
            self._handle(pools.LeaseReturned(lease))

    async def _granted(self, key: pools.Key, until: float) -> tuple[int, str]:
        lease = next(self._leases)
        granted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[lease] = granted
        self._handle(pools.LeaseWanted(lease, key, until))
        try:
            return lease, granted.result() if granted.done() else await granted
        except asyncio.CancelledError:
            self._handle(pools.LeaseAbandoned(lease))
            raise
        finally:
            self._waiting.pop(lease, None)

    def snapshot(self) -> list[dict[str, Any]]:
        """What there is, for GET /v1/sandboxes."""
        return self._pool.snapshot(time.monotonic())

    @property
    def waiting(self) -> int:
        """Runs that wait for their workflow's sandbox."""
        return len(self._waiting)

    async def health(self) -> Health:
        return await self._backend.health()

    @property
    def isolation(self) -> Health:
        """How far executions of one workflow are kept apart in the sandboxes that are there: the least of all."""
        found = {guest.zygote.isolation for guest in self.guests.values() if guest.zygote.connected}
        # It is the guest's own word: one that nobody knows counts as nothing.
        least = min(
            (each if each in {FULL, *SHARED} else "" for each in found),
            key=[*SHARED, FULL].index,
            default=FULL,
        )
        return Health(least == FULL, SHARED.get(least) or APART)

    def retire(self, sandbox: str) -> None:
        """Take a sandbox out of use that cannot be trusted any more."""
        self._handle(pools.RetireWanted(sandbox))

    def _handle(self, event: pools.Event) -> None:
        now = time.monotonic()
        for action in self._pool.handle(event, now):
            match action:
                case pools.Grant(lease, sandbox):
                    self._answer(lease, sandbox)
                case pools.Refuse():
                    self._refuse(action)
                case pools.Boot(sandbox, python):
                    self._spawn(self._boot(sandbox, python))
                case pools.Retire(sandbox):
                    self._spawn(self._remove(sandbox))
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

    def _answer(self, lease: int, sandbox: str) -> None:
        waiting = self._waiting.get(lease)
        if waiting is not None and not waiting.done():
            waiting.set_result(sandbox)
        else:
            self._handle(pools.LeaseReturned(lease))

    def _refuse(self, action: pools.Refuse) -> None:
        waiting = self._waiting.get(action.lease)
        if waiting is None or waiting.done():
            return
        match action.reason:
            case "full":
                error: QflowError = Busy("Every sandbox is in use.")
            case "deadline":
                error = Busy(action.detail)
            case "draining":
                error = Unavailable("The runner is stopping.", hint="Call again when it is back.")
            case "boot_failed":
                error = _again(self.last_failure) if self.last_failure else SandboxError(action.detail)
        waiting.set_exception(error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.get_running_loop().create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _boot(self, sandbox: str, python: str) -> None:
        settings = self._settings
        began = time.monotonic()
        records = Records(sandbox, python, secrets.token_urlsafe(18), time.time())
        guest = self._guest(sandbox, Ledger(settings.run_dir / f"{sandbox}{SUFFIX}", records))
        files = guest.files
        self.guests[sandbox] = guest
        try:
            async with asyncio.timeout(settings.boot_deadline_s):
                guest.ledger.begin()
                await guest.listen()
                if files is not None:
                    files.mkdir(mode=0o755)
                    files.chmod(0o711)  # the guest opens what it was told the name of, and lists nothing
                await self._backend.boot(
                    SandboxSpec(
                        id=sandbox,
                        python=python,
                        socket=guest.socket,
                        token=guest.token,
                        limits=sandbox_limits(settings),
                        layers=self._layers,
                        files=files,
                        hosts=None if guest.gate is None else guest.gate.reach.hosts,
                        labels={"qflow.runner": self._identity},
                    )
                )
                await guest.ready()
            if settings.isolation == "required" and guest.zygote.isolation != FULL:
                raise SandboxError(
                    f"QFLOW_ISOLATION is required, but {SHARED.get(guest.zygote.isolation, SHARED[''])}"
                )
            if settings.cpu_burst:
                let_burst(guest, sandbox_limits(settings))
        except (QflowError, OSError, TimeoutError) as error:
            if sandbox not in self.guests:
                await self._clear(sandbox, guest)
                return
            failure = await self._boot_failure(sandbox, error)
            self.last_failure = _again(failure)
            log.warning(
                "sandbox.failed", sandbox=sandbox, python=python, reason=failure.detail, code=failure.code
            )
            metrics.BOOTS.labels(outcome="failed").inc()
            self._handle(pools.SandboxLost(sandbox, failure.detail))
            await self._remove(sandbox)
            return
        if sandbox not in self.guests:
            # It was given up meanwhile, and its container may have been made after the removal looked for it.
            await self._clear(sandbox, guest)
            return
        boot_ms = (time.monotonic() - began) * 1000
        self.last_failure = None
        metrics.BOOTS.labels(outcome="ready").inc()
        metrics.BOOT_SECONDS.observe(boot_ms / 1000)
        log.info("sandbox.ready", sandbox=sandbox, python=guest.python, boot_ms=round(boot_ms, 1))
        self._handle(pools.SandboxReady(sandbox))
        if self._unlisted:
            self._spawn(self._reap())
        for left in list(self._left):
            self._spawn(self._remove_left(left))

    def _guest(self, sandbox: str, ledger: Ledger) -> Guest:
        directory = self._settings.run_dir / sandbox
        guest = Guest(
            directory,
            self._settings.max_body,
            lambda reason: self._lost(sandbox, reason),
            self._lessons,
            None if self._files is None else self._files / sandbox,
            ledger=ledger,
        )
        if self._egress is not None:
            guest.gate = self._egress.gate(directory, guest.ask_forwarder)
        return guest

    async def _boot_failure(self, sandbox: str, error: Exception) -> QflowError:
        if isinstance(error, QflowError) and not isinstance(error, SandboxError):
            return error
        told = await self._backend.explain(sandbox)
        if isinstance(error, TimeoutError):
            reason = f"it was not ready within {self._settings.boot_deadline_s:g} s"
        else:
            reason = error.detail if isinstance(error, QflowError) else str(error)
        return SandboxError(f"A sandbox did not start: {reason}{'; ' + told if told else ''}")

    def _lost(self, sandbox: str, reason: str) -> None:
        if sandbox not in self.guests or self._closing:
            return
        metrics.SANDBOXES_LOST.inc()
        self._handle(pools.SandboxLost(sandbox, reason))
        self._spawn(self._bury(sandbox, reason))

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
            await self._clear(sandbox, guest)

    async def _clear(self, sandbox: str, guest: Guest) -> None:
        try:
            await self._backend.remove(sandbox)
        except QflowError as error:
            log.warning("sandbox.not_removed", sandbox=sandbox, reason=error.detail)
            self._left.add(sandbox)
        for place in (guest.socket.parent, guest.files):
            if place is not None:
                await asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, place, True)

    async def _remove_left(self, sandbox: str) -> None:
        """What has no guest: an earlier runner's, or what could not be removed while the backend was away."""
        self._left.discard(sandbox)
        try:
            await self._backend.remove(sandbox)
        except QflowError as error:
            log.warning("sandbox.not_removed", sandbox=sandbox, reason=error.detail)
            self._left.add(sandbox)

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
                await self._remove_left(sandbox)


def _again(failure: QflowError) -> QflowError:
    """The same failure for another caller, without what the first one's traceback holds on to."""
    return type(failure)(failure.detail, hint=failure.hint)


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
