"""The audit log in the database: one chain, to which every runner that shares the database appends."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qflow_runner.store.audit_record import AuditEntry, AuditRow, ChainEnd, ChainHead
from qflow_runner.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


class AuditLog:
    """Every method raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entries: Sequence[AuditEntry]) -> ChainEnd:
        """Committed when this returns: the end of the chain then."""

        async def work(connection: "AsyncConnection") -> ChainEnd:
            from qflow_runner.store.sql import audit_rows  # noqa: PLC0415 - loaded when it is opened

            return await audit_rows.append(connection, entries)

        return await self._database.write(work)

    async def head(self) -> ChainHead:
        async def work(connection: "AsyncConnection") -> ChainHead:
            from qflow_runner.store.sql import audit_rows  # noqa: PLC0415 - loaded when it is opened

            return await audit_rows.head(connection)

        return await self._database.read(work)

    async def walk(self, after: int, limit: int) -> list[AuditRow]:
        """The rows after that one, the oldest first."""

        async def work(connection: "AsyncConnection") -> list[AuditRow]:
            from qflow_runner.store.sql import audit_rows  # noqa: PLC0415 - loaded when it is opened

            return await audit_rows.walk(connection, after, limit)

        return await self._database.read(work)

    async def page(
        self,
        *,
        before: int | None = None,
        action: str = "",
        actor: str = "",
        outcome: str = "",
        since_ms: int = 0,
        limit: int = 50,
    ) -> list[AuditRow]:
        """The newest first. `action` is a whole one, or its first word; `actor` the id or the name of a token."""

        async def work(connection: "AsyncConnection") -> list[AuditRow]:
            from qflow_runner.store.sql import audit_rows  # noqa: PLC0415 - loaded when it is opened

            return await audit_rows.page(
                connection,
                before=before,
                action=action,
                actor=actor,
                outcome=outcome,
                since=since_ms,
                limit=limit,
            )

        return await self._database.read(work)

    async def last_before(self, at_ms: int, limit: int) -> ChainEnd | None:
        """The end of what is older than that, at most so many rows from the beginning on."""

        async def work(connection: "AsyncConnection") -> ChainEnd | None:
            from qflow_runner.store.sql import audit_rows  # noqa: PLC0415 - loaded when it is opened

            return await audit_rows.last_before(connection, at_ms, limit)

        return await self._database.read(work)

    async def prune(self, through: ChainEnd, mac: str) -> int:
        """Remove the rows up to that one; `mac` signs it. How many."""

        async def work(connection: "AsyncConnection") -> int:
            from qflow_runner.store.sql import audit_rows  # noqa: PLC0415 - loaded when it is opened

            return await audit_rows.prune(connection, through, mac)

        return await self._database.write(work)
