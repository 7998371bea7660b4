"""Rows of the table of workflows. Their content is sealed."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.sql.tables import workflows


async def save(connection: AsyncConnection, workflow: str, sealed: str, now: datetime) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    adding = insert(workflows).values(id=workflow, content=sealed, put=now)
    await connection.execute(
        adding.on_conflict_do_update(index_elements=["id"], set_={"content": sealed, "put": now})
    )


async def load(connection: AsyncConnection, workflow: str) -> str | None:
    """Its sealed content."""
    return (
        await connection.execute(select(workflows.c.content).where(workflows.c.id == workflow))
    ).scalar_one_or_none()


async def newest(connection: AsyncConnection, limit: int) -> list[str]:
    """Ids, the one that was put last first."""
    asked = select(workflows.c.id).order_by(workflows.c.put.desc(), workflows.c.id).limit(limit)
    return list((await connection.execute(asked)).scalars())


async def remove_older(connection: AsyncConnection, kept: int, limit: int) -> int:
    """All but the newest so many; at most `limit` of them in one go. How many."""
    old = (
        select(workflows.c.id).order_by(workflows.c.put.desc(), workflows.c.id).offset(kept).limit(limit)
    ).subquery()
    return (await connection.execute(delete(workflows).where(workflows.c.id.in_(select(old.c.id))))).rowcount
