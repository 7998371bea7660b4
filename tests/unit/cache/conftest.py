"""A cache in a directory of the test's own, a clock that a test moves, and a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from lab import redis
from lab.redis import RedisServer
from qflow_runner.cache import Cached, ResultCache
from qflow_runner.files import Keys
from qflow_runner.settings import Settings

RETRY_S = 0.1
SHARED_KEY = Fernet.generate_key().decode()


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.time = 2_000_000_000.0

    def __call__(self) -> float:
        return self.time

    def result(self, payload: bytes = b'[{"json":{}}]', errors: int = 0) -> Cached:
        """One that is made now."""
        return Cached(payload, errors, self.time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    await redis.install()
    server = await RedisServer.start(tmp_path / "redis")
    yield server
    await server.stop()


@asynccontextmanager
async def opened(
    path: Path, clock: Callable[[], float], redis: RedisServer | None = None, **settings: Any
) -> AsyncIterator[ResultCache]:
    """A cache whose tiers are all in use."""
    if redis is not None:
        settings = {"redis_url": redis.url, "encryption_keys": SHARED_KEY} | settings
    table = Settings(data_dir=path, **settings)
    cache = ResultCache(table, Keys(table), clock, retry_s=RETRY_S)
    await cache.open()
    try:
        await until(lambda: all(cache.stats()["up"].values()))
        yield cache
    finally:
        await cache.close()


async def until(true: Callable[[], object], deadline_s: float = 10) -> None:
    async with asyncio.timeout(deadline_s):
        while not true():
            await asyncio.sleep(0.005)  # what happens behind a reply has no event


async def written(cache: ResultCache) -> None:
    """What was put is in every tier."""
    async with asyncio.timeout(10):
        await cache._queue.join()


def forget_memory(cache: ResultCache) -> None:
    for key in list(cache._memory._entries):
        cache._memory._remove(key)
