"""Every test has a cluster of its own; the servers behind it are shared by those that do not stop them."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import redis as lab_redis
from lab.postgres import Postgres, postgres_bin, running_postgres
from lab.redis import RedisServer
from tests.cluster.cluster import Cluster, database


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    if postgres_bin() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed: run scripts/postgres.sh")
    async with running_postgres() as server:
        yield server


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    await lab_redis.install()
    server = await RedisServer.start(tmp_path / "redis")
    yield server
    await server.stop()


@pytest.fixture
async def cluster(tmp_path: Path, redis: RedisServer, postgres: Postgres) -> AsyncIterator[Cluster]:
    """With the process backend, which shows all but the boundary."""
    async with database(postgres) as name:
        made = Cluster(tmp_path, redis, postgres, name)
        yield made
        await made.stop()
