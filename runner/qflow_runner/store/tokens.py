"""The API's tokens in the database: hashes, and never the tokens themselves."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qflow_runner.store.database import Database
from qflow_runner.store.model import TokenRow

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


class StoredTokens:
    """Every method raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: TokenRow) -> None:
        async def work(connection: "AsyncConnection") -> None:
            from qflow_runner.store.sql import token_rows  # noqa: PLC0415 - loaded when it is opened

            await token_rows.add(connection, row)

        await self._database.write(work)

    async def find(self, ids: Collection[str]) -> dict[str, TokenRow]:
        """Those that there are, by their ids."""

        async def work(connection: "AsyncConnection") -> list[TokenRow]:
            from qflow_runner.store.sql import token_rows  # noqa: PLC0415 - loaded when it is opened

            return await token_rows.find(connection, ids)

        return {row.id: row for row in await self._database.read(work)}

    async def every(self) -> list[TokenRow]:
        """The newest first, with those that were revoked or are past their time."""

        async def work(connection: "AsyncConnection") -> list[TokenRow]:
            from qflow_runner.store.sql import token_rows  # noqa: PLC0415 - loaded when it is opened

            return await token_rows.every(connection)

        return await self._database.read(work)

    async def revoke(self, token_id: str) -> bool:
        """Whether there is such a token."""

        async def work(connection: "AsyncConnection") -> bool:
            from qflow_runner.store.sql import token_rows  # noqa: PLC0415 - loaded when it is opened

            return await token_rows.revoke(connection, token_id, datetime.now(UTC))

        return await self._database.write(work)

    async def used(self, moments: Mapping[str, datetime]) -> None:
        """When each was last used."""

        async def work(connection: "AsyncConnection") -> None:
            from qflow_runner.store.sql import token_rows  # noqa: PLC0415 - loaded when it is opened

            await token_rows.used(connection, moments)

        await self._database.write(work)
