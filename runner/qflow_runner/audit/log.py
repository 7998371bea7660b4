"""Takes notes in their order, and writes them in groups beside the calls that they are about.

`note` waits for nothing; `flush` returns when all that was noted before is in the database, or, while that is away, on
this machine's disk. An audited call flushes before its answer leaves. A group whose fate is unknown, because the
connection broke while it was committed, is written again: an entry may stand twice, and is never missing.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from qflow_runner.audit.head import PRUNED, keep, signed_text
from qflow_runner.audit.spool import Spool
from qflow_runner.errors import DatabaseUnavailable
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings
from qflow_runner.store import AuditEntry, AuditLog, Database, entry_of, now_ms

log = structlog.get_logger()

TOGETHER = 500
"""Entries in one transaction."""
OWED = 100_000
"""Entries that wait for a database that is away. Later ones are counted, and the count is noted when it is back."""
AGAIN_S = 2.0
PRUNE_ROWS = 2_000
PRUNE_ROUNDS = 500
DAY_MS = 86_400_000


class Who(NamedTuple):
    """Whose doing it was: the id and name of a token, and the address that the call came from."""

    id: str = ""
    name: str = ""
    origin: str = ""


NOBODY = Who()
"""The runner itself."""


class Audit:
    """`runner` is what this process is called in the log."""

    def __init__(self, settings: Settings, database: Database, runner: str) -> None:
        self.log = AuditLog(database)
        self._database = database
        self._runner = runner
        self._days = settings.audit_days
        self.head_path: Path = settings.data_dir / "audit-head"
        self._spool_path = settings.data_dir / "audit-owed"
        self._waiting: list[AuditEntry | asyncio.Future[None]] = []
        self._owed: deque[AuditEntry] = deque()
        self._lost = 0
        self._writing: asyncio.Task[None] | None = None
        self._paying: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        database.tidies.append(self.tidy)

    async def open(self) -> None:
        """Take up what an earlier runner could not write."""
        left, damaged = await asyncio.to_thread(self._spool.load)
        if damaged:
            self.note("audit.damaged", "audit-owed", outcome="lost", lines=damaged)
        if left:
            self._owed.extend(left)
            self._paying = asyncio.create_task(self._pay(0))

    def note(
        self,
        action: str,
        thing: str = "",
        *,
        by: Who = NOBODY,
        outcome: str = "ok",
        **details: Any,
    ) -> None:
        """`action` is `<subject>.<what was done>`, `thing` what it was done to; `details` are JSON, and no secrets. For the event loop alone."""
        texts = {
            "runner": self._runner,
            "actor": by.id,
            "name": by.name,
            "origin": by.origin,
            "action": action,
            "object": thing,
            "outcome": outcome,
        }
        self._put(entry_of(now_ms(), texts, details))

    async def flush(self) -> None:
        """Until all that was noted so far is kept."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(done)
        await done

    async def close(self) -> None:
        """Keep what waits."""
        await self.flush()
        self._closing.set()
        if self._paying is not None:
            await self._paying
        if self._writing is not None:
            await self._writing

    @property
    def owed(self) -> int:
        """Entries that are not in the database yet."""
        return len(self._owed)

    async def tidy(self) -> None:
        """Remove what is too old from the beginning of the chain. Raises DatabaseUnavailable."""
        before, pruned, through = now_ms() - int(self._days * DAY_MS), 0, 0
        for _ in range(PRUNE_ROUNDS):
            end = await self.log.last_before(before, PRUNE_ROWS)
            if end is None:
                break
            signature = self._database.keys.sign(signed_text(end), PRUNED)
            pruned += await self.log.prune(end, signature)
            through = end.seq
        if pruned:
            self.note("audit.pruned", f"up to {through}", rows=pruned)

    @property
    def _spool(self) -> Spool:
        return Spool(self._spool_path, self._database.keys)

    def _put(self, each: AuditEntry | asyncio.Future[None]) -> None:
        self._waiting.append(each)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        taken: list[AuditEntry | asyncio.Future[None]] = []
        try:
            while self._waiting:
                taken = self._waiting[:TOGETHER]
                del self._waiting[:TOGETHER]
                entries = [each for each in taken if isinstance(each, AuditEntry)]
                if entries and (self._paying is not None or not await self._committed(entries)):
                    await self._owe(entries)
                for each in taken:
                    if isinstance(each, asyncio.Future) and not each.done():
                        each.set_result(None)
        finally:
            self._writing = None
            for each in (*taken, *self._waiting):  # some are left where a mistake of ours ended this
                if isinstance(each, asyncio.Future) and not each.done():
                    each.cancel()

    async def _cleared(self) -> bool:
        """Whether nothing came while the disk was cleared of what is paid."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._spool.clear)
            if self._owed:
                await asyncio.to_thread(self._spool.add, list(self._owed))
        return not self._owed

    async def _committed(self, entries: Sequence[AuditEntry]) -> bool:
        try:
            end = await self.log.append(entries)
        except DatabaseUnavailable as error:
            if self._paying is None:
                log.warning("audit.owed", reason=error.detail, hint=error.hint)
            return False
        metrics.AUDITED.inc(len(entries))
        try:
            await asyncio.to_thread(keep, self.head_path, self._database.keys, end)
        except OSError as error:
            log.warning(
                "audit.head_not_kept", reason=str(error), hint="A cut end of the log would not be noticed."
            )
        return True

    async def _owe(self, entries: Sequence[AuditEntry]) -> None:
        room = max(0, OWED - len(self._owed))
        if len(entries) > room:
            self._lost += len(entries) - room
            metrics.AUDIT_LOST.inc(len(entries) - room)
            log.error("audit.lost", lost=len(entries) - room, hint="The database was away for too long.")
        kept = entries[:room]
        self._owed.extend(kept)
        try:
            await asyncio.to_thread(self._spool.add, kept)
        except OSError as error:
            log.warning("audit.not_on_disk", entries=len(kept), reason=str(error))
        if self._paying is None:
            self._paying = asyncio.create_task(self._pay(AGAIN_S))

    async def _pay(self, pause_s: float) -> None:
        """Until nothing is owed. What is left when the runner ends lies on disk for the next one."""
        last = False
        try:
            while not last:
                last = self._closing.is_set()
                if not last and pause_s:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), pause_s)
                pause_s = AGAIN_S
                while self._owed:
                    first = [self._owed[at] for at in range(min(TOGETHER, len(self._owed)))]
                    if not await self._committed(first):
                        break
                    for _ in first:
                        self._owed.popleft()
                if not self._owed and await self._cleared():
                    break
        finally:
            self._paying = None
        if self._lost and not self._owed:
            lost, self._lost = self._lost, 0
            self.note("audit.gap", outcome="lost", entries=lost)
