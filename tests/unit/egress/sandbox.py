"""A gate as a sandbox has it, without one: its sockets, the agent's real forwarder, and services on loopback."""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qflow_runner.egress import SOCKET, Egress, Event, Gate
from qflow_runner.sandbox.guest import Guest
from qflow_runner.settings import Settings

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]

FORWARDER = "import sys; from qflow_agent import egress; egress.serve(*sys.argv[1:])"


@dataclass
class Inside:
    """`names` is what the resolver knows; tests change it."""

    egress: Egress
    guest: Guest
    gate: Gate
    names: dict[str, list[str]]
    events: list[Event] = field(default_factory=list[Event])
    forwarders: list[asyncio.subprocess.Process] = field(default_factory=list[asyncio.subprocess.Process])

    async def allow(self, *lines: str, bounds: list[list[str]] | None = None) -> None:
        await self.gate.allow("w", lines, bounds or [])

    async def ask(self, request: bytes) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
        """The runner's answer to what code in the sandbox sends to its socket, up to the empty line."""
        path = self.guest.socket.with_name(SOCKET)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        return head, reader, writer

    async def status(self, request: bytes) -> int:
        head, _, writer = await self.ask(request)
        writer.close()
        return int(head.split()[1])

    async def tunnel(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        head, reader, writer = await self.ask(b"CONNECT %s:%d HTTP/1.1\r\n\r\n" % (host.encode(), port))
        assert head.startswith(b"HTTP/1.1 200 "), head
        return reader, writer

    async def dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As code does that finds the name in the hosts file."""
        lines = self.gate.reach.hosts.read_text().splitlines()
        address = next(line.split("\t")[0] for line in lines if line.split("\t")[1:] == [host])
        return await asyncio.open_connection(address, port)

    async def until(self, outcome: str, count: int = 1) -> list[Event]:
        async with asyncio.timeout(10):
            while len(found := [each for each in self.events if each.outcome == outcome]) < count:
                await asyncio.sleep(0.005)  # an event of a connection that just ended
        return found


@asynccontextmanager
async def inside(folder: Path, *, lost: bool = False, **settings: Any) -> AsyncGenerator[Inside]:
    names: dict[str, list[str]] = {}

    async def resolve(host: str, port: int) -> list[str]:
        del port
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return names[host]

    defaults = {"egress_allow": ["*:*"], "egress_private": ["127.0.0.1", "::1"]}
    egress = Egress(Settings(data_dir=folder, **{**defaults, **settings}), resolve)
    guest = Guest(folder / "box", 1 << 20, lambda _: None)
    forwarders: list[asyncio.subprocess.Process] = []
    starting: set[asyncio.Task[None]] = set()

    async def fork(token: str) -> None:
        forwarders.append(
            await asyncio.create_subprocess_exec(sys.executable, "-c", FORWARDER, str(guest.socket), token)
        )

    def ask(token: str) -> None:
        if not lost:
            task = asyncio.get_running_loop().create_task(fork(token))
            starting.add(task)
            task.add_done_callback(starting.discard)

    guest.gate = egress.gate(folder / "box", ask)
    box = Inside(egress, guest, guest.gate, names, forwarders=forwarders)
    egress.audits.append(box.events.append)
    await guest.listen()
    try:
        yield box
    finally:
        guest.close()
        egress.close()
        for forwarder in forwarders:
            await asyncio.wait_for(forwarder.wait(), 10)


@asynccontextmanager
async def service(handler: Handler, host: str = "127.0.0.1") -> AsyncGenerator[int]:
    """Its port."""
    async with AsyncExitStack() as stack:
        writers: set[asyncio.StreamWriter] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                return
            finally:
                writer.close()

        server = await asyncio.start_server(handle, host, 0)
        stack.callback(server.close)
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.transport.abort()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end, which it passes on."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with what was asked."""
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
    await writer.drain()
