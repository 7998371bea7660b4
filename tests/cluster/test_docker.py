"""A cluster whose workers have real Docker: what only containers show."""

import asyncio
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, until
from tests.cluster.test_faults import _home_of, _workers
from tests.cluster.test_runs import COUNT, KEEP, READ

pytestmark = pytest.mark.docker


async def test_workers_with_containers(cluster: Cluster, tmp_path: Path) -> None:
    """Homes, live objects across workers, and a worker that is killed, returns as the same, and finds its sandboxes."""
    cluster.backend = "docker"
    workers = [await cluster.worker(pool_ceiling=3) for _ in range(2)]
    api = await cluster.api(ready=True)
    await until(lambda: _workers(api, 2))

    _, kept = await api.client.run(KEEP, [{"n": 41}], keep=True, output="reference")
    item = kept["items"][0]["json"]
    others = await asyncio.gather(*(api.client.values(READ, [item], execution=f"o{n}") for n in range(4)))
    counted = [(await api.client.values(COUNT))[0]["calls"] for _ in range(3)]
    at, _ = await _home_of(api, workers)
    await at.kill()
    await until(lambda: _workers(api, 1))
    await at.start()
    await until(lambda: _workers(api, 2))

    assert [[{"value": 42}]] * 4 == others
    assert [1, 2, 3] == counted
    assert any(each["event"] == "sandbox.returned" for each in at.log)
    assert [{"value": 3}] == await api.client.values("def f() -> int:\n    return 3", execution="after")
