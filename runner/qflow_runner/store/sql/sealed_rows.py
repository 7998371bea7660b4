"""The sealed columns of all tables, read and written a page of rows at a time, for a new key."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.store.sql.tables import definitions, run_details, versions, workflows

_COLUMNS: dict[str, tuple[Table, tuple[str, ...]]] = {
    "definitions": (definitions, ("content",)),
    "saved versions": (versions, ("content", "function", "signature", "note")),
    "runs": (run_details, ("problem", "logs")),
    "workflows": (workflows, ("content",)),
}
KINDS = tuple(_COLUMNS)


class Page(NamedTuple):
    """Rows that were looked at; `last` is where the next page begins, None where there is none."""

    sealed: list[str]
    last: tuple[Any, ...] | None


async def page(connection: AsyncConnection, kind: str, after: tuple[Any, ...] | None, limit: int) -> Page:
    """What is sealed in the rows that follow `after`."""
    table, columns = _COLUMNS[kind]
    rows = await _rows(connection, table, after, limit)
    sealed = [row[name] for row in rows for name in columns if isinstance(row[name], str) and row[name]]
    return Page(sealed, _key(table, rows[-1]) if len(rows) == limit else None)


async def renew(
    connection: AsyncConnection,
    kind: str,
    after: tuple[Any, ...] | None,
    limit: int,
    renewed: Callable[[str], str | None],
) -> tuple[int, tuple[Any, ...] | None]:
    """Write anew what `renewed` answers a text for. How many rows, and where the next page begins.

    A row that was written meanwhile stays as it is: then it has the newest key already.
    """
    table, columns = _COLUMNS[kind]
    rows = await _rows(connection, table, after, limit)
    count = 0
    for row in rows:
        fresh = {
            name: text
            for name in columns
            if isinstance(row[name], str) and row[name] and (text := renewed(row[name])) is not None
        }
        if fresh:
            same: list[ColumnElement[bool]] = [
                column == row[column.name] for column in table.primary_key.columns
            ]
            await connection.execute(update(table).where(*same).values(**fresh))
            count += 1
    return count, _key(table, rows[-1]) if len(rows) == limit else None


async def _rows(
    connection: AsyncConnection, table: Table, after: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    keys = list(table.primary_key.columns)
    asked = select(table).order_by(*keys).limit(limit)
    if after is not None:
        asked = asked.where(tuple_(*keys) > tuple_(*after))
    if connection.dialect.name == "postgresql":
        asked = asked.with_for_update()
    return [dict(row) for row in (await connection.execute(asked)).mappings()]


def _key(table: Table, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key.columns)
