"""Workflows that were put: kept over a restart, unreadable in the file, and not more of them than the runner wants."""

from sqlalchemy import text

from qflow_runner.settings import Settings
from qflow_runner.store import StoredWorkflows
from tests.unit.store.conftest import Store

CONTENT = b'{"name":"Orders \xc3\xa9","nodes":[]}'


async def test_a_workflow_is_what_was_put_last(settings: Settings) -> None:
    """Also for the next runner, and whatever its id is made of."""
    names = ("a", "with \n a line", "é" * 200)
    async with Store(settings) as store:
        workflows = StoredWorkflows(store.database, 10)
        for name in names:
            await workflows.save(name, b"{}")
            await workflows.save(name, CONTENT)
    async with Store(settings) as store:
        workflows = StoredWorkflows(store.database, 10)

        assert [CONTENT] * 3 == [await workflows.load(name) for name in names]
        assert await workflows.load("b") is None
        assert list(reversed(names)) == await workflows.newest()


async def test_the_oldest_go_when_there_are_too_many(store: Store) -> None:
    """To put one again makes it new."""
    workflows = StoredWorkflows(store.database, 3)
    for name in ("a", "b", "c", "d", "a"):
        await workflows.save(name, CONTENT)
    await workflows.tidy()

    assert ["a", "d", "c"] == await workflows.newest()
    assert await workflows.load("b") is None


async def test_it_is_sealed_and_cannot_be_moved(store: Store) -> None:
    """What stands under one id opens under no other."""
    workflows = StoredWorkflows(store.database, 10)
    await workflows.save("a", CONTENT)
    rows = await store.database.read(
        lambda connection: connection.execute(text("SELECT content FROM workflows"))
    )

    assert "Orders" not in rows.scalar_one()
    await store.database.write(
        lambda connection: connection.execute(text("UPDATE workflows SET id = 'b' WHERE id = 'a'"))
    )
    assert await workflows.load("b") is None
