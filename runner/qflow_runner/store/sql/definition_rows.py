"""Rows of the table of definitions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.sql.tables import definitions


async def load(connection: AsyncConnection, definition_id: str) -> tuple[Mapping[str, Any], datetime] | None:
    """Its content, and when it was last used."""
    asked = select(definitions.c.content, definitions.c.used).where(definitions.c.id == definition_id)
    row = (await connection.execute(asked)).one_or_none()
    return None if row is None else (row.content, row.used)


async def save(
    connection: AsyncConnection, definition_id: str, content: Mapping[str, Any], now: datetime
) -> None:
    """Add it, or note that it was used."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    adding = insert(definitions).values(id=definition_id, content=dict(content), created=now, used=now)
    await connection.execute(adding.on_conflict_do_update(index_elements=["id"], set_={"used": now}))
