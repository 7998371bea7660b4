"""Brings a database to `HEAD`. Imports Alembic, so it is imported only where there is something to migrate."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.keys import Keys
from qflow_runner.store.sql.engine import Engine, WrongVersion, version_of

MIGRATE_S = 600.0
"""How long one statement of a migration may take."""
_LOCK = 7_170_001
"""The number of PostgreSQL's lock: runners that share a database migrate it one after the other."""


def migrate(url: str, deadline_s: float, keys: Keys) -> None:
    """For a thread of its own: it has its own event loop, and holds up nobody's. In one transaction."""
    asyncio.run(_migrate(url, deadline_s, keys))


async def _migrate(url: str, deadline_s: float, keys: Keys) -> None:
    engine = Engine(url, deadline_s, MIGRATE_S)
    try:
        await engine.migrate(lambda connection: _locked(connection, keys))
    finally:
        await engine.close()


async def _locked(connection: AsyncConnection, keys: Keys) -> None:
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    await connection.run_sync(upgrade, keys)


def upgrade(connection: Connection, keys: Keys, to: str = "head") -> None:
    """Run the migrations that `connection`'s database lacks; `keys` encrypt what was not. Raises WrongVersion."""
    config = _config()
    at = version_of(connection)
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if at is not None and at not in known:
        raise WrongVersion(f"it was made by a newer Qflow (migration {at}): update this one")
    config.attributes |= {"connection": connection, "keys": keys}
    command.upgrade(config, to)


def _config() -> Config:
    config = Config()
    folder = Path(__file__).resolve().parent.parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
