"""What people wrote is encrypted in both databases, with keys that can be changed."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from qflow_runner.errors import KeyInvalid, ValueDamaged
from qflow_runner.keys import Keys, name_of
from qflow_runner.settings import Settings
from qflow_runner.store import (
    Database,
    History,
    NewVersion,
    Recorder,
    Rotation,
    RunRow,
    StoredWorkflows,
    details_of,
    new_run_id,
    now_ms,
)
from qflow_runner.store.rotation import UNREADABLE
from qflow_runner.store.sql import migrate
from tests.unit.store.conftest import Store

MARK = "what-a-person-wrote"
NEW = NewVersion({"code": MARK}, "d" * 64, {"code": MARK}, MARK, f"({MARK})", f"note {MARK}")


async def filled(store: Store) -> str:
    """Every kind of text that people write; the id of a run."""
    await store.definitions.save("a" * 64, {"code": MARK})
    await store.saved.put("Named", NEW)
    await StoredWorkflows(store.database, 10).save("w", json.dumps({"name": MARK}).encode())
    recorder = Recorder(store.database)
    ended = now_ms()
    run = RunRow(new_run_id(ended), "w", "e", "n", "d", ended, "user_code", "code_raised", 1.0)
    problem = {"detail": MARK, "traceback": MARK}
    assert await recorder.add(run, details_of(run.id, problem, [{"stream": "stdout", "text": MARK}]))
    await recorder.close()
    return run.id


async def everything(database: Database) -> str:
    """All texts of all tables."""

    async def work(connection: Any) -> str:
        found = []
        for table in (
            "definitions",
            "saved",
            "saved_versions",
            "run_details",
            "node_runs",
            "executions",
            "workflows",
        ):
            found += (await connection.execute(text(f"SELECT * FROM {table}"))).all()
        return repr(found)

    return await database.read(work)


async def held(database: Database) -> dict[str, dict[str, int]]:
    return await Rotation(database).held()


async def reads(store: Store, run: str) -> None:
    """All of it, as it was written."""
    assert {"code": MARK} == await store.definitions.load("a" * 64)
    version = await store.saved.get("named")
    assert (MARK, f"({MARK})", f"note {MARK}") == (version.function, version.signature, version.note)
    assert {"code": MARK} == version.content
    (listed,) = await store.saved.page("", "", 10)
    assert (MARK, f"({MARK})") == (listed.function, listed.signature)
    shown = await History(store.settings, store.database).run(run)
    assert {"detail": MARK, "traceback": MARK} == shown["problem"]
    assert [{"stream": "stdout", "text": MARK}] == shown["logs"]


async def reads_workflow(store: Store) -> None:
    workflow = await StoredWorkflows(store.database, 10).load("w")
    assert workflow is not None
    assert {"name": MARK} == json.loads(workflow)


async def test_nothing_that_people_wrote_is_legible(store: Store) -> None:
    """And all of it is read back."""
    run = await filled(store)

    assert MARK not in await everything(store.database)
    await reads(store, run)
    await reads_workflow(store)


async def test_a_new_key_takes_over_and_the_old_one_can_go(store: Store) -> None:
    """While the runner runs; without the old one's rows being renewed it still opens them."""
    run = await filled(store)
    keys = store.database.keys
    old = keys.newest
    new = keys.rotate()
    assert (new, [new, old]) == (keys.newest, keys.names)
    await reads(store, run)
    await reads_workflow(store)
    assert {old} == set(await held(store.database))
    rotation = Rotation(store.database)

    assert {"definitions": 2, "saved versions": 1, "runs": 1, "workflows": 1} == await rotation.renew()
    assert {"definitions": 0, "saved versions": 0, "runs": 0, "workflows": 0} == await rotation.renew()
    assert {new: {"definitions": 2, "saved versions": 4, "runs": 2, "workflows": 1}} == await held(
        store.database
    )
    with pytest.raises(KeyInvalid, match="newest"):
        keys.remove(new)
    keys.remove(old)
    assert [new] == keys.names
    await reads(store, run)
    await reads_workflow(store)


async def test_another_process_finds_the_new_key(store: Store) -> None:
    """One that opened before, when it meets what is encrypted with it."""
    run = await filled(store)
    other = Database(store.settings, Keys(store.settings))
    store.database.keys.rotate()
    await Rotation(store.database).renew()
    beside = Store(store.settings)
    beside.database = other
    beside.definitions._database = beside.saved._database = other
    await other.opened()

    await reads(beside, run)
    await other.close()


async def test_given_keys_are_renewed_at_the_next_start(settings: Settings) -> None:
    """The runner does it beside its work, and leaves what no key opens."""
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    begun = settings.model_copy(update={"encryption_keys": Settings(encryption_keys=first).encryption_keys})
    async with Store(begun) as store:
        run = await filled(store)
        with pytest.raises(KeyInvalid, match="QFLOW_ENCRYPTION_KEYS"):
            store.database.keys.rotate()
    both = Settings(encryption_keys=f"{second},{first}").encryption_keys
    async with Store(settings.model_copy(update={"encryption_keys": both})) as store:
        rotation = Rotation(store.database)
        await rotation.tidy()
        assert {name_of(second)} == set(await held(store.database))
        await reads(store, run)
        await reads_workflow(store)
    alone = Settings(encryption_keys=first).encryption_keys
    async with Store(settings.model_copy(update={"encryption_keys": alone})) as store:
        assert {UNREADABLE} == set(await held(store.database))
        assert await store.definitions.load("a" * 64) is None
        with pytest.raises(ValueDamaged, match="cannot be decrypted"):
            await store.saved.get("Named")
        assert {"definitions": 0, "saved versions": 0, "runs": 0, "workflows": 0} == await Rotation(
            store.database
        ).renew()
        store.definitions._written.clear()
        await store.definitions.save("a" * 64, {"code": MARK})
        assert {"code": MARK} == await store.definitions.load("a" * 64)


async def test_rows_cannot_be_exchanged(store: Store) -> None:
    """A text opens at its own place alone: nobody makes one definition out of another one's row."""
    await store.definitions.save("a" * 64, {"code": "1"})
    await store.definitions.save("b" * 64, {"code": "2"})
    await store.database.write(
        lambda connection: connection.execute(
            text(
                "UPDATE definitions SET content = (SELECT content FROM definitions d WHERE d.id = :b) WHERE id = :a"
            ),
            {"a": "a" * 64, "b": "b" * 64},
        )
    )
    assert await store.definitions.load("a" * 64) is None
    assert {"code": "2"} == await store.definitions.load("b" * 64)


async def test_plain_rows_of_an_earlier_version_are_encrypted(settings: Settings, tmp_path: Path) -> None:
    """By the migration, with the keys of the runner; a plain row that comes later is not believed."""
    database = Database(settings)
    keys = database.keys
    from qflow_runner.store.sql.engine import Engine

    engine = Engine(database.url, 3)
    await engine.migrate(lambda connection: connection.run_sync(migrate.upgrade, keys, "0002"))
    moment = "'2099-01-01 00:00:00'"  # later than any retention
    content = json.dumps({"code": MARK})
    statements = [
        f"INSERT INTO definitions VALUES ('{letter * 64}', '{content}', {moment}, {moment})"
        for letter in "ad"
    ]
    problem = json.dumps({"detail": MARK, "traceback": MARK})
    logs = json.dumps([{"stream": "stdout", "text": MARK}])
    statements += [
        f"INSERT INTO saved VALUES (1, 'named', 'Named', 1, {moment}, {moment}, NULL)",
        f"INSERT INTO saved_versions VALUES (1, 1, '{content}', 'h', '{'d' * 64}', '{MARK}', '({MARK})', 'note {MARK}', {moment})",
        f"INSERT INTO node_runs SELECT '{'0' * 32}', 'w', 'e', 'n', 'd', 1, 'ok', '', 1, {', '.join('0' * 15)}, false, '', ''",
        f"INSERT INTO run_details VALUES ('{'0' * 32}', '{problem}', '{logs}')",
    ]
    for statement in statements:
        await engine.write(lambda connection, each=statement: connection.exec_driver_sql(each))
    await engine.close()

    async with Store(settings) as store:
        await store.database.opened()
        assert MARK not in await everything(store.database)
        await reads(store, "0" * 32)
        await store.database.write(
            lambda connection: connection.execute(text(f"UPDATE definitions SET content = '{content}'"))
        )
        assert await store.definitions.load("a" * 64) is None
