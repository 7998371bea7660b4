"""The audit log: a chain on both databases that several write, that nobody changes, and whose end cannot be cut off."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, text

from qflow_runner.audit import Audit, Tally, Verified, Who, verify
from qflow_runner.audit import log as module
from qflow_runner.errors import DatabaseUnavailable
from qflow_runner.keys import Keys
from qflow_runner.settings import Settings
from qflow_runner.store import Database, now_ms
from tests.unit.store.conftest import Store

ME = Who("qf1", "me", "10.0.0.1")


@pytest.fixture
async def audit(store: Store) -> AsyncIterator[Audit]:
    audit = Audit(store.settings, store.database, "one")
    await audit.open()
    yield audit
    await audit.close()


async def checked(audit: Audit) -> Verified:
    return await verify(audit.log, audit._database.keys, audit.head_path)


async def noted(audit: Audit, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        audit.note("thing.done", str(number), by=ME, size=number)
    await audit.flush()


async def tamper(database: Database, *statements: str) -> None:
    """As somebody who may do everything in the database."""

    async def work(connection: Any) -> None:
        sqlite = connection.dialect.name == "sqlite"
        for trigger in ("audit_is_not_changed", "audit_is_not_cut"):
            if sqlite:
                await connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
        if not sqlite:
            await connection.execute(text("DROP TRIGGER IF EXISTS audit_is_kept ON audit"))
        for statement in statements:
            await connection.execute(text(statement))

    await database.write(work)


async def test_notes_are_kept_in_their_order(audit: Audit) -> None:
    """Each with who, what, from where and when; hostile texts are shown as what they are."""
    await noted(audit, 3)
    audit.note("thing.failed", "a\0b\ud800" + "x" * 999, by=ME, outcome="not_found", what="\0")
    await audit.flush()
    rows = await audit.log.page(limit=10)
    found = await checked(audit)

    assert ["thing.failed", "thing.done", "thing.done", "thing.done"] == [row.action for row in rows]
    assert ("qf1", "me", "10.0.0.1", "2", "ok", '{"size":2}') == (
        *rows[1][3:6],
        rows[1].object,
        *rows[1][8:10],
    )
    assert abs(rows[0].at - now_ms()) < 5_000
    assert len(rows[0].object) == 400
    assert "\0" not in rows[0].object
    assert (True, 4, 1, 4, []) == (found.ok, found.rows, found.first, found.last, found.notes)


async def test_pages_and_filters(audit: Audit) -> None:
    """By the first word of an action or the whole of it, by who, by how it ended."""
    await noted(audit, 5)
    audit.note("thing.lost", "x", outcome="not_found")
    audit.note("things.other", "y")
    await audit.flush()
    log = audit.log

    assert ["4", "3"] == [row.object for row in await log.page(action="thing.done", limit=2)]
    third = (await log.page(action="thing.done", limit=3))[-1].seq
    assert ["1", "0"] == [row.object for row in await log.page(action="thing", before=third)]
    assert ["x"] == [row.object for row in await log.page(outcome="not_found")]
    assert 5 == len(await log.page(actor="me"))
    assert 5 == len(await log.page(actor="qf1"))
    assert 7 == len(await log.page(since_ms=now_ms() - 60_000))
    assert [] == await log.page(since_ms=now_ms() + 60_000)
    assert 6 == len(await log.page(action="thing"))


async def test_several_runners_write_one_chain(settings: Settings, tmp_path: Path) -> None:
    """At the same time, each with an end of its own to hold against it."""
    settings.data_dir.mkdir(exist_ok=True)
    keys = Keys(settings)
    databases = [Database(settings, keys) for _ in range(3)]
    audits = []
    for number, database in enumerate(databases):
        await database.opened()
        folder = tmp_path / str(number)
        folder.mkdir()
        audits.append(Audit(settings.model_copy(update={"data_dir": folder}), database, f"runner{number}"))

    async def write(audit: Audit) -> None:
        for number in range(20):
            await noted(audit, 2, number)

    await asyncio.gather(*(write(audit) for audit in audits))
    for audit in audits:
        found = await checked(audit)
        assert (True, 120) == (found.ok, found.rows), found.broken
    assert 40 == len(await audits[0].log.page(action="thing", limit=500)) / 3
    for audit, database in zip(audits, databases, strict=True):
        await audit.close()
        await database.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET name = 'you' WHERE seq = 2", "DELETE FROM audit WHERE seq = 2", "DELETE FROM audit"],
)
async def test_the_database_itself_refuses_changes(store: Store, audit: Audit, statement: str) -> None:
    """Whoever asks with the runner's own rights."""
    await noted(audit, 3)
    with pytest.raises((DatabaseUnavailable, exc.DBAPIError), match="audit log are"):
        await store.database.write(lambda connection: connection.execute(text(statement)))

    assert (await checked(audit)).ok


@pytest.mark.parametrize(
    ("statements", "row", "sentence"),
    [
        (["UPDATE audit SET name = 'you' WHERE seq = 3"], 3, "altered"),
        (["UPDATE audit SET at = at - 1 WHERE seq = 1"], 1, "altered"),
        (["DELETE FROM audit WHERE seq IN (2, 3)"], 2, "rows from 2 to 3 are missing"),
        (["DELETE FROM audit WHERE seq = 1"], 1, "missing"),
        (["DELETE FROM audit WHERE seq > 4"], 5, "the end, are missing"),
        (["DELETE FROM audit"], 1, "missing"),
        (
            [
                "DELETE FROM audit WHERE seq > 4",
                "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)",
            ],
            5,
            "rows from 5 to 6 were cut off",
        ),
        (
            [
                "DELETE FROM audit WHERE seq <= 3",
                "UPDATE audit_head SET pruned_seq = 3, pruned_hash = 'x', pruned_mac = 'y'",
            ],
            4,
            "none of the runner's keys signed",
        ),
        (["UPDATE audit SET seq = 99 WHERE seq = 6", "UPDATE audit SET seq = 6 WHERE seq = 5"], 5, "missing"),
    ],
)
async def test_the_first_broken_row_is_named(
    store: Store, audit: Audit, statements: list[str], row: int, sentence: str
) -> None:
    """Altered, taken out, exchanged, cut off the end with all traces of it, or off the beginning without a right."""
    await noted(audit, 6)
    await tamper(store.database, *statements)
    found = await checked(audit)

    assert not found.ok
    assert sentence in found.broken
    assert row == found.row


async def test_a_chain_that_was_made_anew_is_another_one(store: Store, audit: Audit) -> None:
    """Whoever can compute every hash cannot sign the end."""
    from qflow_runner.store.audit_record import GENESIS, row_hash

    await noted(audit, 3)
    rows = await audit.log.walk(0, 10)
    before, changes = GENESIS, []
    for row in rows:
        changed = row._replace(name="you")
        before = row_hash(before, row.seq, changed.entry)
        changes.append(f"UPDATE audit SET name = 'you', hash = '{before}' WHERE seq = {row.seq}")
    await tamper(store.database, *changes, f"UPDATE audit_head SET hash = '{before}'")
    found = await checked(audit)

    assert (False, 3) == (found.ok, found.row)
    assert "another one than this machine wrote" in found.broken


async def test_the_signed_end_is_not_forged_and_its_loss_is_told(audit: Audit) -> None:
    """With a hash of one's own it is no good; without it nobody can tell, and that is said."""
    await noted(audit, 2)
    known = json.loads(audit.head_path.read_text())
    audit.head_path.write_text(json.dumps(known | {"seq": 1}))
    assert "altered" in (await checked(audit)).broken
    audit.head_path.write_text("{")
    assert "cannot be read" in (await checked(audit)).broken
    audit.head_path.unlink()
    found = await checked(audit)

    assert found.ok
    assert "cannot be told whether rows were cut off" in found.notes[0]


async def test_old_rows_go_and_the_chain_is_still_whole(store: Store, tmp_path: Path) -> None:
    """It begins after the last row that was pruned, which a key of the runner's has signed."""
    audit = Audit(store.settings, store.database, "one")
    await noted(audit, 4)
    later = Audit(store.settings.model_copy(update={"audit_days": 1e-9}), store.database, "one")
    store.database.tidies.remove(later.tidy)  # it is called below, and at no other moment
    await asyncio.sleep(0.01)
    await later.tidy()
    await later.flush()
    await noted(audit, 2, 4)
    found = await checked(audit)
    rows = await audit.log.page(limit=10)

    assert (True, 5, 7) == (found.ok, found.first, found.last), found.broken
    assert ["thing.done", "thing.done", "audit.pruned"] == [row.action for row in rows]
    assert ("up to 4", '{"rows":4}') == (rows[2].object, rows[2].details)
    await tamper(
        store.database,
        "UPDATE audit_head SET pruned_seq = 5, pruned_hash = hash",
        "DELETE FROM audit WHERE seq = 5",
    )
    assert not (await checked(audit)).ok
    await audit.close()
    await later.close()


async def test_a_rotation_of_keys_keeps_the_signatures(audit: Audit) -> None:
    """Old ones stay good as long as their key is there."""
    await noted(audit, 2)
    audit._database.keys.rotate()
    assert (await checked(audit)).ok
    await noted(audit, 1)

    assert (True, 3) == ((await checked(audit)).ok, (await checked(audit)).rows)


async def test_nothing_is_lost_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies encrypted on the disk, also over the end of the runner, and follows in its order."""
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    settings = Settings(data_dir=tmp_path, database_deadline_s=0.2)
    database = Database(settings)
    await database.opened()
    audit = Audit(settings, database, "one")
    await noted(audit, 1)
    away = Database(settings.model_copy(update={"database_url": settings_url()}), database.keys)
    audit.log._database = away
    await noted(audit, 2, 1)
    assert 2 == audit.owed
    spooled = (tmp_path / "audit-owed").read_text()
    assert 2 == len(spooled.split())
    assert "thing.done" not in spooled
    await audit.close()

    again = Audit(settings, database, "one")
    await again.open()
    again.note("thing.done", "3")
    await again.flush()
    async with asyncio.timeout(5):
        while again.owed or (tmp_path / "audit-owed").exists():
            await asyncio.sleep(0.01)
    await again.flush()
    rows = await again.log.walk(0, 10)
    assert ["0", "1", "2", "3"] == [row.object for row in rows]
    assert (await checked(again)).ok
    await again.close()
    await database.close()
    await away.close()


def settings_url() -> Any:
    from pydantic import SecretStr

    return SecretStr("postgresql://nobody@127.0.0.1:1/none")


async def test_what_happens_often_is_counted(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first at once, the others as one row, and what is too various together."""
    tally = Tally(audit, every_s=60)
    for _ in range(1_000):
        tally.add("access.refused", "x", by=ME, outcome="unauthorized", size=2)
    await audit.flush()
    assert 1 == len(await audit.log.page())
    tally.close()
    await audit.flush()
    (last, first) = await audit.log.page()
    assert ('{"size":2}', '{"size":1998,"times":999}') == (first.details, last.details)

    for number in range(3_000):
        tally.add("access.refused", str(number), outcome="unauthorized")
    tally.close()
    await audit.flush()
    assert 1_003 == len(await audit.log.page(limit=5_000))
