"""Shared by every kind of test: an environment without the developer's own settings."""

import os
from collections.abc import AsyncIterator

import hypothesis.internal.observability  # noqa: F401 - its plugin imports it at the very end, and pytest then rewrites it
import pytest

from lab.bucket import BucketServer


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No QFLOW_ variable of the developer's shell reaches a test."""
    for name in list(os.environ):
        if name.startswith("QFLOW_") and name not in {"QFLOW_CACHE", "QFLOW_EXECUTIONS", "QFLOW_SCREENSHOTS"}:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", name="bucket")
async def _bucket(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BucketServer]:
    """For all tests that do not stop it: each takes a folder of its own."""
    server = await BucketServer.start(tmp_path_factory.mktemp("bucket"))
    yield server
    await server.stop()
