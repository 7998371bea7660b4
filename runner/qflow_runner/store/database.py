"""The database: opened beside the runner's start, asked with a deadline, and found again when it was away.

One background task tends it: opens and migrates, tries again while that fails, and removes once an hour what
nobody needs. After a call that failed the database is looked at again, so that one that came back empty is migrated.
"""

import asyncio
import contextlib
import importlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from qflow_runner.errors import DatabaseUnavailable
from qflow_runner.keys import Keys
from qflow_runner.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from qflow_runner.store.sql import Engine
    from qflow_runner.store.sql.run_rows import Batch

log = structlog.get_logger()
Answer = TypeVar("Answer")
Work = Callable[["AsyncConnection"], Awaitable[Answer]]

RETRY_S = 2.0
"""Between two attempts to open it."""
TIDY_S = 3_600.0
PING_S = 2.0
"""How long a probe of readiness waits."""


@dataclass(frozen=True)
class Health:
    ok: bool
    reason: str


class Database:
    """Each of `tidies` is called once an hour, and first when the database is open."""

    def __init__(self, settings: Settings, keys: Keys | None = None) -> None:
        """Without `keys`, those of the settings are read, or made, when they are first needed."""
        given = settings.database_url
        self.url = given.get_secret_value() if given else f"sqlite:///{settings.data_dir.resolve()}/qflow.db"
        self.kind = "SQLite" if self.url.startswith("sqlite") else "PostgreSQL"
        self.tidies: list[Callable[[], Awaitable[None]]] = []
        self._settings = settings
        self._keys = keys
        self._deadline_s = settings.database_deadline_s
        self._engine: Engine | None = None
        self._reason = "it is being opened"
        self._tried = asyncio.Event()
        self._closing = asyncio.Event()
        self._looking = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[Any]] = set()

    @property
    def keys(self) -> Keys:
        """What people wrote is encrypted with them. Raises KeyInvalid."""
        if self._keys is None:
            self._keys = Keys(self._settings)
        return self._keys

    async def open(self) -> None:
        """Begin to open it; calls wait for that. A database that is away is no reason not to start."""
        self._keeping = asyncio.create_task(self._keep())

    async def opened(self) -> None:
        """Open it now, and once. Raises DatabaseUnavailable."""
        if not await self._look():
            raise self._away(self._reason)

    async def close(self) -> None:
        self._closing.set()
        if self._keeping is not None:
            await self._keeping
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._deadline_s)
        if self._engine is not None:
            await self._engine.close()
            self._engine = None

    async def health(self) -> Health:
        engine = self._engine
        if engine is None:
            return Health(ok=False, reason=f"{self.kind}: {self._reason}")
        try:
            await self._shielded(engine.ping(), min(PING_S, self._deadline_s))
        except DatabaseUnavailable as error:
            return Health(ok=False, reason=error.detail)
        return Health(ok=True, reason=f"{self.kind} answers")

    async def read(self, work: Work[Answer]) -> Answer:
        """Raises DatabaseUnavailable."""
        engine = await self._ready()
        return await self._shielded(engine.read(work), self._deadline_s)

    async def write(self, work: Work[Answer]) -> Answer:
        """In one transaction, committed when this returns. Raises DatabaseUnavailable."""
        engine = await self._ready()
        return await self._shielded(engine.write(work), self._deadline_s)

    async def add_runs(self, batch: Callable[[], "Batch"]) -> None:
        """Committed when this returns; `batch` is asked for its rows once it can be. Raises DatabaseUnavailable."""
        engine = self._engine or await self._ready()
        if not engine.runs_end_at_once:
            await self._shielded(engine.add_runs(batch()), self._deadline_s)
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                await engine.add_runs(batch())
        except Exception as error:
            reason = _reason_of(error)
            if reason is None:
                raise
            raise self._failed(reason) from error

    async def _ready(self) -> "Engine":
        if self._engine is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._tried.wait(), self._deadline_s)
        if self._engine is None:
            raise self._away(self._reason)
        return self._engine

    async def _shielded(self, work: Coroutine[Any, Any, Answer], deadline_s: float) -> Answer:
        task = self._begun(work)
        # A caller that hangs up does not break off a transaction, whose connection would be lost with it.
        await asyncio.wait({task}, timeout=deadline_s)
        if not task.done():
            # Its connection may take as long again to be given up, and nobody waits for that.
            task.cancel()
            raise self._failed("it did not answer in time")
        try:
            return task.result()
        except Exception as error:
            reason = _reason_of(error)
            if reason is None:
                raise
            raise self._failed(reason) from error

    def _begun(self, work: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        # Of one that was given up nobody asks how it ended.
        _ = task.cancelled() or task.exception()

    def _failed(self, reason: str) -> DatabaseUnavailable:
        """And look at it again."""
        if not self._looking.locked() and not self._closing.is_set():
            self._begun(self._look())
        return self._away(reason)

    def _away(self, reason: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(f"{self.kind}: {reason}.")

    async def _keep(self) -> None:
        while not self._closing.is_set():
            well = await self._look() and await self._tidied()
            self._tried.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), TIDY_S if well else RETRY_S)

    async def _tidied(self) -> bool:
        # Calls need not wait for it.
        self._tried.set()
        if self._settings.engine == "celery":
            return True  # one worker does it for all
        try:
            await self.tidy()
        except DatabaseUnavailable:
            return False
        return True

    async def tidy(self) -> None:
        """Remove what is too old, or too much. Raises DatabaseUnavailable."""
        for tidy in self.tidies:
            await tidy()

    async def _look(self) -> bool:
        """Whether the database is open and at the migration that this version knows."""
        async with self._looking:
            try:
                await self._bring_up()
            except Exception as error:
                reason = _reason_of(error)
                if reason is None:
                    # A fault of ours: told in full, and tried again, because the next call needs the database too.
                    log.exception("database.failed", kind=self.kind)
                    reason = "it could not be opened; the runner's log says why"
                elif reason != self._reason:
                    log.warning("database.away", kind=self.kind, reason=reason)
                self._reason = reason
                return False
            if self._reason:
                log.info("database.open", kind=self.kind)
            self._reason = ""
            return True

    async def _bring_up(self) -> None:
        sql = await asyncio.to_thread(importlib.import_module, "qflow_runner.store.sql")
        engine = self._engine or await asyncio.to_thread(sql.Engine, self.url, self._deadline_s)
        try:
            version = await self._version(engine)
            if version != sql.HEAD:
                migrating = await asyncio.to_thread(importlib.import_module, "qflow_runner.store.sql.migrate")
                await asyncio.to_thread(migrating.migrate, self.url, self._deadline_s, self.keys)
            self._engine = engine
        finally:
            if self._engine is not engine:
                await engine.close()

    async def _version(self, engine: "Engine") -> str | None:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await engine.version()
        except Exception:
            # A file that was put back from a backup is another one than that which is open.
            await engine.renew()
            raise


def _reason_of(error: Exception) -> str | None:
    from qflow_runner.store.sql.engine import reason_of  # noqa: PLC0415 - loaded when the database is opened

    return reason_of(error)
