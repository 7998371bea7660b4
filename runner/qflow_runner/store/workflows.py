"""The workflows that were put, by their id, for a runner that starts again and for other runners of one database."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qflow_runner.store.database import Database
from qflow_runner.store.sealed import of_workflow, open_text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

TIDY_ROWS = 200


class StoredWorkflows:
    """Keeps the `most` that were put last. Every method raises DatabaseUnavailable."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        database.tidies.append(self.tidy)

    async def save(self, workflow: str, text: bytes) -> None:
        """`text` is its JSON, in place of what was put before."""
        place = of_workflow(workflow)
        # It may be tens of megabytes.
        sealed = await asyncio.to_thread(self._database.keys.seal, text.decode(), place)
        now = datetime.now(UTC)

        async def work(connection: "AsyncConnection") -> None:
            from qflow_runner.store.sql import workflow_rows  # noqa: PLC0415 - loaded when it is opened

            await workflow_rows.save(connection, workflow, sealed, now)

        await self._database.write(work)

    async def load(self, workflow: str) -> bytes | None:
        """None where it is not known, or cannot be decrypted."""

        async def work(connection: "AsyncConnection") -> str | None:
            from qflow_runner.store.sql import workflow_rows  # noqa: PLC0415 - loaded when it is opened

            return await workflow_rows.load(connection, workflow)

        sealed = await self._database.read(work)
        if sealed is None:
            return None
        text = await asyncio.to_thread(open_text, self._database.keys, sealed, of_workflow(workflow))
        return None if text is None else text.encode()

    async def newest(self) -> list[str]:
        """Ids, the one that was put last first."""

        async def work(connection: "AsyncConnection") -> list[str]:
            from qflow_runner.store.sql import workflow_rows  # noqa: PLC0415 - loaded when it is opened

            return await workflow_rows.newest(connection, self._most)

        return await self._database.read(work)

    async def tidy(self) -> None:
        """Remove those that were put longest ago."""

        async def work(connection: "AsyncConnection") -> int:
            from qflow_runner.store.sql import workflow_rows  # noqa: PLC0415 - loaded when it is opened

            return await workflow_rows.remove_older(connection, self._most, TIDY_ROWS)

        while await self._database.write(work) == TIDY_ROWS:
            pass
