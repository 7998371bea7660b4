"""The runner's side of a sandbox's way out: what is let through, what is not, and what it costs to try."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from qflow_runner.egress import relay
from qflow_runner.errors import (
    EgressInvalid,
    EgressNotAllowed,
    EgressTooMany,
    EgressUnavailable,
    SecretHostRefused,
)
from tests.unit.egress.sandbox import Inside, echo, http, inside, service


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside(tmp_path) as made:
        yield made


async def test_a_listed_name_is_reached_and_everything_is_told(box: Inside) -> None:
    """Its name is resolved here; the audit has workflow, execution, host, address and bytes."""
    box.names["db.internal"] = ["127.0.0.1"]
    async with service(echo) as port:
        await box.allow(f"db.internal:{port}")
        with box.gate.used_by("e1"):
            reader, writer = await box.tunnel("db.internal", port)
            writer.write(b"hello")
            assert b"hello" == await reader.readexactly(5)
            writer.write_eof()
            assert b"" == await reader.read()
            writer.close()
            [closed] = await box.until("closed")
    [connected] = await box.until("connected")

    assert (connected.workflow, connected.execution) == ("w", "e1")
    assert (connected.host, connected.port, connected.address) == ("db.internal", port, "127.0.0.1")
    assert (closed.sent, closed.received) == (5, 5)
    assert {
        "connections": 1,
        "bytes_sent": 5,
        "bytes_received": 5,
        "open": 0,
    }.items() <= box.gate.row().items()


async def test_what_is_not_listed_is_refused_with_the_reason(box: Inside) -> None:
    box.names |= {"a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"]}
    async with service(echo) as port:
        await box.allow(f"a.example:{port}", f"*.wild.example:{port}")

        for host, wanted in (
            ("b.example", port),
            ("a.example", port + 1),
            ("x.a.example", port),
            ("wild.example", port),
            ("127.0.0.1", port),
            ("localhost", port),
            ("*.wild.example", port),
            ("0x7f.1", port),
        ):
            head, _, writer = await box.ask(b"CONNECT %s:%d HTTP/1.1\r\n\r\n" % (host.encode(), wanted))
            writer.close()
            assert head.startswith(b"HTTP/1.1 403 "), host

    assert 8 == box.gate.counts.refused
    assert 0 == box.gate.counts.connections
    assert any("Network Access" in each for each in box.gate.troubles(0))


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["0.0.0.0"],
        ["fe80::1"],
        ["64:ff9b::7f00:1"],
        [],
    ],
)
async def test_a_name_that_leads_inside_is_refused(tmp_path: Path, addresses: list[str]) -> None:
    """Whichever form the address has; nothing is dialled."""
    async with inside(tmp_path, egress_private=[]) as box:
        box.names["evil.example"] = addresses
        await box.allow("evil.example:80")

        assert 403 == await box.status(b"CONNECT evil.example:80 HTTP/1.1\r\n\r\n")
        [refused] = await box.until("refused")
        assert "evil.example:80 may not be reached" in refused.reason


async def test_of_several_addresses_those_that_pass_are_dialled_one_after_the_other(box: Inside) -> None:
    """A mixed answer opens nothing inside, and a dead address costs no connection."""
    async with service(echo) as port:
        box.names["mixed.example"] = ["10.255.255.1", "::1", "127.0.0.1"]
        await box.allow(f"mixed.example:{port}")

        _, writer = await box.tunnel("mixed.example", port)
        writer.close()

        [connected] = await box.until("connected")
        assert "127.0.0.1" == connected.address  # nobody listens at ::1


async def test_a_name_that_changes_its_mind_gains_nothing(tmp_path: Path) -> None:
    """It is resolved once for a connection, and the address that was checked is the one that is dialled."""
    async with inside(tmp_path, egress_private=["127.0.0.1"]) as box, service(echo) as port:
        asked: list[str] = []

        class Rebinding(dict[str, list[str]]):
            def __contains__(self, key: object) -> bool:
                return True

            def __getitem__(self, key: str) -> list[str]:
                asked.append(key)
                return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

        # The closure of the resolver looks names up here.
        box.names.clear()
        rebinding = Rebinding()
        box.egress._shared.dialler._resolve = lambda host, port: _answer(rebinding[host])  # type: ignore[assignment]
        await box.allow(f"r.example:{port}")

        _, writer = await box.tunnel("r.example", port)
        writer.close()
        assert ["r.example"] == asked
        assert 403 == await box.status(b"CONNECT r.example:%d HTTP/1.1\r\n\r\n" % port)


async def _answer(addresses: list[str]) -> list[str]:
    return addresses


async def test_a_host_that_is_away_is_told_as_such(box: Inside) -> None:
    """502 with the reason, and a hint for the run."""
    box.names["down.example"] = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await box.allow(f"down.example:{port}", "unknown.example:443")

    assert 502 == await box.status(b"CONNECT down.example:%d HTTP/1.1\r\n\r\n" % port)
    assert 502 == await box.status(b"CONNECT unknown.example:443 HTTP/1.1\r\n\r\n")
    assert box.gate.troubles(0) == [
        f"down.example:{port} was not reached: 127.0.0.1: Connection refused.",
        "unknown.example:443 was not reached: its name was not resolved (Name or service not known).",
    ]


async def test_a_resolver_that_is_silent_has_a_deadline(tmp_path: Path) -> None:
    async with inside(tmp_path, egress_connect_s=0.2) as box:
        await box.allow("slow.example:443")
        box.egress._shared.dialler._resolve = lambda host, port: _never()  # type: ignore[assignment]

        assert 502 == await box.status(b"CONNECT slow.example:443 HTTP/1.1\r\n\r\n")


async def _never() -> list[str]:
    await asyncio.Event().wait()
    return []


async def test_plain_http_goes_to_the_host_of_the_address_alone(box: Inside) -> None:
    """And a redirect is the client's affair: what it then asks for is judged again."""
    box.names |= {"api.wild.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    async with service(http) as port:
        await box.allow(f"*.wild.example:{port}")
        request = b"GET http://api.wild.example:%d/x HTTP/1.1\r\nHost: other.example\r\nConnection: keep-alive\r\n\r\n"
        head, reader, writer = await box.ask(request % port)
        seen = await reader.read()
        writer.close()

        assert head.startswith(b"HTTP/1.1 200 OK")
        assert seen == b"GET /x HTTP/1.1\r\nHost: api.wild.example:%d\r\nConnection: close\r\n\r\n" % port
        assert 403 == await box.status(b"GET http://other.example:%d/ HTTP/1.1\r\n\r\n" % port)
        assert 403 == await box.status(b"GET http://api.wild.example/ HTTP/1.1\r\n\r\n")


async def test_a_second_request_on_the_connection_reaches_no_other_host(box: Inside) -> None:
    """What follows the first head is passed on as it is: to the host that was granted."""
    box.names |= {"a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"]}
    seen = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.read())

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("b.example was reached")

    async with service(listen) as port, service(other) as second:
        await box.allow(f"*.example:{port}")
        path = box.guest.socket.with_name("egress.sock")
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(
            b"GET http://a.example:%d/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
            b"GET http://b.example:%d/ HTTP/1.1\r\n\r\nCONNECT b.example:%d HTTP/1.1\r\n\r\n"
            % (port, second, second)
        )
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 10)
        writer.close()

    assert seen.startswith(b"GET / HTTP/1.1\r\nHost: a.example:%d\r\n" % port)
    assert [port] == [event.port for event in box.events if event.outcome == "connected"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x00\xff\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"A" * (relay.HEAD_MAX + 1), 431),
        (b"CONNECT a.example:1 HTTP/1.1\r\nX: " + b"a" * relay.HEAD_MAX + b"\r\n\r\n", 431),
        (b"\x00\x00\x00\x05hello\r\n\r\n", 400),
    ],
)
async def test_garbage_is_answered_and_closed(box: Inside, sent: bytes, status: int) -> None:
    await box.allow("a.example:1")

    assert status == await box.status(sent)


async def test_a_head_that_does_not_come_has_a_deadline(box: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte now and then keeps nothing open (slow loris)."""
    monkeypatch.setattr(relay, "HEAD_S", 0.2)
    await box.allow("a.example:1")
    reader, writer = await asyncio.open_unix_connection(str(box.guest.socket.with_name("egress.sock")))
    writer.write(b"CONNECT a")

    assert b"" == await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert 0 == box.gate.open


async def test_no_more_connections_than_allowed_are_held(tmp_path: Path) -> None:
    """Those beyond are closed unread, counted, and told a bounded number of times."""
    async with inside(tmp_path, egress_connections=3) as box, service(echo) as port:
        box.names["a.example"] = ["127.0.0.1"]
        await box.allow(f"a.example:{port}")
        held = [await box.tunnel("a.example", port) for _ in range(3)]
        path = str(box.guest.socket.with_name("egress.sock"))
        for _ in range(200):
            reader, writer = await asyncio.open_unix_connection(path)
            assert b"" == await reader.read()
            writer.close()

        assert 3 == box.gate.open
        assert 200 == box.gate.counts.refused
        assert len([event for event in box.events if event.outcome == "refused"]) < 30
        for _, writer in held:
            writer.close()
        await box.until("closed", 3)
        _, writer = await box.tunnel("a.example", port)
        writer.close()


async def test_all_sandboxes_together_leave_the_runner_descriptors(box: Inside) -> None:
    """A quarter of its descriptors is the most: two for each connection, and half is left for everything else."""
    box.names["a.example"] = ["127.0.0.1"]
    places = box.egress._shared.places
    async with service(echo) as port:
        await box.allow(f"a.example:{port}")
        _, held = await box.tunnel("a.example", port)
        places.most = 1
        reader, writer = await asyncio.open_unix_connection(str(box.guest.socket.with_name("egress.sock")))

        assert b"" == await reader.read()
        assert any("can hold no more" in each for each in box.gate.troubles(0))
        writer.close()
        held.close()
        await box.until("closed")
        assert 0 == places.taken


async def test_a_connection_on_which_nothing_moves_is_closed(tmp_path: Path) -> None:
    async with inside(tmp_path, egress_idle_s=0.3) as box, service(echo) as port:
        box.names["a.example"] = ["127.0.0.1"]
        await box.allow(f"a.example:{port}")
        reader, writer = await box.tunnel("a.example", port)
        for _ in range(4):
            await asyncio.sleep(0.15)  # longer together than the limit
            writer.write(b"x")
            assert b"x" == await reader.readexactly(1)

        assert b"" == await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def test_a_connection_has_an_end(tmp_path: Path) -> None:
    async with inside(tmp_path, egress_total_s=0.4) as box, service(echo) as port:
        box.names["a.example"] = ["127.0.0.1"]
        await box.allow(f"a.example:{port}")
        reader, writer = await box.tunnel("a.example", port)

        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(b"x")
                    await reader.read(1)
                    await asyncio.sleep(0.02)
        writer.close()


async def test_neither_side_fills_the_runners_memory(box: Inside) -> None:
    """A host that takes nothing stops the code's sending, and code that takes nothing stops the host's."""
    box.names["a.example"] = ["127.0.0.1"]
    go = asyncio.Event()
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go.wait()

    async with service(flood) as loud, service(deaf) as silent:
        await box.allow(f"a.example:{loud}", f"a.example:{silent}")
        _, first = await box.tunnel("a.example", loud)
        _, second = await box.tunnel("a.example", silent)
        taken = 0

        async def fill() -> None:
            nonlocal taken
            while True:
                second.write(b"y" * 65536)
                await second.drain()
                taken += 65536

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fill(), 1)
        before = sent
        await asyncio.sleep(0.2)
        assert sent == before
        assert max(sent, taken) < 32 << 20
        go.set()
        first.transport.abort()
        second.transport.abort()


async def test_an_end_of_one_way_leaves_the_other_open(box: Inside) -> None:
    """A client may say that it is done and then read for long."""
    box.names["a.example"] = ["127.0.0.1"]

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = await reader.read()
        writer.write(b"%d" % len(whole))
        await writer.drain()

    async with service(count) as port:
        await box.allow(f"a.example:{port}")
        reader, writer = await box.tunnel("a.example", port)
        writer.write(b"x" * 3_000_000)
        writer.write_eof()

        assert b"3000000" == await asyncio.wait_for(reader.read(), 10)
        writer.close()


async def test_the_runners_own_port_is_not_reached(tmp_path: Path) -> None:
    """Not even where the administrator grants all of loopback."""
    async with service(echo) as port:
        grants = ["127.0.0.0/8", "::1"]
        async with inside(tmp_path, egress_private=grants, port=port) as box:
            box.names["api.example"] = ["127.0.0.2"]
            await box.allow(f"api.example:{port}")

            assert 403 == await box.status(b"CONNECT api.example:%d HTTP/1.1\r\n\r\n" % port)


async def test_names_of_the_administrator_are_not_resolved(tmp_path: Path) -> None:
    async with service(echo) as port, inside(tmp_path, egress_hosts=["db.internal=127.0.0.1"]) as box:
        await box.allow(f"DB.internal:{port}")
        _, writer = await box.tunnel("db.internal", port)
        writer.close()
        await box.until("connected")


async def test_what_is_listed_grows_and_the_hosts_file_stays_the_same_file(box: Inside) -> None:
    """It is mounted as that inode. A name keeps its address, ports share it, a pattern has none."""
    hosts = box.gate.reach.hosts
    await box.allow("a.example:8001")
    inode = hosts.stat().st_ino
    await box.allow("b.example:8001", "a.example:8002", "*.wild.example:443")
    await box.allow("a.example:8001")

    assert hosts.stat().st_ino == inode
    assert hosts.read_text().splitlines()[2:] == ["127.7.0.2\ta.example", "127.7.0.3\tb.example"]
    assert 0o644 == hosts.stat().st_mode & 0o777
    assert box.gate.row()["hosts"] == [
        "*.wild.example:443",
        "a.example:8001",
        "a.example:8002",
        "b.example:8001",
    ]
    assert "http://127.7.0.1:3128" == box.gate.proxy


async def test_a_runner_that_returns_finds_names_and_bounds_again(tmp_path: Path) -> None:
    """The sandbox's file has them: it reads it, and only the runner writes it."""
    async with inside(tmp_path) as box:
        await box.allow("a.example:8001", "b.example:8001", bounds=[["*.example:8001"]])
    async with inside(tmp_path) as again:
        await again.allow("b.example:8001")

        assert ("127.7.0.3", 8001) == again.gate.reach.address(next(iter(again.gate.reach.targets)))
        with pytest.raises(SecretHostRefused):
            await again.allow("other.org:8001")


async def test_the_list_is_checked_at_the_run_too(tmp_path: Path) -> None:
    """The administrator may have changed the settings since the definition was stored."""
    async with inside(tmp_path, egress_allow=["a.example:443"]) as box:
        with pytest.raises(EgressNotAllowed):
            await box.allow("b.example:443")
        with pytest.raises(EgressInvalid):
            await box.allow("10.0.0.1:443")
        assert [] == box.gate.row()["hosts"]


async def test_a_workflow_lists_a_bounded_number(box: Inside) -> None:
    for start in range(0, 256, 64):
        await box.allow(*(f"h{number}.example:8001" for number in range(start, start + 64)))

    with pytest.raises(EgressTooMany):
        await box.allow("one-more.example:8001")


async def test_a_bound_secret_holds_the_sandbox_to_its_hosts(box: Inside) -> None:
    """Before, for what its nodes listed already; later, for what they list then."""
    await box.allow("api.example:443")
    with pytest.raises(SecretHostRefused, match=r"api.example:443.*bound to other.example:443"):
        await box.allow(bounds=[["other.example:443"]])

    await box.allow("api.example:443", bounds=[["*.example:443", "api.example:443"], ["api.example:443"]])
    await box.allow("api.example:443")
    with pytest.raises(SecretHostRefused, match=r"evil\.example:443"):
        await box.allow("evil.example:443")
    with pytest.raises(SecretHostRefused):
        await box.allow("*.example:443")
    assert ["api.example:443"] == box.gate.row()["hosts"]


async def test_a_forwarder_that_does_not_start_is_an_error_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qflow_runner.egress.forwarder.START_S", 0.2)
    async with inside(tmp_path, lost=True) as box:
        with pytest.raises(EgressUnavailable, match="did not open its way"):
            await box.allow("a.example:443")
