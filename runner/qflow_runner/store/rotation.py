"""Encrypts the database's sealed columns anew when there is a newer key, a page of rows in each transaction."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog

from qflow_runner.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from qflow_runner.store.sql.sealed_rows import Page

log = structlog.get_logger()

ROWS = 200
UNREADABLE = "unreadable"
"""In place of a key's name: texts that no key opens."""


class Rotation:
    """Done beside the runner's work, once for each newest key that it has."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done = ""
        database.tidies.append(self.tidy)

    async def tidy(self) -> None:
        """Raises DatabaseUnavailable."""
        newest = self._database.keys.newest
        if self._done == newest:
            return
        if self._database.keys.count > 1:
            renewed = await self.renew()
            if sum(renewed.values()):
                log.info(
                    "database.rotated",
                    key=newest,
                    **{name.replace(" ", "_"): n for name, n in renewed.items()},
                )
        self._done = newest

    async def renew(self) -> dict[str, int]:
        """How many rows of each kind were not of the newest key; what no key opens stays. Raises DatabaseUnavailable."""
        counted: Counter[str] = Counter()
        for kind in await self._kinds():
            after: tuple[Any, ...] | None = None
            while True:
                count, after = await self._database.write(self._renewing(kind, after))
                counted[kind] += count
                if after is None:
                    break
        return dict(counted)

    async def held(self) -> dict[str, dict[str, int]]:
        """How many texts of each kind every key holds, by its name, or `UNREADABLE`. Raises DatabaseUnavailable."""
        counted: dict[str, dict[str, int]] = {}
        for kind in await self._kinds():
            after: tuple[Any, ...] | None = None
            while True:
                page = await self._database.read(self._paging(kind, after))
                for sealed in page.sealed:
                    name = self._database.keys.holder(sealed.encode("utf-8", "replace")) or UNREADABLE
                    of_key = counted.setdefault(name, {})
                    of_key[kind] = of_key.get(kind, 0) + 1
                after = page.last
                if after is None:
                    break
        return counted

    async def _kinds(self) -> tuple[str, ...]:
        await self._database.read(_nothing)  # opens it, and loads what follows
        from qflow_runner.store.sql.sealed_rows import KINDS  # noqa: PLC0415 - loaded when it is opened

        return KINDS

    def _renewing(self, kind: str, after: tuple[Any, ...] | None) -> Any:
        async def work(connection: "AsyncConnection") -> tuple[int, tuple[Any, ...] | None]:
            from qflow_runner.store.sql import sealed_rows  # noqa: PLC0415 - loaded when it is opened

            return await sealed_rows.renew(connection, kind, after, ROWS, self._renewed)

        return work

    def _paging(self, kind: str, after: tuple[Any, ...] | None) -> Any:
        async def work(connection: "AsyncConnection") -> "Page":
            from qflow_runner.store.sql import sealed_rows  # noqa: PLC0415 - loaded when it is opened

            return await sealed_rows.page(connection, kind, after, ROWS)

        return work

    def _renewed(self, sealed: str) -> str | None:
        fresh = self._database.keys.renewed(sealed.encode("utf-8", "replace"))
        return None if fresh is None else fresh.decode("ascii")


async def _nothing(connection: "AsyncConnection") -> None:
    del connection
