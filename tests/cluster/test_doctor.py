"""`qflow doctor` names what keeps a host from its cluster."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from qflow_runner.doctor.checks import cluster as looked_at
from qflow_runner.settings import Settings
from tests.cluster.cluster import Cluster


def settings(cluster: Cluster, folder: Path, **changed: Any) -> Settings:
    return Settings(**{**cluster._all({}), "data_dir": folder, "engine": "celery", **changed})


async def test_a_sound_cluster_is_called_sound(cluster: Cluster, tmp_path: Path) -> None:
    """With its workers."""
    await cluster.worker()
    async with redis(cluster) as server:
        await server.config_set("maxmemory-policy", "noeviction")

    found = await looked_at(settings(cluster, tmp_path / "d"))

    assert {"shared directory": "ok", "Redis": "warning", "workers": "ok"} == {e.part: e.grade for e in found}
    assert "1 workers" in found[-1].found
    assert "appendonly" in found[1].advice


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("password", "QFLOW_REDIS_URL"),
        ("keys", "QFLOW_ENCRYPTION_KEYS"),
        ("directory", "QFLOW_SHARED_DIR"),
        ("no directory", "Mount it"),
        ("eviction", "noeviction"),
        ("workers", "qflow worker"),
    ],
)
async def test_what_is_wrong_is_named(cluster: Cluster, tmp_path: Path, wrong: str, named: str) -> None:
    """Each with what to do."""
    if wrong != "workers":
        await cluster.worker()
    changed: dict[str, Any] = {
        "password": {"redis_url": cluster.redis.url.replace(cluster.redis.password, "wrong")},
        "keys": {"encryption_keys": Fernet.generate_key().decode()},
        "directory": {"shared_dir": tmp_path / "elsewhere"},
        "no directory": {"shared_dir": tmp_path / "file" / "in-the-way"},
    }.get(wrong, {})

    (tmp_path / "file").touch()

    found = await looked_at(settings(cluster, tmp_path / "d", **changed))

    problems = [each for each in found if each.grade == "problem"]
    assert problems, found
    assert any(named in f"{each.found} {each.advice}" for each in problems), problems


async def test_a_host_of_its_own_is_not_asked(tmp_path: Path) -> None:
    """One runner needs no Redis."""
    assert [] == await looked_at(Settings(data_dir=tmp_path))


def redis(cluster: Cluster) -> Any:
    from redis.asyncio import Redis

    return Redis.from_url(cluster.redis.url)
