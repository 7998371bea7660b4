"""What each backend promises of the network: Docker holds code to its list, the process backend says that it does not."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.sandbox.backend import Backend
from tests.runner import RunnerClient, running
from tests.unit.egress.sandbox import echo, service

FETCH = """
import socket

def fetch(host: str, port: int) -> str:
    with socket.create_connection((host, port), 5) as connection:
        connection.sendall(b"hello")
        return connection.recv(100).decode()
"""
NAME = socket.gethostname()
"""One that every resolver of this machine knows."""


@pytest.fixture
async def client(backend: Backend, tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(
        backend,
        tmp_path / "data",
        egress_allow=[f"{NAME}:*"],
        egress_private=["127.0.0.1"],
        egress_hosts=[f"{NAME}=127.0.0.1"],
        pool_floor=1,
    ) as made:
        await made.until_ready()
        yield made


async def test_a_list_is_refused_that_the_administrator_does_not_allow(client: RunnerClient) -> None:
    status, problem = await client.call(
        "PUT", "/v1/definitions", json={"code": FETCH, "egress": ["other.example:443"]}
    )

    assert (status, problem["code"]) == (403, "egress_not_allowed")


async def test_docker_alone_holds_code_to_its_list(client: RunnerClient, backend: Backend) -> None:
    """Where the other does not, its sandboxes show no list."""
    item = [{"host": "127.0.0.1", "port": 0}]
    async with service(echo) as port:
        item[0]["port"] = port
        status, reply = await client.run(FETCH, item)
        if backend.name == "process":
            assert (status, reply["items"][0]["json"]) == (200, {"value": "hello"})
            assert all("egress" not in row for row in await client.sandboxes())
            return
        assert (status, reply["code"]) == (422, "network_refused")
        item[0]["host"] = NAME

        assert [{"value": "hello"}] == await client.values(FETCH, item, egress=[f"{NAME}:{port}"])
        assert [f"{NAME}:{port}".lower()] in [row["egress"]["hosts"] for row in await client.sandboxes()]


async def test_the_definition_is_another_one_with_another_list(client: RunnerClient) -> None:
    """In whatever order and writing; and the one without a list is as it was before there were any."""
    plain = await client.define(FETCH)
    one = await client.define(FETCH, egress=[f"{NAME}:1", f"{NAME}:2"])

    assert plain == await client.define(FETCH, egress=[])
    assert one == await client.define(FETCH, egress=[f"{NAME.upper()}.:2", f"{NAME}:1", f"{NAME}:1"])
    assert one not in (plain, await client.define(FETCH, egress=[f"{NAME}:1"]))
