"""A process in a sandbox that forks sessions, as the runner sees it: the sandbox's first one, or an environment.

A session is asked for by a token that only the zygote and its fork know, so a process inside cannot pose as the
session of another execution.
"""

import asyncio
import secrets

from qflow_agent import wire
from qflow_runner.errors import SandboxError
from qflow_runner.sandbox.connection import Connection
from qflow_runner.sandbox.guest_session import GuestSession

FORK_DEADLINE_S = 10.0


class Zygote:
    """Lives in one event loop. `token` is what it dials in with."""

    def __init__(self, layer: str = "", imports: frozenset[str] = frozenset(), token: str = "") -> None:
        self.token = token or secrets.token_urlsafe(18)
        self.layer = layer
        self.imports = imports
        self.python = ""
        self.isolation = ""
        """What it keeps of each session from the others: "full", "files" alone, or nothing."""
        self.sessions: dict[str, GuestSession] = {}
        self.late: list[str] = []
        self._connection: Connection | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._forking: dict[str, asyncio.Future[GuestSession]] = {}
        self._returning: dict[str, asyncio.Future[GuestSession]] = {}
        self._spare: asyncio.Future[GuestSession] | None = None
        self._lost: SandboxError | None = None
        self._pid = 0

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def pid(self) -> int:
        """Its process on the runner's machine; 0 where the runner does not see it."""
        return self._pid

    @property
    def in_use(self) -> bool:
        """Whether an execution has a session of it; the spare one has none."""
        spare = self._spare
        ready = spare is not None and spare.done() and not spare.cancelled() and not spare.exception()
        return len(self.sessions) > (1 if ready else 0)

    @property
    def lost(self) -> bool:
        return self._lost is not None

    async def ready(self) -> None:
        """Wait until it dialled in. Raises SandboxError when it is lost before."""
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

    async def returned(self, token: str) -> GuestSession:
        """The session that an earlier runner had under this token, when it dials in. Raises SandboxError."""
        returning: asyncio.Future[GuestSession] = asyncio.get_running_loop().create_future()
        self._returning[token] = returning
        try:
            return await returning
        finally:
            self._returning.pop(token, None)

    def replenish(self) -> None:
        """Fork a spare session ahead. Called when a run has ended, so that no run waits for it."""
        if self._spare is None and not self._forking and self._lost is None:
            self._spare = self._fork(spare=True)

    def send(self, message: wire.Environment | wire.Kill | wire.Egress) -> None:
        if self._connection is not None:
            self._connection.send(message)

    def kill(self, token: str) -> None:
        self.send(wire.Kill(token))

    def lose(self, error: SandboxError) -> None:
        """It is gone, or given up. Runs that wait for it get this error."""
        if self._lost is not None:
            return
        self._lost = error
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()
        for forked in (*self._forking.values(), *self._returning.values()):
            if not forked.done():
                forked.set_exception(error)
        self._forking.clear()
        for session in list(self.sessions.values()):
            session.sandbox_lost(error)
        self.sessions.clear()
        if self._connection is not None:
            self._connection.abort()

    # what arrives

    def dialled(self, connection: Connection, hello: wire.Hello) -> None:
        self._connection = connection
        self._pid = connection.peer
        self.python = hello.python
        self.isolation = hello.isolation
        self.late = [name for name in hello.late if name in self.imports]
        if not self._ready.done():
            self._ready.set_result(None)
        self.replenish()

    def expects(self, token: str) -> bool:
        """Whether a session was asked for, or is to return, that has not dialled in yet."""
        return token in self._forking or token in self._returning

    def session_ready(self, connection: Connection, token: str) -> None:
        forked = self._forking.pop(token, None) or self._returning.pop(token)
        session = GuestSession(connection, token, self.kill)
        connection.follow(session)
        self.sessions[token] = session
        if forked.done():
            session.end()
        else:
            forked.set_result(session)

    def session_exited(self, message: wire.Exited) -> None:
        session = self.sessions.pop(message.token, None)
        if session is not None:
            session.exited(message)
        forked = self._forking.pop(message.token, None) or self._returning.get(message.token)
        if forked is not None and not forked.done():
            forked.set_exception(
                SandboxError(f"A session ended with status {message.status} before it was ready.")
            )

    def _fork(self, *, spare: bool = False) -> asyncio.Future[GuestSession]:
        forked: asyncio.Future[GuestSession] = asyncio.get_running_loop().create_future()
        forked.add_done_callback(_retrieve)
        if self._connection is None or self._lost is not None:
            forked.set_exception(self._lost or SandboxError("The sandbox is gone."))
            return forked
        token = secrets.token_urlsafe(18)
        self._forking[token] = forked
        self._connection.send(wire.Fork(token, spare))
        return forked


def _retrieve(future: asyncio.Future[GuestSession]) -> None:
    """A spare that nobody waited for may fail unseen: whoever takes it next is told."""
    if not future.cancelled():
        future.exception()
