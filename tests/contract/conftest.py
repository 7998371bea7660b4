"""The backends that run code, for contracts that the fake cannot keep."""

from collections.abc import Callable

import pytest

from qflow_runner.sandbox.backend import Backend
from qflow_runner.sandbox.docker import DockerBackend
from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings

MakeBackend = Callable[[], Backend]


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def make_backend(request: pytest.FixtureRequest) -> MakeBackend:
    """A new one each time, as a runner that starts again has."""
    if request.param == "process":
        return lambda: ProcessBackend(Settings().cache_dir)
    return lambda: DockerBackend("contract-tests")


@pytest.fixture
def backend(make_backend: MakeBackend) -> Backend:
    return make_backend()
