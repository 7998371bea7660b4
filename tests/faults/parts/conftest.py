"""One runner in this process, on a Docker daemon of its own."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.parts.engine import Engine, own_engine
from tests.runner import RunnerClient, running
from tests.unit.layers.wheels import make_wheel


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
async def engine() -> AsyncIterator[Engine]:
    async with own_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
async def runner(engine: Engine) -> AsyncIterator[RunnerClient]:
    """With one package to be had, so that a node can have an environment."""
    with tempfile.TemporaryDirectory(prefix="qflow-faults-") as directory:
        wheels = Path(directory) / "wheels"
        make_wheel(wheels, "small")
        backend = engine.backend("faults")
        async with running(
            backend, Path(directory) / "data", cpus=1.0, pool_floor=2, wheels_dir=wheels, advisories="off"
        ) as client:
            await client.until_ready(60)
            yield client
