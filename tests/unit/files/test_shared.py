"""A directory, or a bucket, that several runners share: each finds, replaces and removes what the others put there."""

import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from lab.bucket import BucketServer
from qflow_runner.blobs import blobs_for
from qflow_runner.cache import Inputs
from qflow_runner.errors import DiskFailed, FileUnknown, InputGone
from qflow_runner.files import Files, Keys, Spill
from qflow_runner.settings import Settings

KEY = Fernet.generate_key().decode()


Make = Callable[[str], Settings]


@pytest.fixture(name="settings", params=["directory", "bucket"])
def _settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Of a runner by its name."""
    shared: dict[str, object] = {"shared_dir": tmp_path / "shared"}
    if request.param == "bucket":
        server: BucketServer = request.getfixturevalue("bucket")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        shared = {"shared_bucket": server.url(os.urandom(8).hex())}
    return lambda name: Settings(data_dir=tmp_path / name, encryption_keys=KEY, **shared)


@pytest.fixture
async def files(settings: Make) -> AsyncIterator[list[Files]]:
    made = [Files(settings(name)) for name in ("a", "b")]
    for each in made:
        await each.open()
    yield made
    for each in made:
        await each.close()


@pytest.fixture
async def spills(settings: Make) -> AsyncIterator[list[Spill]]:
    tables = [settings(name) for name in ("a", "b")]
    made = [Spill(table, Keys(table)) for table in tables]
    for each in made:
        await each.open()
    yield made
    for each in made:
        await each.close()


async def some(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(spill: Spill, reference: str) -> bytes | None:
    value = await spill.find("w", reference)
    return None if value is None else b"".join([chunk async for chunk in spill.read(value)])


async def put(spill: Spill, reference: str, text: bytes, execution: str = "e") -> None:
    writer = spill.writer("w", reference, {"execution": execution})
    writer.write(text)
    await writer.finish()


async def test_a_file_is_found_and_removed_by_another_runner(files: list[Files]) -> None:
    """Its name and type with it; and it is gone for its maker too."""
    first, second = files
    stored = await first.receive("w", "e", some(b"abc", b"def"), name="a.txt", mime="text/plain")

    found = await second.find("w", stored.id)
    assert ("a.txt", "text/plain", 6, "e") == (found.name, found.mime, found.size, found.execution)
    assert b"abcdef" == b"".join([piece async for piece in second.read(found)])
    with pytest.raises(FileUnknown):
        await second.find("another", stored.id)

    assert await second.delete("w", stored.id)
    with pytest.raises(FileUnknown):
        await first.find("w", stored.id)


async def test_an_execution_that_is_over_is_over_for_all(files: list[Files], spills: list[Spill]) -> None:
    """What both made of it goes, and nothing of another execution."""
    ours = [await each.receive("w", "e", some(b"x")) for each in files]
    other = await files[0].receive("w", "other", some(b"y"))
    for number, spill in enumerate(spills):
        await put(spill, f"r{number}", b"text")
    await put(spills[0], "kept", b"text", execution="other")

    await files[1].forget("e")
    assert 2 == await spills[1].forget("e", "it was over")

    for each in files:
        for stored in ours:
            with pytest.raises(FileUnknown):
                await each.find("w", stored.id)
        assert b"y" == b"".join([piece async for piece in each.read(await each.find("w", other.id))])
    for spill in spills:
        assert [None, None, b"text"] == [await content(spill, each) for each in ("r0", "r1", "kept")]


async def test_the_newest_value_is_what_every_runner_finds(spills: list[Spill]) -> None:
    """Also who wrote, or read, an older one of the same reference."""
    first, second = spills
    await put(first, "r", b"old")
    assert b"old" == await content(second, "r")

    await put(second, "r", b"new")

    assert [b"new", b"new"] == [await content(each, "r") for each in spills]


@pytest.mark.parametrize("settings", ["directory"], indirect=True)
async def test_what_another_runner_is_writing_is_left_alone(
    tmp_path: Path, settings: Make, spills: list[Spill]
) -> None:
    """And what one left long ago is removed by whoever starts. In a bucket there is nothing before all is there."""
    first, _ = spills
    writer = first.writer("w", "r", {"execution": "e"})
    writer.write(os.urandom(3 << 20))
    await writer.drain()
    unfinished = [*(tmp_path / "shared" / "spill").rglob("*.data")]
    assert unfinished

    table = settings("c")
    third = Spill(table, Keys(table))
    await third.open()
    await writer.finish()
    assert 3 << 20 == len(await content(third, "r") or b"")
    await third.close()

    abandoned = unfinished[0].with_name(unfinished[0].name.replace(unfinished[0].name[:8], "0" * 8))
    part = abandoned.with_name(f"{abandoned.stem}.head-{'1' * 16}.part")
    for each in (abandoned, part):
        each.write_bytes(b"half")
        old = time.time() - 7200
        os.utime(each, (old, old))
    await first.sweep()
    assert not abandoned.exists()
    assert not part.exists()


async def test_a_runner_counts_what_all_have_when_it_tidies(spills: list[Spill]) -> None:
    """So that the directory stays within its bound."""
    first, second = spills
    await put(first, "r", b"x" * 1000)
    assert not len(second)

    await second.sweep()

    assert 1 == len(second) == len(first)
    assert second.total == first.total > 1000
    await first.drop("w", "r")
    await second.sweep()
    assert 0 == len(second) == second.total


@pytest.mark.parametrize("forged", ["", "x", "../../../etc/passwd", "0" * 131, "ab" * 16 + "-" * 3])
async def test_an_index_that_was_tampered_with_leads_nowhere(
    settings: Make, spills: list[Spill], forged: str
) -> None:
    """What is written there is never a path."""
    first, second = spills
    await put(first, "r", b"text")
    keys = blobs_for(settings("a"), "spill").within("keys")
    (key,) = keys.list()
    keys.write(key.name, forged.encode())

    assert await content(second, "r") is None


async def test_a_shared_file_is_put_where_a_sandbox_sees_it(tmp_path: Path, files: list[Files]) -> None:
    """By whoever runs the code; it goes with the file, and nobody may change it."""
    first, second = files
    text = os.urandom(3 << 20)
    stored = await first.receive("w", "e", some(text))

    link = await second.place(await second.find("w", stored.id), tmp_path / "sandbox")
    again = await second.place(await second.find("w", stored.id), tmp_path / "sandbox")

    assert link == again
    assert text == link.read_bytes()
    assert 0o444 == link.stat().st_mode & 0o777
    await second.forget("e")
    assert [] == [*(tmp_path / "sandbox").iterdir()]


async def test_inputs_that_one_kept_are_loaded_by_another(settings: Make) -> None:
    """So that any process can make a run again."""
    made = [Inputs(settings(name), Keys(settings(name))) for name in ("a", "b")]
    for each in made:
        await each.open()
    made[0].keep("run-1", b"[1, 2]", failed=True)
    made[0].keep("run-2", b"[3]", failed=False)

    assert b"[1, 2]" == await made[0].load("run-1") == await made[1].load("run-1")
    with pytest.raises(InputGone):
        await made[1].load("run-2")
    for each in made:
        await each.close()


async def test_a_bucket_that_is_away_is_an_error_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing waits for ever."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    table = Settings(data_dir=tmp_path, encryption_keys=KEY, shared_bucket="s3://qflow/x")

    with pytest.raises(DiskFailed, match="s3://qflow/x/spill"):
        await Spill(table, Keys(table)).open()
