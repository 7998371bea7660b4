"""Rows of the names: list, find, delete. Their versions are in version_rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.keys import Keys
from qflow_runner.store.model import Saved
from qflow_runner.store.sealed import of_version, open_text
from qflow_runner.store.sql.tables import saved, versions


async def page(connection: AsyncConnection, keys: Keys, part: str, after: str, limit: int) -> list[Saved]:
    """Names in the order of their keys, those that contain `part` (a key) and come after the key `after`."""
    asked = _listed().where(saved.c.deleted.is_(None), saved.c.key > after).order_by(saved.c.key).limit(limit)
    if part:
        asked = asked.where(saved.c.key.contains(part, autoescape=True))
    return [_saved(row, keys) for row in await connection.execute(asked)]


async def find(connection: AsyncConnection, keys: Keys, key: str) -> Saved | None:
    row = (await connection.execute(_listed().where(saved.c.deleted.is_(None), saved.c.key == key))).first()
    return None if row is None else _saved(row, keys)


async def count(connection: AsyncConnection) -> int:
    asked = select(func.count()).select_from(saved).where(saved.c.deleted.is_(None))
    return (await connection.execute(asked)).scalar_one()


async def delete(connection: AsyncConnection, key: str, now: datetime) -> bool:
    """Whether there was such a name. Its versions stay until retention takes them."""
    deleting = update(saved).where(saved.c.key == key, saved.c.deleted.is_(None)).values(deleted=now)
    return (await connection.execute(deleting)).rowcount > 0


def _listed() -> Select[Any]:
    return select(saved, versions.c.function, versions.c.signature).join(
        versions, (versions.c.saved_id == saved.c.id) & (versions.c.version == saved.c.latest)
    )


def _saved(row: Row[Any], keys: Keys) -> Saved:
    function, signature = (
        open_text(keys, sealed, of_version(row.id, row.latest, column)) or ""
        for column, sealed in (("function", row.function), ("signature", row.signature))
    )
    return Saved(row.name, row.latest, function, signature, row.created, row.updated, row.key)
