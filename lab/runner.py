"""A real runner: `qflow serve` with its own data directory and port."""

import asyncio
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import aiohttp

from lab.errors import RequestFailedError
from lab.processes import Process, free_ports

Backend = Literal["docker", "process"]


async def docker_answers() -> bool:
    """Whether `docker info` works here and now."""
    try:
        asked = await asyncio.create_subprocess_exec(
            "docker", "info", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        return False
    return await asked.wait() == 0


class Runner:
    """A running `qflow serve`. `url` and `token` are what an n8n credential needs."""

    def __init__(self, process: Process, url: str, token: str, backend: Backend) -> None:
        self.process = process
        self.url = url
        self.token = token
        self.backend = backend
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})

    @classmethod
    async def start(
        cls,
        folder: Path,
        backend: Backend,
        *,
        port: int | None = None,
        token: str | None = None,
        env: Mapping[str, str] | None = None,
        deadline_s: float = 60,
    ) -> "Runner":
        """Start it and wait for /readyz. LabError with the end of its log when it is not ready in time."""
        port = port or free_ports(1)[0]
        token = token or secrets.token_urlsafe(24)
        own = {
            "QFLOW_TOKEN": token,
            "QFLOW_PORT": str(port),
            "QFLOW_DATA_DIR": str(folder),
            "QFLOW_BACKEND": backend,
        }
        if backend == "process":
            # The one version that is certainly on this machine.
            own["QFLOW_PYTHON"] = "{}.{}".format(*sys.version_info[:2])
        program = Path(sys.executable).parent / "qflow"
        process = await Process.start(
            "qflow serve", [program, "serve"], log=folder / "runner.log", env={**own, **(env or {})}
        )
        url = f"http://127.0.0.1:{port}"
        try:
            await process.ready(f"{url}/readyz", deadline_s)
        except BaseException:
            # Whoever waits may be cancelled; what was started must not stay behind.
            await process.stop()
            raise
        return cls(process, url, token, backend)

    @property
    def credential(self) -> dict[str, str]:
        """The data of an n8n credential of type `qflowApi`."""
        return {"url": self.url, "token": self.token}

    async def sandboxes(self) -> list[dict[str, Any]]:
        """What GET /v1/sandboxes lists."""
        async with self._http.get(f"{self.url}/v1/sandboxes") as response:
            if response.status != 200:
                raise RequestFailedError("GET /v1/sandboxes", response.status, await response.text())
            return (await response.json())["sandboxes"]

    async def put_workflow(self, workflow: Mapping[str, Any]) -> None:
        """Send it as n8n's hook file does when a workflow is published: the console then knows its graph."""
        async with self._http.put(f"{self.url}/v1/workflows/{workflow['id']}", json=workflow) as response:
            if response.status != 200:
                raise RequestFailedError("PUT /v1/workflows", response.status, await response.text())

    async def stop(self) -> None:
        await self._http.close()
        # It lets runs finish before it ends, for as long as QFLOW_DRAIN_S says.
        await self.process.stop(deadline_s=45)
