"""A runner for tests: the real application on a loopback port, with whichever backend the test is about."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from qflow_runner.api.parts import build_state
from qflow_runner.api.server import build_app
from qflow_runner.sandbox.backend import Backend
from qflow_runner.sandbox.images import SUPPORTED
from qflow_runner.settings import Settings

TOKEN = "a-token-of-the-tests"


class RunnerClient:
    """Speaks to the runner as the n8n node does."""

    def __init__(self, address: str, http: aiohttp.ClientSession, state: Any) -> None:
        self.address = address
        self.http = http
        self.state = state

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.http.request(method, self.address + path, **options) as response:
            return response.status, await response.json(content_type=None)

    async def define(self, code: str, **options: Any) -> str:
        status, reply = await self.call("PUT", "/v1/definitions", json={"code": code, **options})
        assert status == 200, reply
        return reply["id"]

    async def run(
        self,
        code: str,
        items: list[Any] | None = None,
        *,
        workflow: str = "w",
        execution: str = "e",
        args: list[dict[str, Any]] | None = None,
        on_error: str = "stop",
        node: str = "Test node",
        keep: bool = False,
        secrets: dict[str, str] | None = None,
        **options: Any,
    ) -> tuple[int, Any]:
        """Define and run; items are the items' json."""
        definition = await self.define(code, **options)
        body: dict[str, Any] = {"items": [{"json": each} for each in ([{}] if items is None else items)]}
        if args is not None:
            body["args"] = args
        if secrets is not None:
            body["secrets"] = secrets
        return await self.call(
            "POST",
            f"/v1/definitions/{definition}/runs",
            params={
                "workflow": workflow,
                "execution": execution,
                "node": node,
                "on_error": on_error,
                **({"keep": "1"} if keep else {}),
            },
            # As a file, because a large body of bytes is nothing that aiohttp's client likes.
            data=io.BytesIO(json.dumps(body).encode()),
            headers={"Content-Type": "application/json"},
        )

    async def values(self, code: str, items: list[Any] | None = None, **options: Any) -> list[Any]:
        """The json of what a run that must succeed returned."""
        status, reply = await self.run(code, items, **options)
        assert status == 200, reply
        return [item["json"] for item in reply["items"]]

    async def sandboxes(self) -> list[dict[str, Any]]:
        return (await self.call("GET", "/v1/sandboxes"))[1]["sandboxes"]

    async def until_ready(self, seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while (await self.call("GET", "/readyz"))[0] != 200:
                await asyncio.sleep(0.05)  # readiness has no event outside the process


@asynccontextmanager
async def running(backend: Backend, data_dir: Path, **settings: Any) -> AsyncIterator[RunnerClient]:
    """The runner with this backend, ready for its first run, and stopped at the end."""
    table = Settings(data_dir=data_dir, backend="docker", **settings)
    state = build_state(table, TOKEN, "tests", backend, SUPPORTED)
    runner = web.AppRunner(build_app(state), handler_cancellation=True, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            yield RunnerClient(address, http, state)
    finally:
        await runner.cleanup()
