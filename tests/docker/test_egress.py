"""Code in a real sandbox reaches what its nodes list, and nothing else. All services are on this machine's loopback."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.sandbox.docker import DockerBackend
from tests.faults.runner import RunnerProcess
from tests.runner import RunnerClient, running
from tests.unit.egress.sandbox import echo, http, service

FETCH = """
import socket

def fetch(host: str, port: int, text: str = "hello") -> str:
    with socket.create_connection((host, port), 5) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
"""
URL = """
import urllib.request

def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()
"""
ENVIRONMENT = "import os\ndef proxies() -> dict:\n    return {k: v for k, v in os.environ.items() if 'proxy' in k.lower()}\n"


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[RunnerClient]:
    """Every name of .test is this machine, by the administrator's word."""
    names = [f"{name}.test=127.0.0.1" for name in ("a", "b", "c", "api.wild", "evil")]
    with tempfile.TemporaryDirectory() as directory:
        async with running(
            DockerBackend("egress-tests"),
            Path(directory),
            cpus=1.0,
            egress_allow=["*.test:*", "*:443"],
            egress_private=["127.0.0.1"],
            egress_hosts=[*names, "inside.test=10.0.0.1", "meta.test=169.254.169.254"],
        ) as made:
            await made.until_ready()
            yield made


async def reach(client: RunnerClient, workflow: str) -> dict[str, object]:
    rows = [row for row in await client.sandboxes() if row["workflow"] == workflow]
    return rows[0]["egress"]


async def test_a_listed_host_is_reached_by_its_name(client: RunnerClient) -> None:
    """On a low port too, with nothing in the code that knows of it; the row of the sandbox tells."""
    async with service(echo) as port:
        item = {"host": "a.test", "port": port, "text": "x" * 300_000}
        values = await client.values(FETCH, [item], workflow="listed", egress=[f"A.test:{port}"])

        assert values == [{"value": "x" * 300_000}]
        row = await reach(client, "listed")
        assert row["hosts"] == [f"a.test:{port}"]
        assert (row["connections"], row["bytes_sent"], row["bytes_received"]) == (1, 300_000, 300_000)


@pytest.mark.parametrize(
    "host", ["b.test", "evil.test", "example.org", "127.0.0.1", "10.0.0.1", "169.254.169.254"]
)
async def test_what_is_not_listed_fails_at_once_with_a_hint(client: RunnerClient, host: str) -> None:
    """As a failure of the network, which says what to add where."""
    async with service(echo) as port:
        loop = asyncio.get_running_loop()
        await client.values(
            FETCH, [{"host": "a.test", "port": port}], workflow="other", egress=[f"a.test:{port}"]
        )
        began = loop.time()
        status, problem = await client.run(FETCH, [{"host": host, "port": port}], workflow="other")

    assert (status, problem["category"], problem["code"]) == (422, "network", "network_refused"), problem
    assert "Network Access" in problem["hint"]
    assert loop.time() - began < 4


async def test_a_host_that_is_away_is_explained(client: RunnerClient) -> None:
    """The code sees a reset; the hint has the runner's reason."""
    status, problem = await client.run(
        FETCH, [{"host": "a.test", "port": 9}], workflow="away", egress=["a.test:9"]
    )

    assert 422 == status
    assert "a.test:9 was not reached: 127.0.0.1: Connection refused." in problem["hint"]


@pytest.mark.parametrize(("host", "why"), [("inside.test", "private"), ("meta.test", "metadata")])
async def test_a_listed_name_that_leads_inside_is_refused(client: RunnerClient, host: str, why: str) -> None:
    status, problem = await client.run(
        FETCH, [{"host": host, "port": 80}], workflow="inside", egress=[f"{host}:80"]
    )

    assert 422 == status
    assert why in problem["hint"]


async def test_what_the_administrator_does_not_allow_cannot_be_listed(client: RunnerClient) -> None:
    status, problem = await client.call(
        "PUT", "/v1/definitions", json={"code": FETCH, "egress": ["db.internal:5432"]}
    )

    assert (status, problem["category"], problem["code"]) == (403, "policy", "egress_not_allowed")
    assert "db.internal:5432" in problem["detail"]
    assert "QFLOW_EGRESS_ALLOW" in problem["detail"]


async def test_nodes_of_a_workflow_share_what_they_list_and_workflows_do_not(client: RunnerClient) -> None:
    """Also a session that was started before the names were given."""
    async with service(echo) as port:
        items = [{"host": "a.test", "port": port}]
        await client.values("def f() -> int:\n    return 1\n", workflow="one", execution="x")
        await client.values(FETCH, items, workflow="one", execution="x", egress=[f"a.test:{port}"])

        assert [{"value": "hello"}] == await client.values(FETCH, items, workflow="one", execution="x")
        status, problem = await client.run(FETCH, items, workflow="two", execution="x")
        assert (status, problem["code"]) == (422, "network_refused")


async def test_a_pattern_is_reached_by_http_clients(client: RunnerClient) -> None:
    """By the proxy's variables, which a session has only where a node of its workflow lists a pattern."""
    async with service(http) as port:
        assert [{}] == await client.values(ENVIRONMENT, workflow="wild", execution="x")
        url = f"http://api.wild.test:{port}/path"
        values = await client.values(
            URL, [{"url": url}], workflow="wild", execution="x", egress=[f"*.wild.test:{port}"]
        )
        assert values[0]["value"].startswith(f"GET /path HTTP/1.1\r\nHost: api.wild.test:{port}\r\n")
        [variables] = await client.values(ENVIRONMENT, workflow="wild", execution="x")
        assert variables["HTTPS_PROXY"] == variables["http_proxy"] == "http://127.7.0.1:3128"

        status, problem = await client.run(URL, [{"url": f"http://evil.test:{port}/"}], workflow="wild")
        assert 422 == status
        assert f"evil.test:{port} is not in the Network Access" in problem["hint"]


async def test_a_redirect_reaches_no_other_host(client: RunnerClient) -> None:
    """The client follows it, and is refused there."""

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: http://evil.test:%d/\r\nContent-Length: 0\r\n\r\n" % other
        )
        await writer.drain()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("evil.test was reached")

    async with service(never) as other, service(redirect) as port:
        status, problem = await client.run(
            URL, [{"url": f"http://a.test:{port}/"}], workflow="redirect", egress=[f"a.test:{port}"]
        )

    assert (status, problem["code"]) == (422, "network_refused")


async def test_a_bound_secret_is_refused_where_another_host_is_reached(client: RunnerClient) -> None:
    """By this node, by an earlier one, or by one that comes later."""
    code = "def f() -> int:\n    return 1\n"
    one = await client.define(code, egress=["a.test:443"])
    two = await client.define(code, egress=["a.test:443", "evil.test:443"])
    body = {"items": [{"json": {}}], "secrets": {"key": "s"}}

    async def run(definition: str, workflow: str, bound: str) -> tuple[int, dict[str, object]]:
        query = {"workflow": workflow, "execution": "e"} | ({"bound": bound} if bound else {})
        return await client.call("POST", f"/v1/definitions/{definition}/runs", params=query, json=body)

    assert 403 == (await run(two, "bound-1", "a.test:443"))[0]
    assert 200 == (await run(one, "bound-2", "a.test:443"))[0]
    assert 200 == (await run(one, "bound-2", ""))[0]
    status, problem = await run(two, "bound-2", "")
    assert (status, problem["code"]) == (403, "secret_host_refused")
    assert "evil.test:443" in str(problem["detail"])


HOSTILE = """
import os, signal, socket

def attack(port: int, own: int) -> dict:
    seen = {}
    for name in ("/run/qflow/hosts", "/etc/hosts"):
        try:
            open(name, "a").close()
            seen[name] = "written"
        except OSError as error:
            seen[name] = type(error).__name__
    def ask(text):
        with socket.socket(socket.AF_UNIX) as way:
            way.settimeout(5)
            way.connect("/run/qflow/egress.sock")
            way.sendall(text)
            return way.recv(100).split(b"\\r\\n")[0].decode()
    seen["garbage"] = ask(os.urandom(2000) + b"\\r\\n\\r\\n")
    seen["other"] = ask(b"CONNECT evil.test:%d HTTP/1.1\\r\\n\\r\\n" % port)
    seen["loopback"] = ask(b"CONNECT 127.0.0.1:%d HTTP/1.1\\r\\n\\r\\n" % own)
    flood = []
    for _ in range(300):
        one = socket.socket(socket.AF_UNIX)
        try:
            one.connect("/run/qflow/egress.sock")
            one.send(b"CON")
        except OSError:
            pass
        flood.append(one)
    for one in flood:
        one.close()
    return seen
"""


async def test_hostile_code_gains_nothing_at_the_runners_socket(client: RunnerClient) -> None:
    """Garbage, other hosts, the runner's own port, and a flood; the next run works."""
    own = int(client.address.rpartition(":")[2])
    async with service(echo) as port:
        item = {"port": port, "own": own}
        [seen] = await client.values(HOSTILE, [item], workflow="hostile", egress=[f"a.test:{port}"])

        assert "written" not in (seen["/etc/hosts"], seen["/run/qflow/hosts"])
        assert seen["garbage"].startswith("HTTP/1.1 400 ")
        assert seen["other"].startswith("HTTP/1.1 403 ")
        assert seen["loopback"].startswith("HTTP/1.1 403 ")
        values = await client.values(
            FETCH, [{"host": "a.test", "port": port}], workflow="hostile", execution="2"
        )
        assert [{"value": "hello"}] == values


async def test_a_sandbox_that_lists_nothing_has_no_forwarder(client: RunnerClient) -> None:
    """No process, no socket: what is not used costs nothing."""
    code = "import os\ndef f() -> dict:\n    return {'run': sorted(os.listdir('/run/qflow'))}\n"

    [seen] = await client.values(code, workflow="plain")

    assert "egress.sock" not in seen["run"]
    assert [] == (await reach(client, "plain"))["hosts"]


async def test_readyz_and_metrics_tell_of_it(client: RunnerClient) -> None:
    _, ready = await client.call("GET", "/readyz")

    assert ready["parts"]["egress"]["reason"].startswith("2 patterns may be listed")
    async with client.http.get(client.address + "/metrics") as answer:
        assert "qflow_egress_connections_total" in await answer.text()


async def test_a_runner_that_was_killed_lets_the_sandbox_out_again(tmp_path: Path) -> None:
    """The next runner takes the sandbox up, with its names, its addresses, and what secrets bind it to."""
    runner = RunnerProcess(
        "docker",
        tmp_path,
        {
            "egress_allow": "*:*",
            "egress_private": "127.0.0.1",
            "egress_hosts": "a.test=127.0.0.1 b.test=127.0.0.1",
            "pool_floor": 0,
        },
    )

    async def fetched(host: str, bound: str = "") -> Any:
        defined = await runner.client.define(FETCH, egress=[f"{host}:{port}"])
        query = {"workflow": "w", "execution": "e"} | ({"bound": bound} if bound else {})
        body = {"items": [{"json": {"host": host, "port": port}}]}
        _, reply = await runner.client.call(
            "POST", f"/v1/definitions/{defined}/runs", params=query, json=body
        )
        return reply["items"][0]["json"]["value"] if "items" in reply else reply["code"]

    async with service(echo) as port:
        try:
            await runner.start()
            assert "hello" == await fetched("a.test", f"*.test:{port}")
            [before] = await runner.client.sandboxes()
            await runner.kill()
            runner.log.clear()
            await runner.start()

            assert ["hello", "hello"] == [await fetched("b.test"), await fetched("a.test")]
            [after] = await runner.client.sandboxes()
            assert "secret_host_refused" == await fetched("evil.example")
        finally:
            await runner.stop()

    assert after["id"] == before["id"]
    assert after["egress"]["hosts"] == [f"a.test:{port}", f"b.test:{port}"]
