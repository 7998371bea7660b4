"""Every test of the store runs on SQLite and on a real PostgreSQL."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest

from lab.postgres import Postgres, postgres_bin, running_postgres
from qflow_runner.settings import Settings
from qflow_runner.store import Database, SavedDefinitions, StoredDefinitions


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    if postgres_bin() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed: run scripts/postgres.sh")
    async with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"test_{os.urandom(6).hex()}"
    yield await server.create(name)
    await server.drop(name)


class Store:
    """A database and what is asked of it, as the runner puts them together."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings)
        self.definitions = StoredDefinitions(settings, self.database)
        self.saved = SavedDefinitions(self.database)

    async def __aenter__(self) -> Self:
        await self.database.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.database.close()


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, database_url=url, database_deadline_s=3)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with Store(settings) as opened:
        yield opened
