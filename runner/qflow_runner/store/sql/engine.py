"""The connection pool: SQLite tuned for one writer beside many readers, or PostgreSQL."""

import asyncio
import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, event, exc, inspect, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only

from qflow_runner.store.sql.run_rows import Batch, SqliteRuns, add

Answer = TypeVar("Answer")
Work = Callable[[AsyncConnection], Awaitable[Answer]]

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}
LOCKED_PAUSE_S = 0.02
# Faults of our own statements; whatever else the database says is about its state.
_OURS = (exc.IntegrityError, exc.DataError)


class WrongVersion(Exception):
    """The database was migrated by a later version of Qflow."""


class Engine:
    """A pool of connections. Every transaction is one call of `read` or `write`, and short."""

    def __init__(self, url: str, deadline_s: float, statement_s: float | None = None) -> None:
        """`deadline_s` is for a connection, and for a statement too where it has no longer one."""
        made = make_url(url)
        made = made.set(drivername=_DRIVERS[made.drivername])
        self.is_sqlite = made.get_backend_name() == "sqlite"
        make = _sqlite if self.is_sqlite else _postgres
        self._pool = make(made, deadline_s, statement_s or deadline_s)
        # SQLite lets one write at a time and makes the others poll; here they wait in line.
        self._line: AbstractAsyncContextManager[Any] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._runs = SqliteRuns(Path(made.database or ""), deadline_s) if self.is_sqlite else None

    async def read(self, work: Work[Answer]) -> Answer:
        async with self._pool.connect() as connection:
            return await work(connection)

    async def write(self, work: Work[Answer]) -> Answer:
        """In one transaction, committed when this returns. The first statement of `work` is one that writes."""
        async with self._line, self._pool.begin() as connection:
            return await work(connection)

    async def migrate(self, work: Work[Answer]) -> Answer:
        """As `write`, for whatever statements: on SQLite too, tables are made in the transaction."""
        async with self._line, self._pool.begin() as connection:
            if self.is_sqlite:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            return await work(connection)

    @property
    def runs_end_at_once(self) -> bool:
        """Whether who gives up waiting for `add_runs` breaks off no transaction, and waits no longer for that."""
        return self._runs is not None

    async def add_runs(self, batch: Batch) -> None:
        """In one transaction, committed when this returns."""
        if self._runs is None:
            await self.write(lambda connection: add(connection, batch))
            return
        async with self._line:
            await self._runs.add(batch)

    async def version(self) -> str | None:
        """The migration that the database is at; None for a new one."""

        return await self.read(lambda connection: connection.run_sync(version_of))

    async def ping(self) -> None:
        # A read of a table, because SQLite opens a file no earlier.
        await self.read(
            lambda connection: connection.execute(text("SELECT version_num FROM alembic_version"))
        )

    async def renew(self) -> None:
        """The next calls connect anew."""
        if self._runs is not None:
            self._runs.renew()
        await self._pool.dispose()

    async def close(self) -> None:
        if self._runs is not None:
            self._runs.close()
        await self._pool.dispose()


def version_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def reason_of(error: BaseException) -> str | None:
    """What is wrong with the database, in a line without its address; None where the database is not at fault."""
    if isinstance(error, _OURS):
        return None
    if isinstance(error, sqlite3.Error | WrongVersion):
        return str(error)
    if isinstance(error, exc.DBAPIError):
        told = str(error.orig).strip().splitlines() if error.orig is not None else []
        # SQLAlchemy's adapter puts the driver's class in front.
        return told[0].rpartition(">: ")[2] if told else type(error).__name__
    if isinstance(error, TimeoutError | exc.TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, exc.SQLAlchemyError):
        return None
    # asyncpg refuses a connection with errors of its own, which the adapter does not wrap.
    return str(error).splitlines()[0] if type(error).__module__.startswith("asyncpg") else None


def _sqlite(url: URL, deadline_s: float, statement_s: float) -> AsyncEngine:
    path = Path(url.database or "")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made before SQLite would make it: what people wrote is the owner's alone, and its journals follow.
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    # Never opened where it is there: to close any descriptor of it drops the locks of all this process's connections,
    # and then another process takes the journal away under them.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    engine = create_async_engine(
        url,
        pool_size=4,
        max_overflow=0,
        pool_timeout=deadline_s,
        pool_reset_on_return=None,  # every transaction is ended by its `with`, and each step waits for a thread
    )

    @event.listens_for(engine.sync_engine, "connect")
    def tune(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver begins with the first statement that writes, and waits its turn there: a transaction that
        # has read before could not. A BEGIN of ours would be three more steps.
        connection.isolation_level = "IMMEDIATE"
        try:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {int(statement_s * 800)}")
            _keep_journal(cursor, statement_s * 0.8)
            # Every commit is on the disk before it is answered.
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.close()
        except Exception:
            connection.close()  # the pool knows nothing of it yet
            raise

    return engine


def _keep_journal(cursor: DBAPICursor, deadline_s: float) -> None:
    """Change a new file to WAL. SQLite does not wait its turn for that, where others open the same file meanwhile."""
    until = time.monotonic() + deadline_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            await_only(asyncio.sleep(LOCKED_PAUSE_S))  # nothing tells when the others are done
        else:
            return


def _postgres(url: URL, deadline_s: float, statement_s: float) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=4,
        max_overflow=4,
        pool_timeout=deadline_s,
        pool_pre_ping=True,  # the server may have gone and come back
        connect_args={"timeout": deadline_s, "command_timeout": statement_s},
    )
