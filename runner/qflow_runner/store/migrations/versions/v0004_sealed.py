"""What people wrote is encrypted: the content of definitions, saved versions, and what runs printed and failed with.

Each text is sealed under the name of its place, as `store.sealed` has it. A column of JSON then holds a text.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROWS = 500


def upgrade() -> None:
    keys = op.get_context().config.attributes["keys"]  # type: ignore[union-attr]
    connection = op.get_bind()
    definitions = sa.table("definitions", sa.column("id"), sa.column("content", sa.JSON()))
    for row in _rows(connection, definitions):
        sealed = keys.seal(_json(row.content), f"definition {row.id}")
        connection.execute(sa.update(definitions).where(definitions.c.id == row.id).values(content=sealed))
    texts = ("function", "signature", "note")
    versions = sa.table(
        "saved_versions",
        sa.column("saved_id"),
        sa.column("version"),
        sa.column("content", sa.JSON()),
        *map(sa.column, texts),
    )
    for row in _rows(connection, versions):
        place = f"saved {row.saved_id} {row.version}"
        sealed = {name: keys.seal(getattr(row, name), f"{place} {name}") for name in texts}
        sealed["content"] = keys.seal(_json(row.content), f"{place} content")
        changed = sa.update(versions).where(
            versions.c.saved_id == row.saved_id, versions.c.version == row.version
        )
        connection.execute(changed.values(**sealed))
    details = sa.table("run_details", *map(sa.column, ("id", "problem", "logs")))
    for row in _rows(connection, details):
        told = {name: getattr(row, name) for name in ("problem", "logs")}
        sealed = {name: keys.seal(text, f"run {row.id} {name}") for name, text in told.items() if text}
        if sealed:
            connection.execute(sa.update(details).where(details.c.id == row.id).values(**sealed))


def _rows(connection: sa.Connection, table: sa.TableClause) -> Iterator[sa.Row[Any]]:
    """All of them, some at a time, in the order of the columns up to the version or the id."""
    ordered = [table.c.saved_id, table.c.version] if table.name == "saved_versions" else [table.c.id]
    asked = sa.select(table).order_by(*ordered).limit(ROWS)
    page = connection.execute(asked).all()
    while page:
        yield from page
        last = [getattr(page[-1], column.name) for column in ordered]
        page = connection.execute(asked.where(sa.tuple_(*ordered) > sa.tuple_(*last))).all()


def _json(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))
