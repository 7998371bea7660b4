"""Removes what nobody needs any more, a bounded number of rows in each transaction."""

from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.sql.tables import definitions, saved, versions


async def remove_names(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Names that were deleted before that moment, with their versions. How many."""
    old = select(saved.c.id).where(saved.c.deleted < before).limit(limit)
    deleting = delete(saved).where(saved.c.id.in_(old), saved.c.deleted < before)
    return (await connection.execute(deleting)).rowcount


async def remove_definitions(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Definitions last used before that moment that no saved version needs. How many."""
    needed = exists().where(versions.c.definition_id == definitions.c.id)
    old = select(definitions.c.id).where(definitions.c.used < before, ~needed).limit(limit)
    # The condition stands twice: one that was used in between is looked at again when its row is taken.
    deleting = delete(definitions).where(definitions.c.id.in_(old), definitions.c.used < before, ~needed)
    return (await connection.execute(deleting)).rowcount
