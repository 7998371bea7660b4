"""A local copy of the export."""

import asyncio
import json
import os
import sqlite3
import struct
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.advisories import Audit
from qflow_runner.advisories import mirror as mirror_module
from qflow_runner.advisories.index import current_index
from tests.unit.advisories.fakes import a_record, an_export, checking

RECORDS = [
    a_record("GHSA-1", "Requests", aliases=["PYSEC-1"], database_specific={"severity": "HIGH"}),
    a_record("PYSEC-1", "requests", fixed="2.20", versions=["2.19.0"]),
    a_record("GHSA-2", "requests", introduced="2.3.0", fixed="2.31.0"),
    a_record("GHSA-3", "requests", withdrawn="2026-01-01T00:00:00Z", fixed=None),
    a_record("GHSA-4", "doubtful", introduced="2019-09-12"),
    a_record("GHSA-5", "other", fixed=None)
    | {"affected": [{"package": {"ecosystem": "npm", "name": "numpy"}}]},
]
PACKAGES = [("requests", "2.19.0"), ("doubtful", "1.0"), ("numpy", "2.1.0")]


async def checked(
    export: Path, tmp_path: Path, packages: list[tuple[str, str]] = PACKAGES, **given: Any
) -> Audit:
    async with checking(tmp_path / "cache", advisories_mirror=export, **given) as advisories:
        return await advisories.check(packages, origin="public")


def verdicts(audit: Audit) -> list[str]:
    return [each.verdict for each in audit.packages]


def as_directory(path: Path) -> Path:
    (path / "inner").mkdir(parents=True)
    for at, record in enumerate(RECORDS):
        (path / ("inner" if at % 2 else "") / f"{record['id']}.json").write_text(json.dumps(record))
    (path / "README.txt").write_text("no advisory")
    return path


@pytest.mark.parametrize("form", ["zip", "directory"])
async def test_the_three_answers(tmp_path: Path, form: str) -> None:
    """One vulnerability of two databases is one; what cannot be judged is not checked; what is not named is clean."""
    path = tmp_path / "export"
    export = an_export(path, RECORDS) if form == "zip" else as_directory(path)
    audit = await checked(export, tmp_path)

    assert ["vulnerable", "not checked", "clean"] == verdicts(audit)
    assert [("PYSEC-1", ("GHSA-1",)), ("GHSA-2", ())] == sorted(
        ((each.id, each.aliases) for each in audit.packages[0].advisories), reverse=True
    )
    assert "GHSA-4" in audit.packages[1].reason
    assert "newest advisory of 2026-01-02" in audit.source


async def test_the_rule_of_origins_holds_for_an_export_too(tmp_path: Path) -> None:
    """A package of one's own is another one than the public one of its name."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    async with checking(tmp_path / "cache", advisories_mirror=export) as advisories:
        audit = await advisories.check(PACKAGES, origin="private")

    assert ["not checked"] * 3 == verdicts(audit)


async def test_the_index_is_made_once_and_again_when_the_export_changes(tmp_path: Path) -> None:
    """By time and size, also across runners, and within one."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    await checked(export, tmp_path)
    (index,) = (tmp_path / "cache" / "advisories").iterdir()
    made = index.stat().st_mtime_ns
    await checked(export, tmp_path)
    assert made == index.stat().st_mtime_ns

    async with checking(tmp_path / "cache", advisories_mirror=export) as advisories:
        assert "clean" == (await advisories.check([("numpy", "2.1.0")], origin="public")).worst
        new = an_export(tmp_path / "new.zip", [*RECORDS, a_record("GHSA-6", "numpy", fixed=None)])
        new.replace(export)
        assert "vulnerable" == (await advisories.check([("numpy", "2.1.0")], origin="public")).worst
    assert [index] == list(index.parent.iterdir())


async def test_a_directory_that_changes(tmp_path: Path) -> None:
    """One more file, or another content."""
    export = as_directory(tmp_path / "export")
    assert "clean" == (await checked(export, tmp_path, [("numpy", "2.1.0")])).worst
    (export / "inner" / "GHSA-6.json").write_text(json.dumps(a_record("GHSA-6", "numpy", fixed=None)))

    assert "vulnerable" == (await checked(export, tmp_path, [("numpy", "2.1.0")])).worst


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"",
        b"[]",
        b"\xff",
        b"[" * 200_000,
        b'{"id": 7}',
        b'{"id": "A", "affected": [{"package": {"name": 7}}]}',
    ],
)
async def test_a_file_that_cannot_be_read_leaves_nothing_clean(tmp_path: Path, data: bytes) -> None:
    """It may be about any package; what is known to be vulnerable is said all the same."""
    export = an_export(tmp_path / "all.zip", RECORDS, {"GHSA-9.json": data})
    audit = await checked(export, tmp_path)

    assert ["vulnerable", "not checked", "not checked"] == verdicts(audit)
    assert "could not be read (1)" in audit.packages[2].reason


async def test_a_zip_bomb_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """A member of 300 MB counts as one that cannot be read."""
    export = an_export(tmp_path / "all.zip", RECORDS, {"bomb.json": b" " * (300 << 20)})
    assert export.stat().st_size < 1 << 20
    audit = await checked(export, tmp_path)

    assert ["vulnerable", "not checked", "not checked"] == verdicts(audit)


async def test_names_in_the_zip_lead_nowhere(tmp_path: Path) -> None:
    """They are not used: nothing is unpacked."""
    data = json.dumps(a_record("GHSA-6", "numpy", fixed=None)).encode()
    names = ["../../evil.json", "/etc/evil.json", "a\\..\\evil.json", "x" * 5_000 + ".json", "\x1b[31m.json"]
    export = an_export(tmp_path / "all.zip", RECORDS, dict.fromkeys(names, data))
    audit = await checked(export, tmp_path)

    assert "vulnerable" == audit.packages[2].verdict
    assert 1 == len(audit.packages[2].advisories)
    found = {name for _, _, names in os.walk(tmp_path) for name in names}
    assert {"all.zip"} == {name for name in found if not name.startswith("mirror-")}
    assert 2 == len(found)


def lying_size(path: Path) -> None:
    """Says of a member that it has 10 bytes, in both of its headers."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.infolist()[0].file_size
    path.write_bytes(data.replace(struct.pack("<I", size), struct.pack("<I", 10)))


def flip(path: Path) -> None:
    """Another byte in the first member's data."""
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [lying_size, flip])
async def test_damaged_members_leave_nothing_clean(tmp_path: Path, damage: Any) -> None:
    """Their checksums do not fit."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    damage(export)
    audit = await checked(export, tmp_path)

    assert "not checked" == audit.packages[2].verdict


def nothing(path: Path) -> None:
    path.unlink()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def text(path: Path) -> None:
    path.write_text("404: not found")


def empty(path: Path) -> None:
    an_export(path, [])


def empty_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [nothing, pipe, cut, text, empty, empty_directory])
async def test_an_export_that_cannot_be_used_is_not_clean(tmp_path: Path, damage: Any) -> None:
    """It is named, and nothing waits."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    damage(export)
    audit = await checked(export, tmp_path)

    assert ["not checked"] * 3 == verdicts(audit)
    assert "all.zip" in audit.packages[0].reason
    left = tmp_path / "cache" / "advisories"
    assert not left.exists() or [] == list(left.iterdir())


async def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    """Whether it is no database, another one, or one with rows that are not ours."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    await checked(export, tmp_path)
    (index,) = (tmp_path / "cache" / "advisories").iterdir()
    whole = index.read_bytes()

    for data in (b"", b"nonsense" * 1_000, whole[:4096], whole[:100] + bytes(len(whole) - 100)):
        index.write_bytes(data)
        assert "vulnerable" == (await checked(export, tmp_path)).worst
    for statement in ("update affected set affected = '[7]'", "update records set record = 'x'"):
        base = sqlite3.connect(index)
        base.execute(statement)
        base.commit()
        base.close()
        assert ["not checked"] * 3 == verdicts(await checked(export, tmp_path))
        assert "vulnerable" == (await checked(export, tmp_path)).worst


async def test_a_slow_index_is_finished_after_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check that started it says so; a later one has the answer; both never make it twice."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    go, made = threading.Event(), []

    def slowly(*given: Any) -> Any:
        made.append(1)
        assert go.wait(10)
        return current_index(*given)

    monkeypatch.setattr(mirror_module, "current_index", slowly)
    async with checking(
        tmp_path / "cache", advisories_mirror=export, advisories_deadline_s=0.2
    ) as advisories:
        first, second = await asyncio.gather(*(advisories.check(PACKAGES, origin="public") for _ in range(2)))
        assert 1 == len(made)
        go.set()
        deadline = time.monotonic() + 10
        while (third := await advisories.check(PACKAGES, origin="public")).worst != "vulnerable":
            assert time.monotonic() < deadline

    assert ["not checked"] * 2 == [first.worst, second.worst]
    assert "still being made" in first.packages[0].reason
    assert "clean" == third.packages[2].verdict


async def test_closing_ends_the_making_of_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of it."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    at_work, go = threading.Event(), threading.Event()

    def waiting(path: Path, given: Path, stopped: Any) -> Any:
        at_work.set()
        assert go.wait(10)
        return current_index(path, given, stopped)

    monkeypatch.setattr(mirror_module, "current_index", waiting)
    async with checking(tmp_path / "cache", advisories_mirror=export, advisories_deadline_s=2) as advisories:
        check = asyncio.create_task(advisories.check(PACKAGES, origin="public"))
        await asyncio.to_thread(at_work.wait, 10)
        closing = asyncio.create_task(advisories.close())
        await asyncio.sleep(0)
        go.set()
        await closing
        audit = await check

    assert "not checked" == audit.worst
    assert [] == list((tmp_path / "cache" / "advisories").iterdir())


async def test_an_index_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """A file stands in its way."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "advisories").write_text("in the way")
    audit = await checked(export, tmp_path)

    assert ["not checked"] * 3 == verdicts(audit)
    assert "cannot be written" in audit.packages[0].reason


async def test_what_a_killed_runner_left_is_tidied(tmp_path: Path) -> None:
    """A half index never counts as one, and goes when it is an hour old."""
    export = an_export(tmp_path / "all.zip", RECORDS)
    await checked(export, tmp_path)
    (index,) = (tmp_path / "cache" / "advisories").iterdir()
    old, young = index.with_name(f"{index.name}.old"), index.with_name(f"{index.name}.young")
    for each in (old, young):
        each.write_bytes(b"half")
    os.utime(old, (0, 0))
    index.unlink()
    await checked(export, tmp_path)

    assert {index, young} == set(index.parent.iterdir())
