"""One real n8n with the real node, and one real runner, for all tests in this folder."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import cache, parts
from lab.browser import Editor, editor
from lab.n8n_api import N8nApi
from lab.parts import Parts
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE
from tests.e2e.services import Services, running_services

# The first test of a machine that has nothing yet also installs n8n and builds the sandbox image.
TIMEOUT_S = 1200
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session", name="parts")
async def _parts(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """QFLOW_E2E_BACKEND=process runs the tests where there is no Docker; what is checked is the same."""
    backend = "process" if os.environ.get("QFLOW_E2E_BACKEND") == "process" else "docker"
    await parts.install()
    if backend == "docker":
        await cache.run_script("engine.sh")
        await parts.build_image()
    async with parts.started(tmp_path_factory.mktemp("e2e"), backend) as running:
        yield running


@pytest.fixture(scope="session", name="api")
async def _api(parts: Parts) -> N8nApi:
    return parts.n8n.api


@pytest.fixture(scope="session", name="runner")
async def _runner(parts: Parts) -> Runner:
    return parts.runner


@pytest.fixture(scope="session", name="editor")
async def _editor(parts: Parts) -> AsyncIterator[Editor]:
    await cache.run_script("browser.sh")
    async with editor(parts.n8n.url) as opened:
        yield opened


@pytest.fixture(scope="session", name="services")
async def _services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    async with running_services(tmp_path_factory.mktemp("redis")) as services:
        yield services


@pytest.fixture(scope="session", name="reaching")
async def _reaching(
    parts: Parts, services: Services, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Parts]:
    """A runner whose administrator allows the services by name."""
    if parts.runner.backend != "docker":
        pytest.skip("the process backend keeps nobody from the network")
    names = ("shop", "books", "reviews", "llm", "redis", "db")
    runner = await Runner.start(
        tmp_path_factory.mktemp("egress") / "runner",
        "docker",
        env={
            "QFLOW_EGRESS_ALLOW": "*.internal:*",
            "QFLOW_EGRESS_PRIVATE": " ".join(f"127.0.0.1:{port}" for port in services.ports.values()),
            "QFLOW_EGRESS_HOSTS": " ".join(f"{name}.internal=127.0.0.1" for name in names),
        },
    )
    try:
        credential = await parts.n8n.api.create_credential("Reaching", CREDENTIAL_TYPE, runner.credential)
        yield replace(parts, runner=runner, credential=credential)
    finally:
        await runner.stop()
