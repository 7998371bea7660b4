"""Definitions in the database: written through, read again, and removed when nobody uses them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from qflow_runner.definitions import DefinitionRequest, Definitions, Found
from qflow_runner.errors import DefinitionUnknown, PythonUnsupported
from qflow_runner.settings import Settings
from qflow_runner.store import NewVersion, StoredDefinitions, definitions
from qflow_runner.store.sql import tables
from tests.unit.store.conftest import Store

PYTHONS = ("3.11", "3.12")
HARD = "x = '\x00 \ud800 \U0001f600 \u0130 %s :name'\n"
REQUEST = DefinitionRequest.model_construct(code="def f(): ...\n", requirements=["pandas"])


async def test_what_was_saved_is_loaded(store: Store) -> None:
    """As it was, whatever text is in it."""
    content = {"code": HARD, "python": "3.12", "list": [1, None, 2.5], "later": {"key": True}}
    await store.definitions.save("a" * 64, content)

    assert content == await store.definitions.load("a" * 64)
    assert await store.definitions.load("b" * 64) is None


async def test_saving_again_changes_nothing(store: Store) -> None:
    """The same id is the same content."""
    for _ in range(3):
        await StoredDefinitions(store.settings, store.database).save("a", {"code": "1"})

    assert {"code": "1"} == await store.definitions.load("a")


async def test_a_new_process_knows_what_the_last_one_stored(settings: Settings) -> None:
    """Whatever memory it lost."""
    async with Store(settings) as store:
        first = Definitions(settings, PYTHONS, store.definitions)
        found = Found(requirements=("numpy",), imports=("numpy",), takes_files=True)
        reply = await first.put(REQUEST, found)
        expected = await first.get(reply.id)
    async with Store(settings) as store:
        second = Definitions(settings, PYTHONS, store.definitions)

        assert expected == await second.get(reply.id)
        assert 1 == len(second)
        with pytest.raises(DefinitionUnknown):
            await second.get("0" * 64)


async def test_memory_is_asked_first(settings: Settings) -> None:
    """A definition in memory needs no database."""
    async with Store(settings) as store:
        known = Definitions(settings, PYTHONS, store.definitions)
        reply = await known.put(REQUEST, Found())

    assert reply.id == (await known.get(reply.id)).id


async def test_older_content_takes_defaults(store: Store) -> None:
    """A row of an earlier version lacks keys, and one of a later version has keys that nobody knows."""
    await store.definitions.save("old", {"code": "def f(): ...", "python": "3.11", "colour": "red"})
    definition = await Definitions(store.settings, PYTHONS, store.definitions).get("old")

    assert ("3.11", "auto", "strict", (), False, store.settings.time_limit_s) == (
        definition.python,
        definition.mode,
        definition.validation,
        definition.requirements,
        definition.takes_files,
        definition.timeout_s,
    )


async def test_a_stored_definition_of_a_python_that_is_gone(store: Store) -> None:
    """Is refused as a new one would be."""
    await store.definitions.save("old", {"code": "def f(): ...", "python": "3.7"})

    with pytest.raises(PythonUnsupported):
        await Definitions(store.settings, PYTHONS, store.definitions).get("old")


async def test_retention_removes_what_nobody_uses(store: Store) -> None:
    """Old and unsaved goes; saved by name, used lately or new stays; a name goes long after it was deleted."""
    for name in ("old", "kept", "deleted", "back"):
        await store.definitions.save(name, {"code": name})
    for name in ("kept", "deleted"):
        await store.saved.put(name, NewVersion({"code": name}, name, {"code": name}, "", ""))
    await store.saved.delete("deleted")
    long_ago = datetime.now(UTC) - timedelta(days=store.settings.definition_days + 1)

    async def age(connection: AsyncConnection) -> None:
        await connection.execute(update(tables.definitions).values(used=long_ago))
        await connection.execute(
            update(tables.saved).where(tables.saved.c.deleted.is_not(None)).values(deleted=long_ago)
        )

    await store.database.write(age)
    await store.definitions.save("new", {"code": "new"})
    again = StoredDefinitions(store.settings, store.database)
    assert await again.load("back") is not None
    await again.tidy()

    left = {name for name in ("old", "kept", "deleted", "back", "new") if await again.load(name)}
    assert {"kept", "back", "new"} == left
    assert ["kept"] == [each.name for each in await store.saved.page("", "", 10)]


async def test_retention_is_done_in_small_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no call waits for all of it, and at most so many at once."""
    monkeypatch.setattr(definitions, "TIDY_ROWS", 3)
    monkeypatch.setattr(definitions, "TIDY_ROUNDS", 2)
    for number in range(8):
        await store.definitions.save(str(number), {"code": "x"})
    long_ago = datetime.now(UTC) - timedelta(days=1000)
    await store.database.write(
        lambda connection: connection.execute(update(tables.definitions).values(used=long_ago))
    )
    await store.definitions.tidy()

    async def left() -> int:
        return sum([await store.definitions.load(str(number)) is not None for number in range(8)])

    assert 2 == await left()
