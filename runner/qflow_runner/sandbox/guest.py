"""The runner's side of one sandbox: its socket, its first process, and the environments that were forked from that.

The first process is the first to connect, and only once; whoever connects later must bring a token of ours.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

from qflow_agent import wire
from qflow_runner.egress import Gate
from qflow_runner.errors import SandboxError
from qflow_runner.sandbox.connection import Connection, Payload
from qflow_runner.sandbox.environments import Environments, Lessons
from qflow_runner.sandbox.ledger import EnvironmentRecord, Ledger, Records
from qflow_runner.sandbox.streams import ResultStream
from qflow_runner.sandbox.zygote import Zygote


class Guest:
    """One sandbox. Lives in one event loop; `on_lost` is called once when the sandbox cannot be used any more."""

    def __init__(
        self,
        directory: Path,
        max_payload: int,
        on_lost: Callable[[str], None],
        lessons: Lessons | None = None,
        files: Path | None = None,
        *,
        ledger: Ledger | None = None,
    ) -> None:
        """With a ledger, it is the sandbox that an earlier runner wrote down there, or that this one is about to."""
        self.socket = directory / "agent.sock"
        self.files = files
        self.zygote = Zygote(token=ledger.records.token if ledger else "")
        self.ledger = ledger or Ledger(directory, Records("", "", self.zygote.token, 0.0))
        self._environments = Environments(self.zygote, lessons or Lessons(), self.ledger)
        self._max_payload = max_payload
        self._on_lost = on_lost
        self._server: asyncio.Server | None = None
        self.gate: Gate | None = None
        """Its way to the network; None where the backend keeps nobody from that."""
        self._strangers: set[Connection] = set()
        self._over = False

    @property
    def token(self) -> str:
        return self.zygote.token

    @property
    def python(self) -> str:
        return self.zygote.python

    async def listen(self) -> None:
        """Bind the socket, for a guest of any user: the directory above keeps the host's other users out."""
        self.socket.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if self.gate is not None:
            self.gate.prepare()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Bound beside its place: a guest that waits for a runner to return must always find a socket there.
        bound = self.socket.with_suffix(".new")
        bound.unlink(missing_ok=True)
        listener.bind(str(bound))
        os.chmod(bound, 0o666)  # noqa: S103, PTH101
        listener.listen(128)
        bound.rename(self.socket)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: Connection(self._max_payload, self._opened), sock=listener, backlog=128
        )

    async def ready(self) -> None:
        """Wait for the zygote. Raises SandboxError when it speaks another protocol or the sandbox is lost."""
        await self.zygote.ready()

    async def environment(self, layer: str, imports: frozenset[str]) -> Zygote:
        """What forks sessions for this layer; "" is no layer. Raises SandboxError when it cannot be made."""
        return self.zygote if not layer else await self._environments.get(layer, imports)

    def expected(self, record: EnvironmentRecord) -> Zygote:
        """An environment that an earlier runner made here, and that is to dial in again."""
        return self._environments.expected(record)

    def returned(self, environment: Zygote) -> None:
        self._environments.returned(environment)

    def forgotten(self, environment: Zygote, reason: str) -> None:
        """It did not return in time, or is in the way."""
        self._environments.lost(environment, reason)

    def ask_forwarder(self, token: str) -> None:
        """Have the first process fork what lets code out to the hosts that its nodes list."""
        self.zygote.send(wire.Egress(token))

    def tidy(self) -> None:
        """End the environments that were replaced and that no execution uses any more."""
        self._environments.retire_unused()

    def close(self) -> None:
        """Stop listening and drop every connection. Runs that wait get SandboxError."""
        self._lose("it was stopped")

    # what the connections report

    def hello(self, connection: Connection, hello: wire.Hello) -> Zygote | None:
        """Which zygote it is that dialled in; None for a session. Raises WireError for whom nobody asked for."""
        if hello.role == "session":
            for zygote in (self.zygote, *self._environments.all):
                if zygote.expects(hello.token):
                    self._strangers.discard(connection)
                    zygote.session_ready(connection, hello.token)
                    return None
        elif hello.role == "zygote" and not self.zygote.connected and hello.token == self.token:
            self._strangers.discard(connection)
            self.zygote.dialled(connection, hello)
            return self.zygote
        elif hello.role == "egress" and self.gate is not None and self.gate.forwarder.expects(hello.token):
            self._strangers.discard(connection)
            connection.follow(self.gate.forwarder)
            self.gate.forwarder.dialled(connection)
            return None
        elif hello.role == "environment":
            for zygote in self._environments.all:
                if zygote.token == hello.token and not zygote.connected:
                    self._strangers.discard(connection)
                    zygote.dialled(connection, hello)
                    return zygote
        raise wire.WireError("a hello with the wrong role or token")

    def exited(self, zygote: Zygote, message: wire.Exited) -> None:
        if zygote is not self.zygote or not self._environments.exited(message):
            zygote.session_exited(message)

    def connection_lost(self, connection: Connection, zygote: Zygote | None, error: Exception | None) -> None:
        if zygote is None:
            self._strangers.discard(connection)
        elif zygote is self.zygote:
            self._lose(str(error) if error else "its first process ended")
        else:
            self._environments.lost(zygote, str(error) if error else "its process ended")

    def _opened(self, connection: Connection) -> "_Stranger":
        if self._over:
            connection.abort()  # it was on its way while the listener closed
        if len(self._strangers) >= 64:
            next(iter(self._strangers)).abort()
        self._strangers.add(connection)
        return _Stranger(self, connection)

    def _lose(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        error = SandboxError(f"The sandbox was lost: {reason}.")
        if self._server is not None:
            # It has no runner to wait for: gone before the connections are.
            self.socket.unlink(missing_ok=True)
            self._server.close()
        if self.gate is not None:
            self.gate.close()
        for zygote in (*self._environments.all, self.zygote):
            zygote.lose(error)
        for stranger in list(self._strangers):
            stranger.abort()
        self._on_lost(reason)


class _Stranger:
    """A connection that has not said what it is, and then one of a zygote."""

    def __init__(self, guest: Guest, connection: Connection) -> None:
        self._guest = guest
        self._connection = connection
        self._zygote: Zygote | None = None

    def received(self, message: wire.Message, payload: Payload | ResultStream) -> None:
        del payload
        if self._zygote is not None:
            if not isinstance(message, wire.Exited):
                raise wire.WireError("a zygote reports nothing but exits")
            self._guest.exited(self._zygote, message)
        elif not isinstance(message, wire.Hello):
            raise wire.WireError("the first message is a hello")
        elif message.protocol != wire.PROTOCOL:
            raise wire.WireError(f"the guest speaks protocol {message.protocol}, the runner {wire.PROTOCOL}")
        else:
            self._zygote = self._guest.hello(self._connection, message)

    def lost(self, error: Exception | None) -> None:
        self._guest.connection_lost(self._connection, self._zygote, error)
