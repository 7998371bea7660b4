"""Docker goes away under a running runner, and comes back. Between them stands a socket that a test can close."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.sandbox.docker import DockerBackend
from tests.runner import running

CODE = "def f() -> str:\n    return 'done'\n"
DOCKER = "/var/run/docker.sock"


class Door:
    """Forwards a socket of its own to Docker's while it is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: asyncio.Server | None = None
        self._streams: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)
        for stream in list(self._streams):
            stream.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        docker_reader, docker_writer = await asyncio.open_unix_connection(DOCKER)
        self._streams |= {writer, docker_writer}
        await asyncio.gather(_copy(reader, docker_writer), _copy(docker_reader, writer))
        self._streams -= {writer, docker_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    door = Door(tmp_path / "docker.sock")
    await door.open()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{door.path}")
    yield door
    door.close()


async def test_docker_stops_and_returns(door: Door, tmp_path: Path) -> None:
    """Workflows with a sandbox run on, new ones are told within a second what is wrong, and all heals by itself."""
    backend = DockerBackend("docker-away-tests")
    async with running(backend, tmp_path / "data", pool_floor=0) as runner:
        assert ["done"] == [each["value"] for each in await runner.values(CODE, workflow="has one")]

        door.close()
        async with asyncio.timeout(1):
            status, reply = await runner.run(CODE, workflow="needs one")
        assert (503, "unavailable", "docker_unavailable") == (status, reply["category"], reply["code"])
        assert "Start Docker" in reply["hint"]
        assert [{"value": "done"}] == await runner.values(CODE, workflow="has one", execution="next")
        status, reply = await runner.call("GET", "/readyz")
        assert not reply["parts"]["docker"]["ok"]
        assert "Docker does not answer, since 2" in reply["parts"]["docker"]["reason"]

        await door.open()
        assert [{"value": "done"}] == await runner.values(CODE, workflow="needs one")
        status, reply = await runner.call("GET", "/readyz")
        assert (200, True) == (status, reply["parts"]["docker"]["ok"])
