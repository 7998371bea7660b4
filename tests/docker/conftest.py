"""One runner with real Docker for all tests of this folder."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.sandbox.docker import DockerBackend
from tests.runner import RunnerClient, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
async def runner() -> AsyncIterator[RunnerClient]:
    """The default limits, except for a whole CPU: the tests are many and the machine is small."""
    with tempfile.TemporaryDirectory() as directory:
        async with running(DockerBackend("docker-tests"), Path(directory), cpus=1.0) as client:
            await client.until_ready()
            yield client
