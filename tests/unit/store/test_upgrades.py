"""A database of any earlier version, with what people and runs had left in it, is read whole by today's."""

import json
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, select

from qflow_runner.access import Tokens
from qflow_runner.audit import Audit
from qflow_runner.keys import Keys
from qflow_runner.settings import Settings
from qflow_runner.store import StoredTokens
from qflow_runner.store.sql import migrate, tables
from qflow_runner.store.sql.engine import Engine
from tests.unit.store.conftest import Store
from tests.unit.store.test_audit import checked
from tests.unit.store.test_sealed import filled, reads, reads_workflow

Rows = dict[str, list[dict[str, Any]]]

REVISIONS = [each.revision for each in ScriptDirectory.from_config(migrate._config()).walk_revisions()]
EARLIER = sorted(each for each in REVISIONS if each != tables.HEAD)
SEALED = "0004"
"""From this migration on, what people wrote is sealed."""


@pytest.mark.parametrize("revision", EARLIER)
async def test_what_was_kept_is_read_after_the_migration(
    settings: Settings, tmp_path: Path, revision: str
) -> None:
    """Rows of each table that there was, as that version wrote them."""
    source = settings.model_copy(update={"database_url": None, "data_dir": tmp_path / "source"})
    async with Store(source) as store:
        run = await filled(store)
        made = await Tokens(StoredTokens(store.database), "own").create("ci", ("run",), by="tests")
        audit = Audit(source, store.database, "tests")
        await audit.open()
        audit.note("runner.started", "runner")
        audit.note("token.created", "ci")
        await audit.close()
        rows = await store.database.read(lambda connection: connection.run_sync(_rows))
        keys = store.database.keys
    target = settings.model_copy(update={"data_dir": source.data_dir})
    there = await _filled(target, keys, revision, rows)

    async with Store(target) as store:
        await store.database.opened()
        if "node_runs" in there:
            await reads(store, run)
        else:
            assert {"code"} == set(await store.definitions.load("a" * 64) or {})
            assert 1 == (await store.saved.get("named")).version
        if "tokens" in there:
            tokens = Tokens(StoredTokens(store.database), "own")
            assert await tokens.verify(made.token) is not None
            await tokens.close()
            found = await checked(Audit(target, store.database, "tests"))
            assert (2, "") == (found.rows, found.broken)
        if "workflows" in there:
            await reads_workflow(store)


async def _filled(settings: Settings, keys: Keys, revision: str, rows: Rows) -> set[str]:
    """A database of that revision with these rows; the tables that it has."""
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    engine = Engine(Store(settings).database.url, 5)
    assert url
    await engine.migrate(lambda connection: connection.run_sync(migrate.upgrade, keys, revision))
    there: set[str] = await engine.write(
        lambda connection: connection.run_sync(_put, keys, rows, revision < SEALED)
    )
    await engine.close()
    return there


def _rows(connection: Connection) -> Rows:
    return {
        table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for table in tables.metadata.sorted_tables
    }


def _put(connection: Connection, keys: Keys, rows: Rows, plain: bool) -> set[str]:
    """Of each table the columns that it has at this revision."""
    looked = inspect(connection)
    there = set(looked.get_table_names())
    for table in tables.metadata.sorted_tables:
        if table.name not in there:
            continue
        columns = {each["name"] for each in looked.get_columns(table.name)}
        if table.name == "audit_head":
            connection.execute(table.delete())
        for row in rows[table.name]:
            told = _opened(keys, table.name, row) if plain else row
            connection.execute(
                insert(table).values({name: value for name, value in told.items() if name in columns})
            )
    return there


def _opened(keys: Keys, table: str, row: dict[str, Any]) -> dict[str, Any]:
    """As it was written before it was sealed."""

    def text(column: str, place: str) -> str:
        opened = keys.opened(row[column], place) if row[column] else ""
        assert opened is not None
        return opened

    if table == "definitions":
        return row | {"content": json.loads(text("content", f"definition {row['id']}"))}
    if table == "saved_versions":
        place = f"saved {row['saved_id']} {row['version']}"
        texts = {name: text(name, f"{place} {name}") for name in ("function", "signature", "note")}
        return row | texts | {"content": json.loads(text("content", f"{place} content"))}
    if table == "run_details":
        return row | {name: text(name, f"run {row['id']} {name}") for name in ("problem", "logs")}
    return row


def test_every_earlier_version_is_tried() -> None:
    """A migration that is added is tried by itself."""
    assert len(REVISIONS) - 1 == len(EARLIER) >= 4
