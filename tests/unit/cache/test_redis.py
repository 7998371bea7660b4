"""The shared tier, with a real server: what it has is found, and when it is away nobody waits for it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError
from redis.asyncio import Redis
from structlog.testing import capture_logs

from lab.processes import free_ports
from lab.redis import RedisServer
from qflow_runner.cache import ResultCache, redis_tier
from qflow_runner.cache.redis_tier import VALUE_MAX
from qflow_runner.errors import Unavailable
from qflow_runner.files import Keys
from qflow_runner.settings import Settings
from tests.unit.cache.conftest import RETRY_S, SHARED_KEY, Clock, forget_memory, opened, until, written

MB = 1 << 20
DEADLINES = (redis_tier.CALL_S, redis_tier.CONNECT_S)


@contextlib.asynccontextmanager
async def client(server: RedisServer) -> AsyncIterator[Redis]:
    redis = Redis.from_url(server.url)
    try:
        yield redis
    finally:
        await redis.aclose()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test machine that is busy is not a Redis that is away."""
    monkeypatch.setattr(redis_tier, "CALL_S", 5.0)
    monkeypatch.setattr(redis_tier, "CONNECT_S", 5.0)


def up(cache: ResultCache) -> bool:
    return cache.stats()["up"]["redis"]


async def test_another_runner_finds_the_result(tmp_path: Path, clock: Clock, server: RedisServer) -> None:
    """With the same key; and then it has it in memory and on its own disk."""
    async with opened(tmp_path / "a", clock, server) as one, opened(tmp_path / "b", clock, server) as two:
        one.put("k", clock.result(b"[1]" * 400_000, errors=4), 60)
        await written(one)
        found = await two.get("k")
        assert found is not None
        assert (b"[1]" * 400_000, 4, clock.time, clock.time + 60) == (
            found.payload,
            found.errors,
            found.made,
            found.expires,
        )
        await written(two)
        assert {"memory": 0, "disk": 0, "redis": 1} == two.stats()["hits"]
        forget_memory(two)
        assert found == await two.get("k")
        assert {"memory": 0, "disk": 1, "redis": 1} == two.stats()["hits"]


async def test_nothing_in_redis_is_readable_and_all_of_it_expires(
    tmp_path: Path, clock: Clock, server: RedisServer
) -> None:
    """The value is encrypted, and Redis itself removes it in time."""
    async with opened(tmp_path, clock, server) as cache, client(server) as redis:
        key = await cache.key("definition", "workflow", b"a question")
        clock.time += 10
        cache.put(key, clock.result(b"a secret of a person"), 60)
        await written(cache)
        (name,) = await redis.keys("*")
        assert f"qflow:result:{key}".encode() == name
        assert b"secret" not in await redis.get(name)
        assert 59_000 < await redis.pttl(name) <= 60_000


async def test_what_redis_keeps_too_long_is_a_miss_and_removed(
    tmp_path: Path, clock: Clock, server: RedisServer
) -> None:
    """Expiry is exact at reading, whatever the server's clock says."""
    async with (
        opened(tmp_path, clock, server, cache_memory_mb=0, cache_disk_mb=0) as cache,
        client(server) as redis,
    ):
        cache.put("k", clock.result(), 60)
        await written(cache)
        clock.time += 59.9
        assert await cache.get("k") is not None
        clock.time += 0.1
        assert await cache.get("k") is None
        await written(cache)
        assert [] == await redis.keys("*")


@pytest.mark.parametrize(
    "harm",
    [
        b"",
        b"noise",
        b"QFR1\xff\xff",
        b"QFR1\x00\x05" + bytes(100),
        bytes(3 * MB),
        "flip",
        "cut",
        "list",
        "moved",
    ],
    ids=["empty", "noise", "no token", "zeros", "too large", "flip", "cut", "list", "moved"],
)
async def test_what_others_put_there_is_a_miss_and_removed(
    tmp_path: Path, clock: Clock, server: RedisServer, harm: Any
) -> None:
    """Altered, cut short, far too large, of another type, or another key's entry; and the tier stays in use."""
    options = {"cache_memory_mb": 0, "cache_disk_mb": 0, "cache_value_max_mb": 1}
    async with opened(tmp_path, clock, server, **options) as cache, client(server) as redis:
        name = "qflow:result:k"
        cache.put("k", clock.result(b"[1]" * 1000), 60)
        await written(cache)
        content = await redis.get(name)
        if harm == "flip":
            await redis.setrange(name, 2000, bytes([content[2000] ^ 1]))
        elif harm == "cut":
            await redis.set(name, content[:-1])
        elif harm == "list":
            await redis.delete(name)
            await redis.rpush(name, b"a", b"b")
        elif harm == "moved":
            cache.put("other", clock.result(), 60)
            await written(cache)
            await redis.rename("qflow:result:other", name)
        else:
            await redis.set(name, harm)
        assert await cache.get("k") is None
        await written(cache)
        assert harm == b"" or await redis.get(name) is None
        assert (up(cache), {"redis": 0}) == (True, cache.stats()["errors"])
        assert (harm != b"") == cache.stats()["damaged"]


async def test_a_runner_with_another_key_reads_nothing(
    tmp_path: Path, clock: Clock, server: RedisServer
) -> None:
    """The same Redis, and not the same secret."""
    other = Fernet.generate_key().decode()
    async with (
        opened(tmp_path / "a", clock, server) as one,
        opened(tmp_path / "b", clock, server, encryption_keys=other) as two,
    ):
        one.put("k", clock.result(), 60)
        await written(one)
        assert await two.get("k") is None
        assert 1 == two.stats()["damaged"]


async def test_a_redis_that_is_killed_and_started_again(
    tmp_path: Path, clock: Clock, server: RedisServer
) -> None:
    """One log line when it goes, one when it is back; in between nobody waits, and no run hears of it."""
    async with opened(tmp_path / "a", clock, server, cache_disk_mb=0) as cache:
        cache.put("k", clock.result(), 60)
        await written(cache)
        await server.kill()
        forget_memory(cache)
        with capture_logs() as logs:
            assert await cache.get("k") is None
            assert not up(cache)
            began = time.perf_counter()
            for number in range(1000):
                assert await cache.get("k") is None
                cache.put(str(number), clock.result(), 60)
            assert time.perf_counter() - began < 2.0
            await asyncio.sleep(3 * RETRY_S)
            again = await RedisServer.start(tmp_path / "again", port=server.port)
            try:
                await until(lambda: up(cache))
                cache.put("k", clock.result(b"[2]"), 60)
                await written(cache)
                forget_memory(cache)
                assert b"[2]" == (await cache.get("k")).payload
            finally:
                await again.stop()
        assert ["cache.tier_failed", "cache.tier_back"] == [each["event"] for each in logs]
        assert cache.stats()["errors"]["redis"] >= 2
        assert SHARED_KEY not in str(logs)
        assert server.password not in str(logs)


async def test_a_redis_that_restarts_between_two_calls_is_not_away(
    tmp_path: Path, clock: Clock, server: RedisServer
) -> None:
    """Connections that broke meanwhile are made anew."""
    async with opened(tmp_path / "a", clock, server, cache_memory_mb=0, cache_disk_mb=0) as cache:
        cache.put("k", clock.result(), 60)
        await written(cache)
        await server.kill()
        again = await RedisServer.start(tmp_path / "again", port=server.port)
        try:
            assert await cache.get("k") is None
            cache.put("k", clock.result(), 60)
            await written(cache)
            assert await cache.get("k") is not None
            assert {"redis": 0} == cache.stats()["errors"]
        finally:
            await again.stop()


async def test_a_redis_that_hangs_costs_its_deadline_once(
    tmp_path: Path, clock: Clock, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections and answers nothing: the first calls wait for it, those of the next seconds not at all."""
    assert (0.2, 0.5) == DEADLINES
    monkeypatch.setattr(redis_tier, "CALL_S", 0.5)
    monkeypatch.setattr(redis_tier, "CONNECT_S", 0.5)
    async with opened(tmp_path, clock, server, cache_memory_mb=0, cache_disk_mb=0) as cache:
        cache.put("k", clock.result(), 60)
        await written(cache)
        server.process.pause()
        try:
            began = time.perf_counter()
            assert [None] * 10 == await asyncio.gather(*(cache.get("k") for _ in range(10)))
            first = time.perf_counter() - began
            began = time.perf_counter()
            for _ in range(1000):
                await cache.get("k")
            rest = time.perf_counter() - began
        finally:
            server.process.resume()
        assert 0.4 < first < 3.0
        assert rest < 3.0  # each would wait for half a second
        await until(lambda: up(cache))
        assert await cache.get("k") is not None


async def test_a_redis_that_is_away_from_the_start(tmp_path: Path, clock: Clock) -> None:
    """Opening does not wait for it, and it is used when it comes."""
    (port,) = free_ports(1)
    settings = Settings(
        data_dir=tmp_path, redis_url=f"redis://:a-password-of-the-lab@127.0.0.1:{port}", cache_disk_mb=0
    )
    cache = ResultCache(settings, Keys(settings), clock, retry_s=RETRY_S)
    began = time.perf_counter()
    await cache.open()
    assert await cache.get("k") is None
    assert time.perf_counter() - began < 0.5
    await until(lambda: cache.stats()["errors"]["redis"])
    server = await RedisServer.start(tmp_path / "redis", port=port)
    try:
        await until(lambda: up(cache))
    finally:
        await cache.close()
        await server.stop()


async def test_a_wrong_password_is_an_outage_that_says_so(
    tmp_path: Path, clock: Clock, server: RedisServer
) -> None:
    """And the log has no password."""
    url = server.url.replace(server.password, "wrong-password")
    settings = Settings(data_dir=tmp_path, redis_url=url, cache_disk_mb=0)
    cache = ResultCache(settings, Keys(settings), clock, retry_s=RETRY_S)
    with capture_logs() as logs:
        await cache.open()
        await until(lambda: cache.stats()["errors"]["redis"] >= 3)
        assert await cache.get("k") is None
        await cache.close()
    (line,) = logs
    assert "password" in line["reason"]
    assert "wrong-password" not in str(line)


async def test_a_full_redis_is_an_outage(tmp_path: Path, clock: Clock, server: RedisServer) -> None:
    """What it refuses to take costs nothing but the entry."""
    async with (
        opened(tmp_path, clock, server, cache_memory_mb=0, cache_disk_mb=0) as cache,
        client(server) as redis,
    ):
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("maxmemory", "1")
        cache.put("k", clock.result(), 60)
        await written(cache)
        assert 1 <= cache.stats()["errors"]["redis"]
        assert await cache.get("k") is None


async def test_many_runs_share_few_connections(tmp_path: Path, clock: Clock, server: RedisServer) -> None:
    """A burst does not open a connection each."""
    async with (
        opened(tmp_path, clock, server, cache_memory_mb=0, cache_disk_mb=0) as cache,
        client(server) as redis,
    ):
        cache.put("k", clock.result(b"[1]"), 60)
        await written(cache)
        found = await asyncio.gather(*(cache.get("k") for _ in range(200)))
        assert sum(each is not None for each in found) >= 16
        assert (await redis.info("clients"))["connected_clients"] <= 18


async def test_a_large_value_goes_through_and_a_larger_one_stays_near(
    tmp_path: Path, clock: Clock, server: RedisServer
) -> None:
    """What cannot be fetched within the deadline is not written: it is in memory and on disk alone."""
    async with opened(tmp_path, clock, server) as cache, client(server) as redis:
        payload = bytes(2 * MB)
        cache.put("k", clock.result(payload), 60)
        cache.put("larger", clock.result(bytes(VALUE_MAX + 2000)), 60)
        await written(cache)
        assert [b"qflow:result:k"] == await redis.keys("*")
        assert 2 == cache.stats()["entries"]["disk"]
    async with opened(tmp_path / "other", clock, server) as cache:
        found = await cache.get("k")
        assert found is not None
        assert payload == found.payload


def test_what_is_no_address_is_refused(tmp_path: Path) -> None:
    """At start, and without telling the password; empty is none."""
    for url in ("http://host", "host:6379", "nonsense"):
        with pytest.raises(ValidationError, match="redis://"):
            Settings(redis_url=url)
    assert Settings(redis_url="").redis_url is None
    settings = Settings(data_dir=tmp_path, redis_url="redis://:sec/ret@host:6379")
    with pytest.raises(Unavailable, match="not the address") as refused:
        ResultCache(settings, Keys(settings))
    assert "sec" not in str(refused.value.detail) + refused.value.hint.replace("special", "")


def test_options_in_the_address_do_not_loosen_the_deadlines(tmp_path: Path) -> None:
    """Not the deadlines, not the form of the answers; and an unknown one does not break it."""
    settings = Settings(
        data_dir=tmp_path,
        redis_url="redis://h/3?socket_timeout=900&decode_responses=true&unknown=1&retry_on_timeout=true",
    )
    (tier,) = [each for each in ResultCache(settings, Keys(settings))._tiers if each.name == "redis"]
    options = tier._client.connection_pool.connection_kwargs

    assert (redis_tier.CALL_S, 3, "h") == (options["socket_timeout"], options["db"], options["host"])
    assert not options.get("decode_responses")
    assert "unknown" not in options
