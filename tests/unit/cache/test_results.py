"""The cache in memory and on disk: what is found is what was put, for as long as was said, and the run never notices more."""

import asyncio
import errno
import os
import resource
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from qflow_runner.cache import MAX_TTL_S, Cached, ResultCache, folder
from qflow_runner.cache import disk_tier as disk_module
from qflow_runner.files import Keys
from qflow_runner.settings import Settings
from tests.unit.cache.conftest import RETRY_S, Clock, forget_memory, opened, until, written

MB = 1 << 20


def on_disk(path: Path) -> list[Path]:
    return sorted((path / "results").iterdir())


async def test_a_result_is_found_in_memory_on_disk_and_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    """And from disk it goes up into memory again."""
    async with opened(tmp_path, clock) as cache:
        assert await cache.get("k") is None
        cache.put("k", clock.result(b"[1]", errors=2), 60)
        await written(cache)
        found = await cache.get("k")
        assert found == Cached(b"[1]", 2, clock.time, clock.time + 60)
        forget_memory(cache)
        assert found == await cache.get("k")
        assert found == await cache.get("k")
        assert {"memory": 2, "disk": 1} == cache.stats()["hits"]
        assert 1 == cache.stats()["misses"]
    async with opened(tmp_path, clock) as cache:
        assert found == await cache.get("k")
        assert {"memory": 0, "disk": 1} == cache.stats()["hits"]


async def test_what_was_put_just_before_the_end_is_written(tmp_path: Path, clock: Clock) -> None:
    """Closing waits for what is on its way."""
    async with opened(tmp_path, clock) as cache:
        for number in range(50):
            cache.put(str(number), clock.result(b"%d" % number), 60)
    async with opened(tmp_path, clock) as cache:
        assert [b"%d" % number for number in range(50)] == [
            found.payload for number in range(50) if (found := await cache.get(str(number)))
        ]


async def test_it_expires_exactly_in_every_tier(tmp_path: Path, clock: Clock) -> None:
    """Found until the last moment, and then gone, also from the disk."""
    async with opened(tmp_path, clock) as cache:
        cache.put("k", clock.result(), 60)
        await written(cache)
        clock.time += 59.99
        assert await cache.get("k") is not None
        forget_memory(cache)
        assert await cache.get("k") is not None
        clock.time += 0.01
        assert await cache.get("k") is None
        await written(cache)
        assert [] == on_disk(tmp_path)
        assert (0, {"memory": 0, "disk": 0}) == (cache.stats()["damaged"], cache.stats()["bytes"])


async def test_a_clock_that_jumps_back_makes_nothing_immortal(tmp_path: Path, clock: Clock) -> None:
    """What is from the future is a miss in both tiers; a sweep removes what would live longer than anything may."""
    async with opened(tmp_path, clock) as cache:
        cache.put("read", clock.result(), 60)
        cache.put("swept", clock.result(), MAX_TTL_S)
        await written(cache)
        clock.time -= 3600
        assert await cache.get("read") is None
        await written(cache)
        await cache._sweep()
        await cache._disk.sweep()
        assert {"memory": 0, "disk": 0} == cache.stats()["entries"]
        assert [] == on_disk(tmp_path)


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("-inf")])
async def test_no_time_to_live_is_no_entry(tmp_path: Path, clock: Clock, ttl: float) -> None:
    """Whatever number stands there."""
    async with opened(tmp_path, clock) as cache:
        cache.put("k", clock.result(), ttl)
        assert await cache.get("k") is None


async def test_a_long_time_to_live_is_cut(tmp_path: Path, clock: Clock) -> None:
    """To 30 days, also where it is endless; and what is old when it comes is not kept."""
    async with opened(tmp_path, clock) as cache:
        cache.put("k", clock.result(), float("inf"))
        found = await cache.get("k")
        assert found is not None
        assert clock.time + MAX_TTL_S == found.expires
        cache.put("old", Cached(b"[]", 0, clock.time - 100), 60)
        assert await cache.get("old") is None


async def test_what_is_too_large_is_not_kept(tmp_path: Path, clock: Clock) -> None:
    """Not in any tier, and counted."""
    async with opened(tmp_path, clock, cache_value_max_mb=1) as cache:
        cache.put("fits", clock.result(bytes(MB)), 60)
        cache.put("too large", clock.result(bytes(MB + 1)), 60)
        await written(cache)
        assert await cache.get("too large") is None
        assert await cache.get("fits") is not None
        forget_memory(cache)
        assert bytes(MB) == (await cache.get("fits")).payload
        assert 1 == cache.stats()["too_large"]


async def test_memory_is_bounded_and_the_longest_unused_goes_first(tmp_path: Path, clock: Clock) -> None:
    """What was read a moment ago stays."""
    async with opened(tmp_path, clock, cache_memory_mb=1, cache_disk_mb=0) as cache:
        for number in range(3):
            cache.put(str(number), clock.result(bytes(300_000)), 60)
        await cache.get("0")
        cache.put("3", clock.result(bytes(300_000)), 60)
        assert [True, False, True, True] == [await cache.get(str(each)) is not None for each in range(4)]
        assert 900_000 < cache.stats()["bytes"]["memory"] <= MB
        cache.put("0", clock.result(b"[]"), 60)
        cache.put("all", clock.result(bytes(2 * MB)), 60)
        assert b"[]" == (await cache.get("0")).payload
        assert await cache.get("all") is None


async def test_the_disk_is_bounded_and_the_oldest_goes_first(tmp_path: Path, clock: Clock) -> None:
    """While it runs, and after a restart with a smaller bound."""
    async with opened(tmp_path, clock, cache_memory_mb=0, cache_disk_mb=2) as cache:
        for number in range(6):
            cache.put(str(number), clock.result(bytes(600_000)), 60)
            await written(cache)
        assert [False, False, False, True, True, True] == [
            await cache.get(str(each)) is not None for each in range(6)
        ]
        assert 3 == len(on_disk(tmp_path)) == cache.stats()["entries"]["disk"]
        assert (
            sum(each.stat().st_size for each in on_disk(tmp_path)) < cache.stats()["bytes"]["disk"] <= 2 * MB
        )
        cache.put("5", clock.result(bytes(700_000)), 60)  # in its own place
        await written(cache)
        assert 3 == len(on_disk(tmp_path)) == cache.stats()["entries"]["disk"]
    async with opened(tmp_path, clock, cache_memory_mb=0, cache_disk_mb=1) as cache:
        assert [5] == [each for each in range(6) if await cache.get(str(each))]
        assert 1 == len(on_disk(tmp_path))


async def test_both_tiers_may_be_off(tmp_path: Path, clock: Clock) -> None:
    """Then all is a miss, and no directory is made."""
    async with opened(tmp_path, clock, cache_memory_mb=0, cache_disk_mb=0) as cache:
        cache.put("k", clock.result(), 60)
        assert await cache.get("k") is None
    assert not (tmp_path / "results").exists()


async def test_nothing_on_disk_is_readable(tmp_path: Path, clock: Clock) -> None:
    """Names are hashes, content is encrypted, and others cannot open it; a hostile key stays in the directory."""
    async with opened(tmp_path, clock) as cache:
        cache.put("../../a key", clock.result(b"a secret of a person" * 10), 60)
        await written(cache)
        (file,) = on_disk(tmp_path)
        assert "key" not in file.name
        assert b"secret" not in file.read_bytes()
        assert (0o600, 0o700) == tuple(stat.S_IMODE(each.stat().st_mode) for each in (file, file.parent))
        forget_memory(cache)
        assert await cache.get("../../a key") is not None


@pytest.mark.parametrize(
    "harm", ["flip", "cut", "empty", "longer", "huge", "removed", "directory", "exchanged"]
)
async def test_a_damaged_file_is_a_miss_and_removed(tmp_path: Path, clock: Clock, harm: str) -> None:
    """Whatever happened to it; and the next result is kept in its place."""
    async with opened(tmp_path, clock, cache_value_max_mb=1) as cache:
        cache.put("k", clock.result(b"[1]" * 50_000), 60)
        await written(cache)
        (file,) = on_disk(tmp_path)
        content = file.read_bytes()
        if harm == "flip":
            file.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
        elif harm == "cut":
            os.truncate(file, 100_000)
        elif harm == "empty":
            os.truncate(file, 0)
        elif harm == "longer":
            file.write_bytes(content + b"x")
        elif harm == "huge":
            os.truncate(file, 1 << 40)  # sparse: reading all of it would take hours
        elif harm == "exchanged":
            cache.put("other", clock.result(b"[2]"), 60)
            await written(cache)
            (other,) = set(on_disk(tmp_path)) - {file}
            other.replace(file)
        else:
            file.unlink()
            if harm == "directory":
                file.mkdir()
        forget_memory(cache)
        assert await cache.get("k") is None
        await written(cache)
        if harm != "directory":
            assert [] == on_disk(tmp_path)
            assert (0 if harm == "removed" else 1) == cache.stats()["damaged"]
            cache.put("k", clock.result(b"[3]"), 60)
            await written(cache)
            forget_memory(cache)
            assert b"[3]" == (await cache.get("k")).payload


async def test_a_key_that_is_gone_is_a_miss(tmp_path: Path, clock: Clock) -> None:
    """The files of another key are removed when somebody asks for them."""
    first, second = (Fernet.generate_key().decode() for _ in range(2))
    async with opened(tmp_path, clock, encryption_keys=first) as cache:
        cache.put("k", clock.result(), 60)
    async with opened(tmp_path, clock, encryption_keys=f"{second},{first}") as cache:
        assert await cache.get("k") is not None
    async with opened(tmp_path, clock, encryption_keys=second) as cache:
        assert await cache.get("k") is None
        await written(cache)
        assert (1, []) == (cache.stats()["damaged"], on_disk(tmp_path))


async def test_a_start_removes_what_was_left_unfinished_and_nothing_else(
    tmp_path: Path, clock: Clock
) -> None:
    """Half written files go; what is not ours stays and is not counted; what expired meanwhile is swept."""
    async with opened(tmp_path, clock) as cache:
        cache.put("k", clock.result(), 60)
    (tmp_path / "results" / "0123.part").write_bytes(b"half")
    (tmp_path / "results" / "notes.txt").write_text("somebody else's")
    (tmp_path / "results" / "link.entry").symlink_to("/etc/passwd")
    clock.time += 100
    async with opened(tmp_path, clock) as cache:
        assert 1 == cache.stats()["entries"]["disk"]
        await cache._disk.sweep()
        assert 0 == cache.stats()["entries"]["disk"]
        assert ["link.entry", "notes.txt"] == [each.name for each in on_disk(tmp_path)]


def _no_room(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_costs_the_entry_and_one_log_line(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is still read, nothing is left of what was not written, and later it works again."""
    with capture_logs() as logs:
        async with opened(tmp_path, clock) as cache:
            cache.put("before", clock.result(b"[0]"), 60)
            await written(cache)
            with monkeypatch.context() as patch:
                patch.setattr(folder.Path, "rename", _no_room)
                for number in range(5):
                    cache.put(str(number), clock.result(), 60)
                await written(cache)
            assert {"disk": 5} == cache.stats()["errors"]
            assert 1 == len(on_disk(tmp_path)) == cache.stats()["entries"]["disk"]
            assert await cache.get("3") is not None  # from memory
            forget_memory(cache)
            assert await cache.get("before") is not None
            assert await cache.get("3") is None
            cache.put("after", clock.result(), 60)
            await written(cache)
            forget_memory(cache)
            assert await cache.get("after") is not None
    assert ["warning"] == [each["log_level"] for each in logs if each["event"].startswith("cache.")]


async def test_a_write_that_the_kernel_breaks_off_leaves_nothing(tmp_path: Path, clock: Clock) -> None:
    """Under a limit of file size: only whole files are kept."""
    async with opened(tmp_path, clock) as cache:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            cache.put("large", clock.result(bytes(200_000)), 60)
            await written(cache)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert [] == on_disk(tmp_path)
        assert {"disk": 1} == cache.stats()["errors"]
        forget_memory(cache)
        assert await cache.get("large") is None


async def test_a_directory_that_goes_is_made_again(tmp_path: Path, clock: Clock) -> None:
    """A person may delete it while the runner runs."""
    async with opened(tmp_path, clock) as cache:
        cache.put("k", clock.result(), 60)
        await written(cache)
        for each in on_disk(tmp_path):
            each.unlink()
        (tmp_path / "results").rmdir()
        forget_memory(cache)
        assert await cache.get("k") is None
        cache.put("k", clock.result(), 60)
        await written(cache)
        await until(lambda: cache.stats()["up"]["disk"])
        cache.put("k", clock.result(), 60)
        await written(cache)
        assert 1 == len(on_disk(tmp_path))


async def test_a_disk_that_hangs_is_left_alone(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first read waits for its deadline, the next ones not at all, and it is used again when it answers."""
    monkeypatch.setattr(disk_module, "READ_S", 0.05)
    monkeypatch.setattr(disk_module, "_WRITE_S", 0.05)
    released = threading.Event()
    read, listing = folder.read, folder.listing

    def hanging(*args: Any) -> Any:
        released.wait(20)
        return read(*args)

    def hanging_listing(path: Path) -> Any:
        released.wait(20)
        return listing(path)

    async with opened(tmp_path, clock) as cache:
        cache.put("k", clock.result(), 60)
        await written(cache)
        forget_memory(cache)
        monkeypatch.setattr(folder, "read", hanging)
        monkeypatch.setattr(folder, "listing", hanging_listing)
        assert await cache.get("k") is None
        assert not cache.stats()["up"]["disk"]
        began = asyncio.get_running_loop().time()
        for _ in range(100):
            assert await cache.get("k") is None
        assert asyncio.get_running_loop().time() - began < 2.0  # each would wait for 0.05 s
        released.set()
        await until(lambda: cache.stats()["up"]["disk"])
        assert await cache.get("k") is not None


async def test_a_place_that_is_no_directory_is_logged_and_runs_go_on(tmp_path: Path, clock: Clock) -> None:
    """Opening does not fail, and memory works."""
    (tmp_path / "results").write_text("a file")
    settings = Settings(data_dir=tmp_path)
    cache = ResultCache(settings, Keys(settings), clock, retry_s=RETRY_S)
    with capture_logs() as logs:
        await cache.open()
        await until(lambda: cache.stats()["errors"]["disk"] >= 2)
        cache.put("k", clock.result(), 60)
        assert await cache.get("k") is not None
        (tmp_path / "results").unlink()
        await until(lambda: cache.stats()["up"]["disk"])
        await cache.close()
    assert ["cache.tier_failed", "cache.tier_back"] == [each["event"] for each in logs]


async def test_what_waits_to_be_written_is_bounded(tmp_path: Path, clock: Clock) -> None:
    """In count and in bytes: more is kept in memory alone, counted, and nobody waits."""
    async with opened(tmp_path, clock, cache_value_max_mb=1) as cache:
        for number in range(6):
            cache.put(f"large {number}", clock.result(bytes(MB)), 60)
        assert 2 == cache.stats()["not_written"]
        await written(cache)
        for number in range(300):
            cache.put(str(number), clock.result(), 60)
        assert 2 + 300 - 256 == cache.stats()["not_written"]
        assert await cache.get("299") is not None
        await written(cache)
        assert 4 + 256 == cache.stats()["entries"]["disk"]


async def test_before_it_is_opened_and_after_it_is_closed_there_is_the_memory(
    tmp_path: Path, clock: Clock
) -> None:
    """A late run meets no error."""
    settings = Settings(data_dir=tmp_path)
    cache = ResultCache(settings, Keys(settings), clock)
    cache.put("early", clock.result(), 60)
    assert await cache.get("early") is not None
    await cache.open()
    await cache.close()
    cache.put("late", clock.result(), 60)
    assert await cache.get("late") is not None
    assert await cache.get("none") is None
    await cache.close()


async def test_many_at_once(tmp_path: Path, clock: Clock) -> None:
    """Runs that put and get the same keys at the same time find whole results or nothing."""
    async with opened(tmp_path, clock, cache_memory_mb=1, cache_disk_mb=8) as cache:

        async def one(number: int) -> int:
            found = 0
            for turn in range(30):
                key = str((number + turn) % 7)
                cached = await cache.get(key)
                if cached is not None:
                    found += 1
                    assert bytes([int(key)]) * 200_000 == cached.payload
                cache.put(key, clock.result(bytes([int(key)]) * 200_000), 60)
                await asyncio.sleep(0)
            return found

        assert sum(await asyncio.gather(*(one(number) for number in range(20)))) > 100
        assert 0 == cache.stats()["damaged"]
