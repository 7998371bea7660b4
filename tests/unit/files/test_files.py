"""Files of runs: what comes is stored whole or not at all, is found after a restart, and goes in time."""

import asyncio
import errno
import os
import re
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.errors import DiskFull, FileIdInvalid, FileTooLarge, FileUnknown, UploadBroken
from qflow_runner.files import Files, StoredFile
from qflow_runner.files.shelf import OVERHEAD
from qflow_runner.files.writer import clean_mime, clean_name
from tests.unit.files.conftest import opened_files

MB = 1 << 20


async def chunks(*content: bytes) -> AsyncIterator[bytes]:
    for each in content:
        yield each


async def content_of(files: Files, stored: StoredFile) -> bytes:
    return b"".join([piece async for piece in files.read(stored)])


def on_disk(path: Path) -> list[str]:
    return sorted(each.name for each in (path / "files").iterdir())


async def written(
    files: Files, file_id: str, content: bytes, workflow: str = "w", execution: str = "e"
) -> StoredFile:
    writer = files.writer(workflow, execution, file_id, "n.bin", "a/b")
    writer.write(content)
    return await writer.finish()


def data_of(stored: StoredFile, path: Path) -> Path:
    return path / "files" / f"{stored.entry.name}.data"


async def test_a_file_comes_back_as_it_was(files: Files) -> None:
    """Content, name, type and size are found under the id, in this workflow alone."""
    content = os.urandom(3 * MB + 7)
    stored = await files.receive(
        "w", "e", chunks(content[:MB], b"", content[MB:]), name="a.csv", mime="text/csv"
    )
    found = await files.find("w", stored.id)

    assert ("a.csv", "text/csv", len(content), "e") == (found.name, found.mime, found.size, found.execution)
    assert content == await content_of(files, found)
    with pytest.raises(FileUnknown, match="no such file"):
        await files.find("another", stored.id)


async def test_an_empty_file_is_a_file(files: Files) -> None:
    """Nothing is content too."""
    stored = await files.receive("w", "e", chunks())

    assert (0, b"") == ((await files.find("w", stored.id)).size, await content_of(files, stored))


async def test_files_are_found_after_a_restart_and_unfinished_ones_are_gone(tmp_path: Path) -> None:
    """The next runner finds every finished file by its id; what was half written when the last one died is removed."""
    async with opened_files(tmp_path) as files:
        stored = await files.receive("w\ud800", "e", chunks(b"abc"), name="ä.txt", mime="text/plain")
        await written(files, "mine", b"12345")
        total = files.total
        half = files.writer("w", "e", "half")
        half.write(b"x" * MB)
        await half._lane._idle.wait()
        names = on_disk(tmp_path)
        assert 5 == len(names)
    (tmp_path / "files" / (names[0].partition(".")[0] + ".part")).write_bytes(b"a head that was not finished")
    (tmp_path / "files" / "note.txt").write_text("somebody else's")
    async with opened_files(tmp_path) as files:
        found = await files.find("w\ud800", stored.id)
        assert ("ä.txt", "text/plain", b"abc") == (found.name, found.mime, await content_of(files, found))
        assert b"12345" == await content_of(files, await files.find("w", "mine"))
        assert (5, total) == (len(on_disk(tmp_path)), files.total)
        with pytest.raises(FileUnknown):
            await files.find("w", "half")
        await files.forget("e")
    assert ["note.txt"] == on_disk(tmp_path)


async def test_the_directory_is_the_owners_and_names_tell_nothing(files: Files, tmp_path: Path) -> None:
    """Nothing of an id, a name or a workflow is in a path, whatever it holds."""
    await files.receive("../../w", "../e", chunks(b"x"), name="../../etc/passwd\0", mime="text/html\r\nX: y")
    await written(files, "guest-chosen", b"x", workflow="/etc")

    assert 0o700 == stat.S_IMODE((tmp_path / "files").stat().st_mode)
    assert all(
        re.fullmatch(r"([0-9a-f]{32}-){3}[0-9a-f]{32}\.(data|head)", name) for name in on_disk(tmp_path)
    )


@pytest.mark.parametrize(
    "file_id", ["", "..", "a/b", "a" * 65, "a\0", "a\n", "ä", "a b", ".", "a.b", "\ud800"]
)
async def test_an_id_that_is_none_is_refused(files: Files, tmp_path: Path, file_id: str) -> None:
    """A guest chooses its ids: letters, digits, '-' and '_'."""
    with pytest.raises(FileIdInvalid):
        files.writer("w", "e", file_id)
    assert ([], 0) == (on_disk(tmp_path), files.total)


async def test_an_id_belongs_to_one_execution(files: Files) -> None:
    """The same execution may replace its file; another one of the workflow may not, also when both are under way."""
    await written(files, "f", b"first", execution="1")
    await written(files, "f", b"second", execution="1")
    assert b"second" == await content_of(files, await files.find("w", "f"))
    with pytest.raises(FileIdInvalid, match="Another execution"):
        files.writer("w", "2", "f")
    one, two = files.writer("w", "1", "g"), files.writer("w", "2", "g")
    await one.finish()
    with pytest.raises(FileIdInvalid, match="Another execution"):
        await two.finish()
    assert "1" == (await files.find("w", "g")).execution
    assert 2 * OVERHEAD + len(b"second") == files.total
    assert "2" == (await written(files, "g", b"", workflow="other", execution="2")).execution


async def test_a_broken_upload_leaves_nothing(files: Files, tmp_path: Path) -> None:
    """Whatever ends it, the half that came is removed, and the room is free again."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (5 * MB)
        raise ConnectionResetError

    async def endless(started: asyncio.Event) -> AsyncIterator[bytes]:
        yield b"x" * (5 * MB)
        started.set()
        await asyncio.Event().wait()

    with pytest.raises(ConnectionResetError):
        await files.receive("w", "e", broken())
    started = asyncio.Event()
    upload = asyncio.ensure_future(files.receive("w", "e", endless(started)))
    await started.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    await files.close()
    assert ([], 0) == (on_disk(tmp_path), files.total)


async def test_cancelling_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    """Also in the middle of a write, and while the end is being written."""
    async with opened_files(tmp_path) as files:
        for turns in range(60):
            upload = asyncio.ensure_future(files.receive("w", "e", chunks(b"x" * MB, b"y" * (3 * MB), b"z")))
            for _ in range(turns):
                await asyncio.sleep(0)
            if upload.done():
                await files.delete("w", upload.result().id)
            upload.cancel()
            await asyncio.wait({upload})
            assert upload.cancelled() or upload.result().size == 4 * MB + 1
            if not upload.cancelled():
                await files.delete("w", upload.result().id)
    assert ([], 0) == (on_disk(tmp_path), files.total)


async def test_a_stalled_upload_is_given_up(tmp_path: Path) -> None:
    """A sender that stays silent has a deadline, however much it sent before."""

    async def stalled() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with opened_files(tmp_path, stalled_s=0.05) as files:
        with pytest.raises(UploadBroken, match=r"nothing for 0\.05 seconds"):
            await files.receive("w", "e", stalled())
    assert [] == on_disk(tmp_path)


async def test_a_file_over_the_limit_is_refused_while_it_comes(tmp_path: Path) -> None:
    """The first byte too many ends it; what follows is not read."""
    taken = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += MB
            yield bytes(MB)

    async with opened_files(tmp_path, files_max_mb=3) as files:
        with pytest.raises(FileTooLarge, match="larger than the 3 MB"):
            await files.receive("w", "e", flood())
        assert 4 * MB == taken
        assert 3 * MB == (await files.receive("w", "e", chunks(bytes(3 * MB)))).size
    assert 2 == len(on_disk(tmp_path))


@pytest.mark.parametrize("when", ["write", "head"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_says_so_and_is_cleaned_up(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, number: int
) -> None:
    """An upload that the disk does not take is removed, with one clear error; the next one works when there is room."""
    write = os.write
    with monkeypatch.context() as patch:
        if when == "write":
            patch.setattr(os, "write", lambda fd, data: _full(number) if len(data) > 100 else write(fd, data))
        else:
            patch.setattr("qflow_runner.blobs.directory.os.fdopen", lambda *_: _full(number))
        with pytest.raises(DiskFull, match="took no more"):
            await files.receive("w", "e", chunks(*[b"x" * MB] * 10))
    assert 3 == (await files.receive("w", "e", chunks(b"abc"))).size
    await files.close()
    assert (2, OVERHEAD + 3) == (len(on_disk(tmp_path)), files.total)


async def test_an_unexpected_failure_never_passes_for_a_whole_file(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread did not write for any reason is not finished."""

    def fail(fd: int, data: bytes) -> int:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        writer = files.writer("w", "e", "f")
        writer.write(b"x")
        with pytest.raises(Exception, match="did not write all"):
            await writer.finish()
    await files.close()
    assert [] == on_disk(tmp_path)


async def test_no_more_than_a_few_chunks_wait(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk slower than the sender slows the sender down, instead of filling the memory."""
    slow = asyncio.Event()
    given = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(50):
            given += MB
            yield bytes(MB)

    call = files._disk.call

    async def held(function, *args):
        await slow.wait()
        return await call(function, *args)

    monkeypatch.setattr(files._disk, "call", held)
    upload = asyncio.ensure_future(files.receive("w", "e", flood()))
    await asyncio.sleep(0.05)
    assert given <= 4 * MB
    slow.set()
    assert 50 * MB == (await upload).size


async def test_many_tiny_chunks_ask_for_a_pause_too(files: Files) -> None:
    """A guest that sends byte by byte does not fill the memory with its chunks."""
    writer = files.writer("w", "e", "f")
    for _ in range(1000):
        writer.write(b"x")
    assert writer.full
    await writer.drain()
    assert not writer.full
    assert 1000 == (await writer.finish()).size


async def test_an_aborted_writer_is_over(files: Files, tmp_path: Path) -> None:
    """It takes nothing, waits for nothing, cannot be finished, and can be aborted again."""
    writer = files.writer("w", "e", "f")
    writer.write(b"x" * (10 * MB))
    assert writer.full
    writer.abort()
    writer.write(b"y")
    await writer.drain()
    with pytest.raises(UploadBroken):
        await writer.finish()
    writer.abort()
    await files.close()
    assert ([], 0) == (on_disk(tmp_path), files.total)


async def test_a_placed_file_can_be_read_and_not_guessed(files: Files, tmp_path: Path) -> None:
    """A link in a directory that others may enter but not list, readable by anybody, writable by nobody."""
    stored = await written(files, "f", b"content")
    directory = tmp_path / "sandbox" / "files"
    path = await files.place(stored, directory)

    assert b"content" == path.read_bytes()
    assert directory == path.parent
    assert len(path.name) >= 32
    assert (0o711, 0o444) == (stat.S_IMODE(directory.stat().st_mode), stat.S_IMODE(path.stat().st_mode))
    assert path.stat().st_ino == data_of(stored, tmp_path).stat().st_ino
    assert path == await files.place(stored, directory)
    assert path.name != (await files.place(stored, tmp_path / "other")).name


async def test_a_file_is_copied_where_a_link_cannot_be(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file system gets a copy, with the same rights."""
    stored = await written(files, "f", b"content")
    monkeypatch.setattr(Path, "hardlink_to", lambda self, target: _full(errno.EXDEV))
    path = await files.place(stored, tmp_path / "sandbox")

    assert (b"content", 0o444) == (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    assert path.stat().st_ino != data_of(stored, tmp_path).stat().st_ino
    assert [path] == list((tmp_path / "sandbox").iterdir())


async def test_what_an_execution_leaves_goes_with_it(files: Files, tmp_path: Path) -> None:
    """Its files and their links, and nothing of another execution."""
    mine = await written(files, "mine", b"1", execution="1")
    link = await files.place(mine, tmp_path / "sandbox")
    await written(files, "other", b"2", execution="2")
    await files.forget("1")
    await files.forget("nobody")

    assert not link.exists()
    assert 2 == len(on_disk(tmp_path))
    with pytest.raises(FileUnknown):
        await files.find("w", "mine")
    with pytest.raises(FileUnknown, match="just now"):
        await content_of(files, mine)
    with pytest.raises(FileUnknown, match="just now"):
        await files.place(mine, tmp_path / "sandbox")
    assert "other" == (await files.find("w", "other")).id


async def test_old_files_go_and_used_ones_stay(tmp_path: Path) -> None:
    """After files_keep_s, counted from when a file was last placed; also after a restart."""
    async with opened_files(tmp_path, files_keep_s=1000) as files:
        old, used = await written(files, "old", b"1"), await written(files, "used", b"2")
        long_ago = time.time() - 2000
        os.utime(data_of(old, tmp_path), (long_ago, long_ago))
        os.utime(data_of(used, tmp_path), (long_ago, long_ago))
        await files.place(used, tmp_path / "sandbox")
    async with opened_files(tmp_path, files_keep_s=1000) as files:
        await files.sweep()
        assert "used" == (await files.find("w", "used")).id
        with pytest.raises(FileUnknown):
            await files.find("w", "old")
    assert 2 == len(on_disk(tmp_path))


async def test_the_oldest_make_room(tmp_path: Path) -> None:
    """Within the total, a new file takes the place of the oldest ones."""
    async with opened_files(tmp_path, files_total_mb=10) as files:
        for name in "abc":
            await written(files, name, bytes(3 * MB - OVERHEAD))
        await written(files, "d", bytes(4 * MB - OVERHEAD))
        assert {"b", "c", "d"} == await _there(files, "abcd")
        assert 10 * MB == files.total
        with pytest.raises(DiskFull, match="All 10 MB"):
            await files.receive("w", "e", chunks(*[bytes(MB)] * 11))
    assert 0 == files.total
    assert [] == on_disk(tmp_path)


async def test_who_floods_the_store_loses_their_own(tmp_path: Path) -> None:
    """A workflow that fills it makes room with its own files, and not with those of one that holds less."""
    async with opened_files(tmp_path, files_total_mb=10) as files:
        await written(files, "small", bytes(MB), workflow="modest")
        for name in map(str, range(30)):
            await written(files, name, bytes(MB), workflow="greedy")
        assert "small" == (await files.find("modest", "small")).id
        await written(files, "large", bytes(3 * MB), workflow="modest")
        assert {"small", "large"} == await _there(files, ("small", "large"), "modest")
        writers = [files.writer("greedy", "e", f"w{number}") for number in range(8)]

        def flood() -> None:
            for _ in range(5):
                for writer in writers:
                    writer.write(bytes(MB))

        with pytest.raises(DiskFull):
            flood()
        for writer in writers:
            writer.abort()
        assert {"small", "large"} == await _there(files, ("small", "large"), "modest")


async def test_empty_files_count_too(tmp_path: Path) -> None:
    """A million empty files would fill a file system as well."""
    async with opened_files(tmp_path, files_total_mb=2) as files:
        for number in range(20):
            await written(files, str(number), b"")
        assert 2 * MB // OVERHEAD == len(await _there(files, map(str, range(20))))
        assert 2 * MB == files.total


async def test_a_damaged_head_is_an_unknown_file(tmp_path: Path) -> None:
    """What the disk lost is said, and costs nothing else."""
    async with opened_files(tmp_path) as files:
        await written(files, "f", b"1")
    head = next((tmp_path / "files").glob("*.head"))
    head.write_bytes(b"[]")
    async with opened_files(tmp_path) as files:
        with pytest.raises(FileUnknown, match="damaged"):
            await files.find("w", "f")


async def test_ten_thousand_files_open_quickly(tmp_path: Path) -> None:
    """A restart lists the directory and reads no file."""
    async with opened_files(tmp_path) as files:
        stored = await written(files, "f", b"1")
    directory = tmp_path / "files"
    workflow, execution, *_ = stored.entry.name.split("-")
    for number in range(10_000):
        name = f"{workflow}-{execution}-{number:032x}-{number:032x}"
        (directory / f"{name}.data").touch()
        (directory / f"{name}.head").touch()
    began = time.perf_counter()
    async with opened_files(tmp_path) as files:
        assert time.perf_counter() - began < 2
        assert 1 + 10_001 * OVERHEAD == files.total


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.csv", "a.csv"),
        ("", "file"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\bill.pdf", "bill.pdf"),
        ("..", "file"),
        ("a\0b\r\n\u202ec.txt", "abc.txt"),
        ("größe 表.txt", "größe 表.txt"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("." + "x" * 300, "." + "x" * 199),
        ("\ud800.txt", ".txt"),
    ],
)
def test_names_are_shown_and_never_used(given: str, shown: str) -> None:
    """The last part of a name, on one line, at most 200 characters, with its ending."""
    assert shown == clean_name(given)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("text/csv", True),
        ("text/csv; charset=utf-8", True),
        ("image/svg+xml", True),
        ("text", False),
        ("text/csv\r\nX: y", False),
        ("a/b/c", False),
        ("", False),
        ("a/" + "b" * 101, False),
        ("ä/b", False),
    ],
)
def test_types_are_plain(given: str, kept: bool) -> None:
    """A type goes into a header: what is no media type becomes the one for bytes of any kind."""
    assert (given if kept else "application/octet-stream") == clean_mime(given)


async def _there(files: Files, ids, workflow: str = "w") -> set[str]:
    found = set()
    for each in ids:
        try:
            found.add((await files.find(workflow, each)).id)
        except FileUnknown:
            continue
    return found


def _full(number: int) -> int:
    raise OSError(number, os.strerror(number))
