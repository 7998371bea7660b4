"""A database that is away, locked, broken or empty: said with a reason, and found again."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lab.postgres import Postgres
from qflow_runner.errors import DatabaseUnavailable
from qflow_runner.settings import Settings
from qflow_runner.store import database
from tests.unit.store.conftest import Store


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt comes at once."""
    monkeypatch.setattr(database, "RETRY_S", 0.05)


async def until(answers: Callable[[], Awaitable[object]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while True:
            try:
                await answers()
                return
            except DatabaseUnavailable:
                await asyncio.sleep(0.05)


async def test_postgres_away_and_back(postgres: Postgres, tmp_path: Path) -> None:
    """Calls fail with a reason while it is away, and succeed again without a restart."""
    url = await postgres.create("away")
    async with Store(Settings(data_dir=tmp_path, database_url=url, database_deadline_s=2)) as store:
        await store.definitions.save("a", {"code": "1"})
        await postgres.stop()
        try:
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable) as failure:
                    await store.definitions.load("a")
            assert failure.value.hint
            assert ("PostgreSQL", False) == (failure.value.detail[:10], (await store.database.health()).ok)
        finally:
            await postgres.start()
        await until(lambda: store.definitions.load("a"))

        assert {"code": "1"} == await store.definitions.load("a")
        assert (await store.database.health()).ok
    await postgres.drop("away")


async def test_postgres_away_at_the_start(postgres: Postgres, tmp_path: Path) -> None:
    """The runner starts, and finds it later."""
    url = await postgres.create("late")
    await postgres.stop()
    try:
        store = Store(Settings(data_dir=tmp_path, database_url=url, database_deadline_s=2))
        await store.database.open()
        with pytest.raises(DatabaseUnavailable):
            await store.definitions.save("a", {"code": "1"})
    finally:
        await postgres.start()
    await until(lambda: store.definitions.save("a", {"code": "1"}))
    await store.database.close()
    await postgres.drop("late")


async def test_a_wrong_password_is_told_without_the_password(postgres: Postgres, tmp_path: Path) -> None:
    """Neither in the reason nor in the settings."""
    url = postgres.url("postgres").replace("@", "-wrong@")
    settings = Settings(data_dir=tmp_path, database_url=url, database_deadline_s=2)
    async with Store(settings) as store:
        with pytest.raises(DatabaseUnavailable, match="password authentication failed") as failure:
            await store.definitions.load("a")

    secret = url.split(":")[2].split("@")[0]
    assert secret not in failure.value.detail
    assert secret not in repr(settings)


async def test_an_emptied_database_is_made_again(postgres: Postgres, tmp_path: Path) -> None:
    """As after a restore of the wrong backup: the next calls find tables."""
    url = await postgres.create("emptied")
    async with Store(Settings(data_dir=tmp_path, database_url=url, database_deadline_s=2)) as store:
        await store.definitions.save("a", {"code": "1"})
        await postgres.drop("emptied")
        await postgres.create("emptied")
        await until(lambda: store.definitions.load("a"))

        assert await store.definitions.load("a") is None
    await postgres.drop("emptied")


async def test_a_locked_sqlite_is_away_until_it_is_free(tmp_path: Path) -> None:
    """Another program holds the write lock: readers go on, writers are told, and succeed later."""
    async with Store(Settings(data_dir=tmp_path, database_deadline_s=0.5)) as store:
        await store.definitions.save("a", {"code": "1"})
        other = sqlite3.connect(tmp_path / "qflow.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        assert {"code": "1"} == await store.definitions.load("a")
        with pytest.raises(DatabaseUnavailable, match=r"locked|in time"):
            await store.definitions.save("b", {"code": "2"})
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: store.definitions.save("b", {"code": "2"}))

        assert {"code": "2"} == await store.definitions.load("b")


@pytest.mark.parametrize(
    "content", [b"this is no database, but a file of text\n" * 100, b"SQLite format 3\x00" + b"x" * 5000]
)
async def test_a_broken_file_is_told_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Nobody's data is overwritten; when the file is gone the runner begins anew."""
    path = tmp_path / "qflow.db"
    path.write_bytes(content)
    async with Store(Settings(data_dir=tmp_path, database_deadline_s=1)) as store:
        with pytest.raises(DatabaseUnavailable, match=r"not a database|malformed"):
            await store.definitions.load("a")
        assert content == path.read_bytes()
        path.unlink()
        await until(lambda: store.definitions.save("a", {"code": "1"}))

        assert (await store.database.health()).ok


async def test_a_place_where_no_file_can_be_made(tmp_path: Path) -> None:
    """Is told as what it is."""
    (tmp_path / "file").write_text("")
    url = f"sqlite:///{tmp_path}/file/below/store.db"
    async with Store(Settings(data_dir=tmp_path, database_url=url)) as store:
        with pytest.raises(DatabaseUnavailable, match="Not a directory"):
            await store.definitions.load("a")
        health = await store.database.health()

    assert (False, "SQLite: Not a directory") == (health.ok, health.reason)


async def test_the_loop_is_free_while_it_is_opened(tmp_path: Path) -> None:
    """Opening imports, connects and migrates beside it."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - began)

    watching = asyncio.create_task(watch())
    async with Store(Settings(data_dir=tmp_path)) as store:
        await store.definitions.save("a", {"code": "1"})
    watching.cancel()

    assert longest < 0.25
