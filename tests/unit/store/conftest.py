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


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
async def postgresql_url(postgres: Postgres) -> AsyncIterator[str]:
    name = f"test_{os.urandom(6).hex()}"
    yield await postgres.create(name)
    await postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database."""
    return request.getfixturevalue(f"{request.param}_url")


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
