"""The agent's forwarder, as its own process: bytes both ways, ends, refusals, floods, and its own end."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from qflow_agent import wire
from qflow_runner.errors import EgressUnavailable
from qflow_runner.sandbox.connection import Connection
from tests.unit.egress.sandbox import Inside, echo, http, inside, service


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside(tmp_path) as made:
        made.names |= {"a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"]}
        yield made


async def test_code_reaches_a_listed_host_by_its_name(box: Inside) -> None:
    """Large and small, in both directions, with the end passed on."""
    async with service(echo) as port:
        await box.allow(f"a.example:{port}")
        reader, writer = await box.dial("a.example", port)
        payload = os.urandom(5_000_000)

        async def send() -> None:
            writer.write(payload)
            await writer.drain()
            writer.write_eof()

        _, received = await asyncio.wait_for(asyncio.gather(send(), reader.read()), 20)
        writer.close()

        assert payload == received
        [closed] = await box.until("closed")
        assert (closed.sent, closed.received) == (len(payload), len(payload))


async def test_many_connections_at_once(box: Inside) -> None:
    async with service(echo) as port:
        await box.allow(f"a.example:{port}")

        async def one(number: int) -> None:
            reader, writer = await box.dial("a.example", port)
            writer.write(b"%d\n" % number)
            assert b"%d\n" % number == await reader.readline()
            writer.close()

        for done in (40, 80, 120):
            await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(40))), 20)
            await box.until("closed", done)
        assert 0 == box.gate.open


async def test_a_server_that_speaks_first_is_heard(box: Inside) -> None:
    """As SMTP does, and MySQL."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await writer.drain()
        await reader.read()

    async with service(greet) as port:
        await box.allow(f"a.example:{port}")
        reader, writer = await box.dial("a.example", port)

        assert b"220 ready\r\n" == await asyncio.wait_for(reader.readline(), 10)
        writer.close()


async def test_a_host_that_is_away_is_a_reset_and_not_an_end(box: Inside) -> None:
    """A client must not take it for an empty answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await box.allow(f"a.example:{port}")
    reader, writer = await box.dial("a.example", port)

    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 10)
    writer.close()


async def test_a_host_that_resets_ends_the_codes_connection(box: Inside) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with service(rude) as port:
        await box.allow(f"a.example:{port}")
        reader, writer = await box.dial("a.example", port)
        writer.write(b"xx")

        with suppress(ConnectionResetError):
            assert b"" == await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await box.until("closed")


async def test_code_that_goes_away_leaves_nothing(box: Inside) -> None:
    """In the forwarder and in the runner: with an answer under way, and without."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with service(flood) as loud, service(echo) as port:
        await box.allow(f"a.example:{loud}", f"a.example:{port}")
        for number in (loud, port) * 5:
            _, writer = await box.dial("a.example", number)
            await box.until("connected")
            writer.transport.abort()
        await box.until("closed", 10)

        assert 0 == box.gate.open
        reader, writer = await box.dial("a.example", port)
        writer.write(b"x")
        assert b"x" == await reader.readexactly(1)
        writer.close()


async def test_a_runner_that_ends_a_connection_ends_it_for_the_code(tmp_path: Path) -> None:
    """Also where the code neither reads nor writes."""
    async with inside(tmp_path, egress_idle_s=0.2) as box, service(echo) as port:
        box.names["a.example"] = ["127.0.0.1"]
        await box.allow(f"a.example:{port}")
        reader, writer = await box.dial("a.example", port)

        assert b"" == await asyncio.wait_for(reader.read(), 10)
        await asyncio.sleep(0.1)
        with pytest.raises(ConnectionError):
            await insist(writer)
        writer.close()


async def insist(writer: asyncio.StreamWriter) -> None:
    for _ in range(20):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_a_pattern_is_reached_through_the_proxy(box: Inside) -> None:
    box.names["api.wild.example"] = ["127.0.0.1"]
    async with service(http) as port:
        await box.allow(f"*.wild.example:{port}")
        host, number = box.gate.proxy.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(number))
        writer.write(b"GET http://api.wild.example:%d/ HTTP/1.1\r\n\r\n" % port)
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 OK")
        writer.close()

        reader, writer = await asyncio.open_connection(host, int(number))
        writer.write(b"CONNECT a.example:%d HTTP/1.1\r\n\r\n" % port)
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 403 a.example:")
        writer.close()


async def test_a_flood_of_connections_is_turned_away_and_the_forwarder_lives(tmp_path: Path) -> None:
    async with inside(tmp_path, egress_connections=8) as box, service(echo) as port:
        box.names["a.example"] = ["127.0.0.1"]
        await box.allow(f"a.example:{port}")
        opened = [await box.dial("a.example", port) for _ in range(400)]
        alive = 0
        for _, writer in opened:
            writer.transport.abort()
        async with asyncio.timeout(20):
            while not alive:
                reader, writer = await box.dial("a.example", port)
                try:
                    writer.write(b"x")
                    alive = len(await reader.read(1))
                except ConnectionError:
                    await asyncio.sleep(0.02)  # those before are still being cleared
                writer.close()

        assert 1 == len(box.forwarders)
        assert box.forwarders[0].returncode is None


async def test_a_port_that_the_code_holds_is_not_trusted(box: Inside) -> None:
    """Whoever listens there first would get what another execution sends: the run is refused."""
    async with service(echo) as port:
        with socket.create_server(("127.7.0.2", port)):
            with pytest.raises(EgressUnavailable, match=r"127\.7\.0\.2"):
                await box.allow(f"a.example:{port}")
            with pytest.raises(EgressUnavailable):
                await box.allow(f"a.example:{port}")
        await box.allow(f"a.example:{port}")
        reader, writer = await box.dial("a.example", port)
        writer.write(b"x")
        assert b"x" == await reader.readexactly(1)
        writer.close()


async def test_a_forwarder_that_was_killed_is_replaced_at_the_next_run(box: Inside) -> None:
    """And listens again at all that was listed before."""
    async with service(echo) as port:
        await box.allow(f"a.example:{port}", f"b.example:{port}")
        box.forwarders[0].send_signal(signal.SIGKILL)
        await box.forwarders[0].wait()
        async with asyncio.timeout(5):
            while box.gate.forwarder.listens(set()):
                await asyncio.sleep(0.01)  # the runner meets the end of its connection

        await box.allow(f"a.example:{port}")
        reader, writer = await box.dial("b.example", port)
        writer.write(b"x")
        assert b"x" == await reader.readexactly(1)
        writer.close()
        assert 2 == len(box.forwarders)


async def test_nobody_poses_as_the_forwarder(box: Inside) -> None:
    """A session that dials in as one has not the token; a second one with it comes too late."""

    class Poser:
        def __init__(self) -> None:
            self.ended = asyncio.Event()

        def received(self, message: wire.Message, payload: object) -> None:
            raise AssertionError(message)

        def lost(self, error: Exception | None) -> None:
            self.ended.set()

    await box.allow("a.example:8001")
    for token in ("", "guess", box.gate.forwarder._token):
        poser = Poser()
        _, connection = await asyncio.get_running_loop().create_unix_connection(
            lambda poser=poser: Connection(1 << 20, lambda _: poser), str(box.guest.socket)
        )
        connection.send(wire.Hello("egress", token, wire.PROTOCOL))
        await asyncio.wait_for(poser.ended.wait(), 5)

    assert box.gate.forwarder.listens({("127.7.0.2", 8001)})


async def test_a_forwarder_ends_with_its_connection_to_the_runner(box: Inside) -> None:
    await box.allow("a.example:8001")
    box.gate.forwarder.close()

    assert 0 == await asyncio.wait_for(box.forwarders[0].wait(), 5)
