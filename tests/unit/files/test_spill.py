"""Spilled values: what is read is what was written, or an error that says why not; and nothing of it lies in the open."""

import asyncio
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qflow_runner.errors import DiskFull, FileIdInvalid, FileTooLarge, KeyInvalid, ValueDamaged
from qflow_runner.files import Keys, Spill
from qflow_runner.files.spill_writer import CHUNK, TAG
from qflow_runner.settings import Settings
from tests.unit.files.conftest import Clock, get, opened_spill, put

SEALED = CHUNK + TAG
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5]


@pytest.mark.parametrize("piece", [CHUNK, 100_003, 5 * CHUNK])
@pytest.mark.parametrize("size", SIZES)
async def test_a_value_comes_back_as_it_was(spill: Spill, size: int, piece: int) -> None:
    """Whatever its size, and however it is cut on its way."""
    content = os.urandom(size)
    await put(spill, "r", content, piece=piece)
    value = await spill.find("w", "r")

    assert value is not None
    assert (size, {"type": "bytes"}) == (value.size, value.about)
    assert content == await get(spill, "r")


@given(pieces=st.lists(st.integers(0, 2 * CHUNK), max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pieces_of_any_size_make_the_same_value(spill: Spill, pieces: list[int]) -> None:
    """The chunks on disk do not depend on the pieces that came."""
    content = [bytes([number + 1]) * size for number, size in enumerate(pieces)]
    writer = spill.writer("w", "r", {})
    for each in content:
        writer.write(each)
    await writer.finish()

    assert b"".join(content) == await get(spill, "r")


async def test_a_value_is_found_after_a_restart_in_its_workflow_alone(tmp_path: Path) -> None:
    """A reference of another workflow, forged or unknown, finds nothing."""
    async with opened_spill(tmp_path) as spill:
        await put(spill, "r", b"abc")
        half = spill.writer("w", "half", {})
        half.write(bytes(3 * CHUNK))
        await half._lane._idle.wait()
    async with opened_spill(tmp_path) as spill:
        assert b"abc" == await get(spill, "r")
        for workflow, reference in [
            ("v", "r"),
            ("w", "R"),
            ("w", "../r"),
            ("wr", ""),
            ("w", "half"),
            ("w", "\ud800"),
        ]:
            assert await spill.find(workflow, reference) is None
        assert await spill.drop("w", "r")
        assert not await spill.drop("w", "r")
    assert [] == list((tmp_path / "spill").iterdir())


async def test_nothing_of_it_lies_in_the_open(spill: Spill, tmp_path: Path) -> None:
    """Neither content nor preview nor names; and only the owner may read the files."""
    await put(spill, "reference-1", b"confidential" * 1000, workflow="payroll")
    directory = tmp_path / "spill"

    assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
    for path in directory.iterdir():
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        assert re.fullmatch(r"([0-9a-f]{32}-){3}[0-9a-f]{32}\.(data|head)", path.name)
        content = path.read_bytes()
        assert not any(each in content for each in (b"confidential", b"payroll", b"reference", b"bytes"))


async def test_the_same_content_looks_different_each_time(spill: Spill, tmp_path: Path) -> None:
    """Every file has a key of its own, so equal values are not seen to be equal."""
    await put(spill, "a", b"same" * 100)
    await put(spill, "b", b"same" * 100)
    one, two = (path.read_bytes() for path in (tmp_path / "spill").glob("*.data"))

    assert one != two


def _flip(at: int) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[at] ^= 1
        return bytes(changed)

    return flip


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_flip(0), "altered"),
        (_flip(SEALED + 5), "altered"),
        (_flip(-1), "altered"),
        (lambda content: content[:-1], "truncated"),
        (lambda content: content[: 2 * SEALED], "truncated"),
        (lambda content: content[:5], "truncated"),
        (lambda _: b"", "truncated"),
        (lambda content: content + b"\0", "follows its end"),
        (lambda content: content[SEALED : 2 * SEALED] + content[:SEALED] + content[2 * SEALED :], "altered"),
        (lambda content: content[:SEALED] * 2 + content[2 * SEALED :], "altered"),
        (lambda content: os.urandom(len(content)), "altered"),
    ],
)
async def test_altered_data_is_found(
    spill: Spill, tmp_path: Path, damage: Callable[[bytes], bytes], sentence: str
) -> None:
    """A bit, a cut at any place, an exchange of chunks: the reader is told, and gets no byte that was not written."""
    content = os.urandom(2 * CHUNK + 1000)
    await put(spill, "r", content)
    path = next((tmp_path / "spill").glob("*.data"))
    path.write_bytes(damage(path.read_bytes()))
    value = await spill.find("w", "r")
    assert value is not None
    seen = bytearray()

    async def read() -> None:
        async for chunk in spill.read(value):
            seen.extend(chunk)

    with pytest.raises(ValueDamaged, match=sentence):
        await read()
    assert content.startswith(seen)
    assert len(seen) < len(content)


async def test_data_of_another_value_is_found(spill: Spill, tmp_path: Path) -> None:
    """A file is not taken for another one of the same size, nor with that one's head."""
    await put(spill, "a", bytes(1000))
    await put(spill, "b", bytes(1000))
    a, b = sorted((tmp_path / "spill").glob("*.data"))
    a.write_bytes(b.read_bytes())
    with pytest.raises(ValueDamaged, match="altered"):
        [await get(spill, each) for each in "ab"]
    a.with_suffix(".head").write_bytes(b.with_suffix(".head").read_bytes())
    with pytest.raises(ValueDamaged, match="exchanged"):
        [await spill.find("w", each) for each in "ab"]


@pytest.mark.parametrize("which", ["data", "head"])
async def test_what_is_missing_is_said(tmp_path: Path, which: str) -> None:
    """A file that somebody deleted: a sentence while the runner runs; after a restart the head alone tells of it."""
    async with opened_spill(tmp_path) as spill:
        await put(spill, "r", b"abc")
        next((tmp_path / "spill").glob(f"*.{which}")).unlink()
        with pytest.raises(ValueDamaged, match="missing"):
            await get(spill, "r")
    async with opened_spill(tmp_path) as spill:
        if which == "data":
            with pytest.raises(ValueDamaged, match="missing"):
                await get(spill, "r")
        else:
            assert await spill.find("w", "r") is None


@pytest.mark.parametrize(
    "damage", [_flip(20), _flip(-5), lambda content: content[:-1], lambda _: b"", lambda _: b"\xff" * 900]
)
async def test_an_altered_head_is_found(
    spill: Spill, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """The head is authenticated as a whole."""
    await put(spill, "r", b"abc")
    path = next((tmp_path / "spill").glob("*.head"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueDamaged, match="cannot be decrypted"):
        await spill.find("w", "r")


async def test_writing_again_replaces(spill: Spill, tmp_path: Path) -> None:
    """The later value counts, and the earlier one leaves the disk; a failed one leaves the earlier one in place."""
    await put(spill, "r", b"first")
    await put(spill, "r", b"second")
    failed = spill.writer("w", "r", {})
    failed.write(bytes(2 * CHUNK))
    failed.abort()
    assert b"second" == await get(spill, "r")
    await spill.close()
    assert 2 == len(list((tmp_path / "spill").iterdir()))


async def test_of_two_generations_that_a_crash_left_the_newer_counts(tmp_path: Path) -> None:
    """A runner that died between writing the new value and removing the old one left both."""
    async with opened_spill(tmp_path) as spill:
        await put(spill, "r", b"first")
        kept = {path: path.read_bytes() for path in (tmp_path / "spill").iterdir()}
        await put(spill, "r", b"second")
    for path, content in kept.items():
        path.write_bytes(content)
        os.utime(path, (1000, 1000))
    async with opened_spill(tmp_path) as spill:
        assert b"second" == await get(spill, "r")
    assert 2 == len(list((tmp_path / "spill").iterdir()))


async def test_old_values_go_and_it_is_known_why(tmp_path: Path) -> None:
    """After spill_days, with when and why, as long as the runner runs."""
    clock = Clock()
    async with opened_spill(tmp_path, clock, spill_days=7) as spill:
        await put(spill, "r", b"abc")
        clock.time += 7 * 86_400 - 1
        await put(spill, "young", b"abc")
        await spill.sweep()
        assert b"abc" == await get(spill, "r")
        clock.time += 2
        await spill.sweep()
        assert await spill.find("w", "r") is None
        assert spill.why_gone("w", "r") == (
            "The value was removed at 1970-01-19 13:46 UTC: it was kept for 7 days, or there was no room for it any longer."
        )
        assert not spill.why_gone("v", "r")
        assert b"abc" == await get(spill, "young")
        await put(spill, "r", b"again")
        assert not spill.why_gone("w", "r")


async def test_the_oldest_make_room(tmp_path: Path) -> None:
    """Within the total; a value larger than the total is refused, and leaves nothing."""
    async with opened_spill(tmp_path, spill_total_mb=10) as spill:
        for name in "abcd":
            await put(spill, name, bytes(3 * CHUNK))
        assert await spill.find("w", "a") is None
        assert "no room" in spill.why_gone("w", "a")
        assert bytes(3 * CHUNK) == await get(spill, "d")
        with pytest.raises(DiskFull):
            await put(spill, "e", bytes(11 * CHUNK))
        assert spill.total <= 10 * CHUNK
    async with opened_spill(tmp_path, spill_total_mb=1) as spill:
        await spill.sweep()
        assert 0 == spill.total


async def test_references_and_previews_have_bounds(spill: Spill) -> None:
    """Both come from guests."""
    with pytest.raises(FileIdInvalid):
        spill.writer("w", "../r", {})
    with pytest.raises(FileTooLarge):
        spill.writer("w", "r", {"preview": "x" * 300_000})
    assert 0 == spill.total


async def test_rotation_wraps_again_and_touches_no_value(tmp_path: Path) -> None:
    """Values of older keys stay readable, get the newest key, and then the older keys can go."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    async with opened_spill(tmp_path, encryption_keys=old) as spill:
        for name in "abc":
            await put(spill, name, name.encode() * CHUNK)
        data = {path: path.read_bytes() for path in (tmp_path / "spill").glob("*.data")}
    async with opened_spill(tmp_path, encryption_keys=f"{new},{old}") as spill:
        await spill.rotate()
        await put(spill, "d", b"d")
        assert 0 == await spill.rotate()
    async with opened_spill(tmp_path, encryption_keys=new) as spill:
        for name in "abc":
            assert name.encode() * CHUNK == await get(spill, name)
        assert all(path.read_bytes() == content for path, content in data.items())
    async with opened_spill(tmp_path, encryption_keys=old) as spill:
        with pytest.raises(ValueDamaged, match="its key is not one"):
            await spill.find("w", "a")
        assert 0 == await spill.rotate()


async def test_rotate_counts_what_it_wrapped(tmp_path: Path) -> None:
    """Without a restart in between, each value counts once."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    async with opened_spill(tmp_path, encryption_keys=old) as spill:
        for name in "abc":
            await put(spill, name, b"x")
        spill._keys = Keys(Settings(data_dir=tmp_path, encryption_keys=f"{new},{old}"))
        assert [3, 0] == sorted(await asyncio.gather(spill.rotate(), spill.rotate()), reverse=True)


def test_the_key_is_made_once_and_is_the_owners(tmp_path: Path) -> None:
    """0600, never made again, never used where keys are given, but still read with."""
    keys = Keys(Settings(data_dir=tmp_path))
    path = tmp_path / "key"
    made = path.read_text()
    wrapped = keys.wrap(b"secret")

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert b"secret" == Keys(Settings(data_dir=tmp_path)).unwrap(wrapped)
    assert made == path.read_text()
    given_keys = Keys(Settings(data_dir=tmp_path, encryption_keys=Fernet.generate_key().decode()))
    assert b"secret" == given_keys.unwrap(wrapped)
    assert keys.unwrap(given_keys.wrap(b"other")) is None
    assert [path] == list(tmp_path.iterdir())


def test_given_keys_make_no_key_file(tmp_path: Path) -> None:
    """Who brings keys has no other one lying about."""
    Keys(Settings(data_dir=tmp_path, encryption_keys=Fernet.generate_key().decode()))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "not a key", "ä" * 44, "A" * 43])
def test_a_broken_key_file_stops_the_start(tmp_path: Path, content: str) -> None:
    """A new key in its place would make what is encrypted worthless without a word."""
    (tmp_path / "key").write_text(content)
    with pytest.raises(KeyInvalid, match="holds no key"):
        Keys(Settings(data_dir=tmp_path))
    assert content == (tmp_path / "key").read_text()


@pytest.mark.parametrize("keys", ["short", "A" * 44, "{good},", "{good},bad", "{good} {good}"])
def test_keys_of_the_environment_are_checked_and_not_shown(keys: str) -> None:
    """A wrong one is refused at start, without its text."""
    good = Fernet.generate_key().decode()
    text = keys.replace("{good}", good)
    if keys == "{good},":
        assert 1 == len(Settings(encryption_keys=text).encryption_keys)
        return
    with pytest.raises(ValueError, match="URL-safe base64") as refused:
        Settings(encryption_keys=text)
    assert good not in str(refused.value)


async def test_reading_half_leaves_nothing_open(spill: Spill) -> None:
    """Who stops reading in the middle leaves no descriptor behind."""
    await put(spill, "r", bytes(5 * CHUNK))
    value = await spill.find("w", "r")
    assert value is not None
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
    for _ in range(20):
        reader = spill.read(value)
        assert bytes(CHUNK) == await anext(reader)
        await reader.aclose()
        task = asyncio.ensure_future(anext(spill.read(value)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    await spill.close()
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
