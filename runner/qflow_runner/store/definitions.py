"""Definitions by their hash, as the runner's memory of them writes and reads them."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from qflow_runner.settings import Settings
from qflow_runner.store.database import Database
from qflow_runner.store.model import Content
from qflow_runner.store.sealed import of_definition, open_json, seal_json

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

log = structlog.get_logger()

USED_EVERY_S = 43_200.0
"""How exactly the database knows when a definition was last used: less than the shortest time it is kept for."""
WRITTEN = 20_000
"""Ids that are remembered as written."""
TIDY_ROWS = 200
"""Rows removed in one transaction, which others wait for."""
TIDY_ROUNDS = 500


class StoredDefinitions:
    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._kept_for = timedelta(days=settings.definition_days)
        self._written: OrderedDict[str, float] = OrderedDict()
        database.tidies.append(self.tidy)

    async def save(self, definition_id: str, content: Content) -> None:
        """Committed when this returns; at once where that was so lately. Raises DatabaseUnavailable."""
        if time.monotonic() - self._written.get(definition_id, float("-inf")) < USED_EVERY_S:
            return
        sealed = seal_json(self._database.keys, content, of_definition(definition_id))

        async def work(connection: "AsyncConnection") -> None:
            from qflow_runner.store.sql import definition_rows  # noqa: PLC0415 - loaded when it is opened

            await definition_rows.save(connection, definition_id, sealed, datetime.now(UTC))

        await self._database.write(work)
        self.written(definition_id)

    async def load(self, definition_id: str) -> Mapping[str, Any] | None:
        """Its content; None where it is not known, or cannot be decrypted. Raises DatabaseUnavailable."""

        async def work(connection: "AsyncConnection") -> tuple[Any, datetime] | None:
            from qflow_runner.store.sql import definition_rows  # noqa: PLC0415 - loaded when it is opened

            return await definition_rows.load(connection, definition_id)

        found = await self._database.read(work)
        if found is None:
            return None
        sealed, used = found
        content = open_json(self._database.keys, sealed, of_definition(definition_id))
        if content is None:
            return None
        if datetime.now(UTC) - used > timedelta(seconds=USED_EVERY_S):
            await self.save(definition_id, content)
        return content

    def written(self, definition_id: str) -> None:
        """It was committed just now, by whomever."""
        self._written[definition_id] = time.monotonic()
        self._written.move_to_end(definition_id)
        if len(self._written) > WRITTEN:
            self._written.popitem(last=False)

    async def tidy(self) -> None:
        """Remove what was deleted or last used too long ago, a bounded number of rows. Raises DatabaseUnavailable."""
        before = datetime.now(UTC) - self._kept_for

        async def names(connection: "AsyncConnection") -> int:
            from qflow_runner.store.sql import retention  # noqa: PLC0415 - loaded when it is opened

            return await retention.remove_names(connection, before, TIDY_ROWS)

        async def unused(connection: "AsyncConnection") -> int:
            from qflow_runner.store.sql import retention  # noqa: PLC0415 - loaded when it is opened

            return await retention.remove_definitions(connection, before, TIDY_ROWS)

        for work, what in ((names, "names"), (unused, "definitions")):
            removed = 0
            for _ in range(TIDY_ROUNDS):
                count = await self._database.write(work)
                removed += count
                if count < TIDY_ROWS:
                    break
            if removed:
                log.info("database.tidied", removed=removed, what=what)
