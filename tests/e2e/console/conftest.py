"""A real runner with its console, and a Chromium to look at it. n8n has no part in these tests."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from lab import cache, parts
from lab.console import Console, chromium, console
from lab.runner import Runner

# Analyses and boots take their time on a busy machine.
expect.set_options(timeout=20_000)

PICTURES = Path(__file__).parents[3] / "docs" / "images"


class Api:
    """The runner's API, as whoever prepares a test calls it."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._headers = {"Authorization": f"Bearer {runner.token}"}

    async def call(self, method: str, path: str, **options: Any) -> Any:
        async with (
            aiohttp.ClientSession(headers=self._headers) as http,
            http.request(method, self.runner.url + path, **options) as response,
        ):
            return await response.json(content_type=None)

    async def run(
        self,
        code: str,
        items: list[dict[str, Any]] | None = None,
        *,
        node: str = "Node",
        execution: str = "e",
        workflow: str = "w",
        **options: Any,
    ) -> Any:
        """Define and run; the reply, or the problem."""
        defined = await self.call("PUT", "/v1/definitions", json={"code": code, **options})
        return await self.call(
            "POST",
            f"/v1/definitions/{defined['id']}/runs",
            params={"workflow": workflow, "execution": execution, "node": node},
            json={"items": [{"json": each} for each in items or [{}]]},
        )


@pytest.fixture(scope="session", name="runner")
async def _runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runner]:
    """In the place of the one that n8n knows: what is in its lists is known."""
    backend = "process" if os.environ.get("QFLOW_E2E_BACKEND") == "process" else "docker"
    await cache.run_script("console.sh")
    if backend == "docker":
        await cache.run_script("engine.sh")
        await parts.build_image()
    runner = await Runner.start(tmp_path_factory.mktemp("console"), backend)
    try:
        yield runner
    finally:
        await runner.stop()


@pytest.fixture(scope="session", name="api")
def _api(runner: Runner) -> Api:
    return Api(runner)


@pytest.fixture(scope="session", name="browser")
async def _browser() -> AsyncIterator[Browser]:
    await cache.run_script("browser.sh")
    async with chromium() as opened:
        yield opened


@pytest.fixture(name="page")
async def _page(runner: Runner, browser: Browser) -> AsyncIterator[Console]:
    """A page of somebody who is signed in. At the end nothing has gone wrong in it, and nobody else was asked."""
    async with console(browser, runner.url) as opened:
        await opened.open()
        await opened.sign_in(runner.token)
        yield opened
        assert {runner.url.removeprefix("http://")} == opened.heard.hosts
        assert [] == opened.heard.errors


@pytest.fixture(name="picture")
def _picture() -> Path | None:
    """Where pictures for the documentation go, when they are asked for."""
    return PICTURES if os.environ.get("QFLOW_SCREENSHOTS") else None
