"""A runner in this process with plain processes as sandboxes: these faults are of what stands around it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.postgres import Postgres, postgres_bin, running_postgres
from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings
from tests.runner import RunnerClient, running

Start = Callable[..., Awaitable[RunnerClient]]
SmallDisk = Callable[[int], Path]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as held:

        async def started(**settings: Any) -> RunnerClient:
            given = {"python": "{}.{}".format(*sys.version_info[:2]), "pool_floor": 0, "advisories": "off"}
            data = settings.pop("data_dir", tmp_path / "data")
            backend = ProcessBackend(Settings().cache_dir)
            client = await held.enter_async_context(running(backend, data, **{**given, **settings}))
            await client.state.database._tried.wait()  # with or without success: short deadlines begin here
            return client

        yield started


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Makes directories with so many KB of room."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    made: list[Path] = []

    def disk(kilobytes: int) -> Path:
        place = tmp_path / f"disk{len(made)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", place], check=True)
        made.append(place)
        return place

    yield disk
    for place in made:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    if postgres_bin() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed: run scripts/postgres.sh")
    async with running_postgres() as server:
        yield server
