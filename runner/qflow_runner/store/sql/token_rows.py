"""Rows of the table of tokens."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.model import TokenRow
from qflow_runner.store.sql.tables import tokens


async def add(connection: AsyncConnection, row: TokenRow) -> None:
    await connection.execute(tokens.insert().values(**row._asdict()))


async def find(connection: AsyncConnection, ids: Collection[str]) -> list[TokenRow]:
    asked = select(tokens).where(tokens.c.id.in_(sorted(ids)))
    return [TokenRow(*row) for row in await connection.execute(asked)]


async def every(connection: AsyncConnection) -> list[TokenRow]:
    """The newest first."""
    asked = select(tokens).order_by(tokens.c.created.desc(), tokens.c.id)
    return [TokenRow(*row) for row in await connection.execute(asked)]


async def revoke(connection: AsyncConnection, token_id: str, now: datetime) -> bool:
    """Whether there is such a token. The moment of an earlier revocation stays."""
    changing = (
        update(tokens).where(tokens.c.id == token_id).values(revoked=func.coalesce(tokens.c.revoked, now))
    )
    return (await connection.execute(changing)).rowcount > 0


async def used(connection: AsyncConnection, moments: Mapping[str, datetime]) -> None:
    for token_id, moment in sorted(moments.items()):
        await connection.execute(update(tokens).where(tokens.c.id == token_id).values(used=moment))
