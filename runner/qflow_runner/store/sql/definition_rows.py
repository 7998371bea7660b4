"""Rows of the table of definitions. Their content is sealed."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.sql.tables import definitions


async def load(connection: AsyncConnection, definition_id: str) -> tuple[Any, datetime] | None:
    """Its sealed content, and when it was last used."""
    asked = select(definitions.c.content, definitions.c.used).where(definitions.c.id == definition_id)
    row = (await connection.execute(asked)).one_or_none()
    return None if row is None else (row.content, row.used)


async def save(connection: AsyncConnection, definition_id: str, sealed: str, now: datetime) -> None:
    """Add it, or note that it was used. It is written again, because what is there may be of a key that is gone."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    adding = insert(definitions).values(id=definition_id, content=sealed, created=now, used=now)
    await connection.execute(
        adding.on_conflict_do_update(index_elements=["id"], set_={"used": now, "content": sealed})
    )
