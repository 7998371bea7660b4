"""Migrations: they make what the code reads, once, and refuse what they do not know."""

import asyncio
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from qflow_runner.errors import DatabaseUnavailable
from qflow_runner.settings import Settings
from qflow_runner.store.sql import migrate, tables
from tests.unit.store.conftest import Store


def test_the_head_in_the_code_is_the_last_migration() -> None:
    """A start that compares with it need not load Alembic."""
    scripts = ScriptDirectory.from_config(migrate._config())

    assert [tables.HEAD] == scripts.get_heads()


async def test_migrations_make_the_tables_that_the_code_reads(store: Store) -> None:
    """Columns, types, indexes and constraints."""

    def differences(connection: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection), tables.metadata)

    found = await store.database.read(lambda connection: connection.run_sync(differences))

    assert [] == found


async def test_runners_that_start_together_migrate_once(settings: Settings) -> None:
    """Nobody fails because another was quicker, or the disk slow."""
    patient = settings.model_copy(update={"database_deadline_s": 30})
    stores = [Store(patient) for _ in range(3)]
    await asyncio.gather(*(store.database.opened() for store in stores))
    for store in stores:
        await store.definitions.save("a", {"code": "1"})
        await store.database.close()

    assert all(await asyncio.gather(*(_is_open(settings) for _ in range(2))))


async def test_a_database_of_a_newer_version_is_left_alone(settings: Settings) -> None:
    """It is refused with a sentence that says so."""
    async with Store(settings) as store:
        await store.database.write(
            lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        )
    async with Store(settings) as store:
        with pytest.raises(DatabaseUnavailable, match=r"newer Qflow \(migration 9999\)"):
            await store.definitions.load("a")
        assert "newer Qflow" in (await store.database.health()).reason


async def test_a_start_without_migrations_loads_no_alembic(settings: Settings) -> None:
    """It costs a third of a second."""
    async with Store(settings) as store:
        await store.definitions.save("a", {"code": "1"})
    program = (
        "import asyncio, sys\n"
        "from qflow_runner.settings import Settings\n"
        "from qflow_runner.store import Database\n"
        "assert 'sqlalchemy' not in sys.modules\n"
        "asyncio.run(Database(Settings(database_url=sys.argv[1])).opened())\n"
        "assert 'sqlalchemy' in sys.modules and 'alembic' not in sys.modules\n"
    )
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url)

    assert 0 == await ended.wait()


def _files(folder: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.glob("qflow.db*")}


async def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    """With its journals: the code of nodes may hold what others should not read."""
    async with Store(Settings(data_dir=tmp_path)) as store:
        await store.definitions.save("a", {"code": "1"})

        assert dict.fromkeys(("qflow.db", "qflow.db-wal", "qflow.db-shm"), 0o600) == _files(tmp_path)


async def _is_open(settings: Settings) -> bool:
    async with Store(settings) as store:
        return await store.definitions.load("a") is not None
