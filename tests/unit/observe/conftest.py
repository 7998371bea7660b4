"""A runner with plain processes, that ran something: what worked, what failed in several ways, and what was refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings
from tests.runner import RunnerClient, running
from tests.unit.observe.exposed import Family, read


@pytest.fixture(scope="session")
async def busy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunnerClient]:
    place: Path = tmp_path_factory.mktemp("observe")
    async with running(
        ProcessBackend(Settings().cache_dir), place, pool_floor=1, public_url="https://qflow.example.org"
    ) as runner:
        await runner.until_ready()
        good = "def f(n: int = 1) -> int:\n    print(n)\n    return n + 1\n"
        assert (await runner.run(good, [{"n": 1}, {"n": 2}]))[0] == 200
        for _ in range(2):
            assert (await runner.run(good, [{"n": 5}], cache_ttl_s=60, execution="cached"))[0] == 200
        assert (await runner.run("def f():\n    raise ValueError('no')\n"))[0] == 422
        assert (await runner.run("def f(n: int):\n    return n\n", [{"n": "x"}]))[1]["category"] == "type"
        slow = "def f():\n    while True: pass\n"
        assert (await runner.run(slow, timeout_s=0.3))[1]["category"] == "timeout"
        assert (await runner.run("def f() -> object:\n    return object()\n", output="reference"))[0] == 200
        await runner.http.get(runner.address + "/v1/sandboxes", headers={"Authorization": "Bearer wrong"})
        yield runner


async def exposed(runner: RunnerClient) -> dict[str, Family]:
    async with runner.http.get(runner.address + "/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return read(await response.text())
