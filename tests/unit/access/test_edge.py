"""What every request meets first: names, pages of other origins, wrong tokens, rates, slow bodies, silent connections."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.access import Failures, Rates
from qflow_runner.api.connections import Connections
from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import TOKEN, RunnerClient, running
from tests.unit.test_api import CODE

ORIGIN = "https://ops.example.org"


@pytest.fixture
async def runner(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunnerClient]:
    settings: dict[str, Any] = getattr(request, "param", {})
    async with running(FakeBackend(), tmp_path, pool_floor=0, **settings) as client:
        yield client


async def head_of(runner: RunnerClient, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    async with runner.http.request(method, runner.address + path, headers=headers) as response:
        return response.status, {name.lower(): value for name, value in response.headers.items()}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8717", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8717", 200),
        ("127.9.9.9", 200),
        ("qflow.localhost:8717", 200),
        ("evil.example:8717", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.5", 403),
        ("0.0.0.0:8717", 403),
        ("", 403),
    ],
)
async def test_on_loopback_only_its_own_names_are_answered(
    runner: RunnerClient, host: str, status: int
) -> None:
    """A page whose name was made to lead here is told nothing, not even what needs no token."""
    for path in ("/healthz", "/v1/sandboxes"):
        assert status == (await head_of(runner, "GET", path, Host=host))[0]


@pytest.mark.parametrize("runner", [{"allowed_hosts": "qflow.internal, runner"}], indirect=True)
async def test_more_names_may_be_allowed(runner: RunnerClient) -> None:
    """Without a port, in any case."""
    answers = [
        await head_of(runner, "GET", "/healthz", Host=host)
        for host in ("Qflow.Internal:80", "runner", "runner.", "localhost", "runner2")
    ]

    assert [200, 200, 200, 200, 403] == [status for status, _ in answers]


async def test_every_answer_tells_browsers_to_be_careful(runner: RunnerClient) -> None:
    """Also a refusal; and what the API says is kept nowhere."""
    for path, headers in (
        ("/healthz", {}),
        ("/v1/sandboxes", {}),
        ("/v1/sandboxes", {"Authorization": ""}),
        ("/v1/nothing", {}),
    ):
        _, found = await head_of(runner, "GET", path, **headers)
        assert "nosniff" == found["x-content-type-options"]
        assert "no-referrer" == found["referrer-policy"]
        assert "default-src 'none'; frame-ancestors 'none'" == found["content-security-policy"]
        assert ("no-store" if path.startswith("/v1/") else None) == found.get("cache-control")
        assert "strict-transport-security" not in found


async def test_no_page_of_another_origin_may_read(runner: RunnerClient) -> None:
    """Unless it is listed; a question beforehand is refused as any call without a token is."""
    for path in ("/healthz", "/v1/sandboxes"):
        _, found = await head_of(runner, "GET", path, Origin=ORIGIN)
        assert not [name for name in found if name.startswith("access-control")]
    asking = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Authorization": ""}
    status, found = await head_of(runner, "OPTIONS", "/v1/sandboxes", **asking)

    assert 401 == status
    assert "access-control-allow-origin" not in found


@pytest.mark.parametrize("runner", [{"cors_origins": ORIGIN}], indirect=True)
async def test_a_listed_origin_may_read_and_no_other(runner: RunnerClient) -> None:
    """With a token all the same."""
    asking = {"Access-Control-Request-Method": "PUT", "Authorization": ""}
    status, found = await head_of(runner, "OPTIONS", "/v1/definitions", Origin=ORIGIN, **asking)
    assert (204, ORIGIN) == (status, found["access-control-allow-origin"])
    assert "Authorization" in found["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in found
    status, found = await head_of(runner, "GET", "/v1/sandboxes", Origin=ORIGIN)
    assert (200, ORIGIN, "Origin") == (status, found["access-control-allow-origin"], found["vary"])
    status, found = await head_of(runner, "GET", "/v1/sandboxes", Origin=ORIGIN, Authorization="")
    assert (401, ORIGIN) == (status, found["access-control-allow-origin"])
    for origin in ("https://ops.example.org.evil", "http://ops.example.org", "null"):
        status, found = await head_of(runner, "OPTIONS", "/v1/definitions", Origin=origin, **asking)
        assert (401, None) == (status, found.get("access-control-allow-origin"))


async def test_wrong_tokens_make_an_address_wait(runner: RunnerClient) -> None:
    """It is told for how long; a strong token that is known goes on, and the refusals are in the audit log."""
    wrong = {"Authorization": "Bearer wrong"}
    made = (await runner.call("POST", "/v1/tokens", json={"name": "n", "scopes": ["read"]}))[1]["token"]
    good = {"Authorization": f"Bearer {made}"}
    assert 200 == (await head_of(runner, "GET", "/v1/sandboxes", **good))[0]
    answers = [await head_of(runner, "GET", "/v1/sandboxes", **wrong) for _ in range(7)]

    assert [401] * 5 + [429] * 2 == [status for status, _ in answers]
    assert "1" == answers[-1][1]["retry-after"]
    assert 200 == (await head_of(runner, "GET", "/v1/sandboxes", **good))[0]
    # The token of these tests is so short that it could be found by trying.
    assert 429 == (await head_of(runner, "GET", "/v1/sandboxes"))[0]
    await asyncio.sleep(1.05)
    assert len(TOKEN) < 32
    _, page = await runner.call("GET", "/v1/audit", params={"action": "access"})
    (first,) = page["events"]
    assert ("access.refused", "unauthorized", "127.0.0.1") == (
        first["action"],
        first["outcome"],
        first["origin"],
    )


def test_the_pause_grows_and_ends() -> None:
    """Doubled each time up to a minute; forgotten after ten quiet ones; one network is one address."""
    now = [0.0]
    failures = Failures(lambda: now[0])
    waits = []
    for _ in range(14):
        failures.failed("10.0.0.1")
        waits.append(failures.wait_s("10.0.0.1"))
    assert [0] * 4 + [1, 2, 4, 8, 16, 32, 60, 60, 60, 60] == waits
    assert 0 == failures.wait_s("10.0.0.2")
    now[0] = 700
    assert 0 == failures.wait_s("10.0.0.1")
    failures.failed("10.0.0.1")
    assert 0 == failures.wait_s("10.0.0.1")
    for last in range(6):
        failures.failed(f"2001:db8::{last:x}")
    assert failures.wait_s("2001:db8::ffff") > 0
    assert 0 == failures.wait_s("2001:db8:0:1::1")
    for number in range(10_000):
        failures.failed(f"10.{number >> 8}.{number & 255}.9")
    assert len(failures._known) <= 4_096


def test_a_bucket_lets_bursts_through_and_no_more() -> None:
    """Two seconds' worth at once, then as many as the rate says; each token has its own."""
    now = [0.0]
    rates = Rates(10, lambda: now[0])
    assert 20 == sum(rates.wait_s("a") == 0 for _ in range(50))
    assert pytest.approx(0.1) == rates.wait_s("a")
    assert 0 == rates.wait_s("b")
    now[0] = 1.0
    assert 10 == sum(rates.wait_s("a") == 0 for _ in range(50))
    assert not any(Rates(0).wait_s("a") for _ in range(10_000))


@pytest.mark.parametrize("runner", [{"rate_per_s": 2, "run_rate_per_s": 0}], indirect=True)
async def test_a_token_that_calls_too_often_is_told_when_to_come_again(runner: RunnerClient) -> None:
    """As busy, so that it is tried again; runs have a bound of their own."""
    definition = await runner.define(CODE)
    answers = [await runner.call("GET", "/v1/sandboxes") for _ in range(5)]

    status, reply = answers[-1]
    assert (429, "busy", "rate_limited") == (status, reply["category"], reply["code"])
    for _ in range(10):
        path = f"/v1/definitions/{definition}/runs?workflow=w&execution=e"
        assert 200 == (await runner.call("POST", path, json={"items": [{"json": {}}]}))[0]


@pytest.mark.parametrize("runner", [{"body_stall_s": 0.2}], indirect=True)
@pytest.mark.parametrize("sent", [b"", b'{"items":['])
async def test_a_body_that_does_not_come_is_given_up(runner: RunnerClient, sent: bytes) -> None:
    """With a problem document, and the connection is over."""
    definition = await runner.define(CODE)
    host, port = runner.address.removeprefix("http://").split(":")
    for path in (f"/v1/definitions/{definition}/runs?workflow=w&execution=e", "/v1/analyze"):
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 999\r\n\r\n"
        writer.write(head.encode() + sent)
        began = time.monotonic()
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert b"408" in answer.split(b"\r\n")[0]
        assert time.monotonic() - began < 2
        writer.close()


@pytest.mark.parametrize("runner", [{"body_stall_s": 0.1}], indirect=True)
async def test_a_body_that_drips_is_given_up_too(runner: RunnerClient) -> None:
    """A byte now and then is no progress."""
    host, port = runner.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 999\r\n\r\n"
    writer.write(head.encode())
    answering = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
    for _ in range(40):
        writer.write(b"x")
        await asyncio.sleep(0.05)
        if answering.done():
            break

    assert b"408" in (await answering).split(b"\r\n")[0]
    writer.close()


async def test_a_connection_that_says_nothing_is_closed() -> None:
    """One that dribbles its headers too; one that asked something is left to aiohttp."""
    from aiohttp import web

    connections = Connections()

    async def answer(request: web.BaseRequest) -> web.Response:
        connections.spoke(request.protocol)
        return web.Response(text="here")

    server = web.Server(answer)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    silent[1][1].write(b"GET / HTTP/1.1\r\nHost: a")
    spoke = await asyncio.open_connection("127.0.0.1", port)
    spoke[1].write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"200" in await spoke[0].readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.02)
    assert 0 == connections.look(server, 0.01)
    await asyncio.sleep(0.02)

    assert 2 == connections.look(server, 0.01)
    for reader, _ in silent:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 2)
    spoke[1].write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"200" in await spoke[0].readuntil(b"\r\n\r\n")
    for _, writer in (*silent, spoke):
        writer.close()
    listening.close()
    await server.shutdown(1)


async def test_idle_connections_cost_little(runner: RunnerClient) -> None:
    """Hundreds of them do not slow a call down."""
    host, port = runner.address.removeprefix("http://").split(":")
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(400)]
    began = time.perf_counter()
    for _ in range(20):
        assert 200 == (await runner.call("GET", "/v1/sandboxes"))[0]
    took = (time.perf_counter() - began) / 20
    for _, writer in idle:
        writer.close()

    assert took < 0.05


async def test_who_did_what_is_in_the_log_before_the_answer(runner: RunnerClient) -> None:
    """The start with its settings, and each change with its token, its object and its outcome."""
    definition = await runner.define(CODE)
    made = (await runner.call("POST", "/v1/tokens", json={"name": "n8n", "scopes": ["n8n"]}))[1]
    headers = {"Authorization": f"Bearer {made['token']}"}
    await runner.call("DELETE", "/v1/saved/none", headers=headers)
    await runner.call("DELETE", f"/v1/tokens/{made['id']}")
    await runner.call("GET", "/v1/tokens", headers=headers)
    _, page = await runner.call("GET", "/v1/audit")
    told = [(each["action"], each["name"], each["object"], each["outcome"]) for each in page["events"]]

    own = "the runner's own"
    assert [
        ("access.refused", "", "The token was revoked.", "unauthorized"),
        ("token.revoked", own, made["id"], "ok"),
        ("saved.deleted", "n8n", "none", "saved_unknown"),
        ("token.created", own, made["id"], "ok"),
        ("definition.put", own, definition, "ok"),
        ("runner.started", "", "runner", "ok"),
    ] == told
    assert TOKEN not in str(page)
    assert made["token"] not in str(page)
    assert 0 == page["events"][-1]["details"]["settings"]["pool_floor"]
