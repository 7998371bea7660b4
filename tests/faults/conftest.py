"""A runner as a process of its own, so that it can be killed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.runner import RunnerProcess

Start = Callable[..., Awaitable[RunnerProcess]]


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def start(backend: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts runners of one data directory, one after the other, and stops the last at the end."""
    runners: list[RunnerProcess] = []

    async def started(**settings: Any) -> RunnerProcess:
        runner = RunnerProcess(backend, tmp_path / "data", settings)
        runners.append(runner)
        await runner.start()
        return runner

    yield started
    for runner in runners:
        await runner.stop()
