"""The runner's side of one sandbox: its socket, its zygote, and the sessions that dialled in.

A session is asked for by a token that only the zygote and its fork know, so a process inside cannot pose as
the session of another execution; the zygote is the first to connect, and only once.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from qflow_agent import wire
from qflow_runner.errors import SandboxError
from qflow_runner.sandbox.connection import Connection, Payload
from qflow_runner.sandbox.guest_session import GuestSession

FORK_DEADLINE_S = 10.0


class Guest:
    """One sandbox. Lives in one event loop; `on_lost` is called once when the sandbox cannot be used any more."""

    def __init__(self, directory: Path, max_payload: int, on_lost: Callable[[str], None]) -> None:
        self.token = secrets.token_urlsafe(18)
        self.socket = directory / "agent.sock"
        self.python = ""
        self.sessions: dict[str, GuestSession] = {}
        self._max_payload = max_payload
        self._on_lost = on_lost
        self._server: asyncio.Server | None = None
        self._zygote: Connection | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._forking: dict[str, asyncio.Future[GuestSession]] = {}
        self._spare: asyncio.Future[GuestSession] | None = None
        self._strangers: set[Connection] = set()
        self._over = False

    async def listen(self) -> None:
        """Bind the socket, for a guest of any user: the directory above keeps the host's other users out."""
        self.socket.parent.mkdir(mode=0o755, parents=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.socket))
        os.chmod(self.socket, 0o666)  # noqa: S103, PTH101
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: Connection(self._max_payload, self._opened), sock=listener, backlog=128
        )

    async def ready(self) -> None:
        """Wait for the zygote. Raises SandboxError when it speaks another protocol or the sandbox is lost."""
        await asyncio.shield(self._ready)

    async def take(self) -> GuestSession:
        """A session that no execution has used: the spare one, or a fork made now."""
        forked, self._spare = self._spare, None
        if forked is None or (forked.done() and (forked.exception() or forked.result().ended)):
            forked = self._fork()
        if forked.done():
            return forked.result()
        try:
            async with asyncio.timeout(FORK_DEADLINE_S):
                return await asyncio.shield(forked)
        except TimeoutError:
            forked.cancel()
            raise SandboxError(
                f"The sandbox started no session within {FORK_DEADLINE_S:g} s.",
                hint="Its processes or its CPU may be used up by what runs in it: end that, or raise the limits.",
            ) from None
        except asyncio.CancelledError:
            if self._spare is None:
                self._spare = forked
            else:
                forked.cancel()
            raise

    def replenish(self) -> None:
        """Fork a spare session ahead. Called when a run has ended, so that no run waits for it."""
        if self._spare is None and not self._forking and not self._over:
            self._spare = self._fork(spare=True)

    def kill(self, token: str) -> None:
        if self._zygote is not None:
            self._zygote.send(wire.Kill(token))

    def close(self) -> None:
        """Stop listening and drop every connection. Runs that wait get SandboxError."""
        self._lose("it was stopped")

    # what the connections report

    def zygote_ready(self, connection: Connection, hello: wire.Hello) -> None:
        self._strangers.discard(connection)
        self._zygote = connection
        self.python = hello.python
        if not self._ready.done():
            self._ready.set_result(None)
        self.replenish()

    def session_ready(self, connection: Connection, hello: wire.Hello) -> None:
        forked = self._forking.pop(hello.token, None)
        if forked is None:
            raise wire.WireError("a session that nobody asked for")
        self._strangers.discard(connection)
        session = GuestSession(connection, hello.token, self.kill)
        connection.follow(session)
        self.sessions[hello.token] = session
        if forked.done():
            session.end()
        else:
            forked.set_result(session)

    def session_exited(self, message: wire.Exited) -> None:
        session = self.sessions.pop(message.token, None)
        if session is not None:
            session.exited(message)
        forked = self._forking.pop(message.token, None)
        if forked is not None and not forked.done():
            forked.set_exception(
                SandboxError(f"A session ended with status {message.status} before it was ready.")
            )

    def stranger_lost(self, connection: Connection) -> None:
        self._strangers.discard(connection)

    def zygote_lost(self, error: Exception | None) -> None:
        self._lose(str(error) if error else "its first process ended")

    @property
    def has_zygote(self) -> bool:
        return self._zygote is not None

    def _opened(self, connection: Connection) -> "_Stranger":
        if self._over:
            connection.abort()  # it was on its way while the listener closed
        if len(self._strangers) >= 64:
            next(iter(self._strangers)).abort()
        self._strangers.add(connection)
        return _Stranger(self, connection)

    def _fork(self, *, spare: bool = False) -> asyncio.Future[GuestSession]:
        forked: asyncio.Future[GuestSession] = asyncio.get_running_loop().create_future()
        forked.add_done_callback(_retrieve)
        if self._zygote is None or self._over:
            forked.set_exception(SandboxError("The sandbox is gone."))
            return forked
        token = secrets.token_urlsafe(18)
        self._forking[token] = forked
        self._zygote.send(wire.Fork(token, spare))
        return forked

    def _lose(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        error = SandboxError(f"The sandbox was lost: {reason}.")
        if self._server is not None:
            self._server.close()
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()
        for forked in self._forking.values():
            if not forked.done():
                forked.set_exception(error)
        self._forking.clear()
        for session in list(self.sessions.values()):
            session.sandbox_lost(error)
        self.sessions.clear()
        for stranger in list(self._strangers):
            stranger.abort()
        if self._zygote is not None:
            self._zygote.abort()
        self._on_lost(reason)


class _Stranger:
    """A connection that has not said what it is."""

    def __init__(self, guest: Guest, connection: Connection) -> None:
        self._guest = guest
        self._connection = connection
        self._is_zygote = False

    def received(self, message: wire.Message, payload: Payload) -> None:
        del payload
        guest = self._guest
        if self._is_zygote:
            if not isinstance(message, wire.Exited):
                raise wire.WireError("a zygote reports nothing but exits")
            guest.session_exited(message)
        elif not isinstance(message, wire.Hello):
            raise wire.WireError("the first message is a hello")
        elif message.protocol != wire.PROTOCOL:
            raise wire.WireError(f"the guest speaks protocol {message.protocol}, the runner {wire.PROTOCOL}")
        elif message.role == "session":
            guest.session_ready(self._connection, message)
        elif message.role == "zygote" and not guest.has_zygote and message.token == guest.token:
            self._is_zygote = True
            guest.zygote_ready(self._connection, message)
        else:
            raise wire.WireError("a hello with the wrong role or token")

    def lost(self, error: Exception | None) -> None:
        if self._is_zygote:
            self._guest.zygote_lost(error)
        else:
            self._guest.stranger_lost(self._connection)


def _retrieve(future: asyncio.Future[GuestSession]) -> None:
    """A spare that nobody waited for may fail unseen: whoever takes it next is told."""
    if not future.cancelled():
        future.exception()
