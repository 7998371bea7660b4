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
from qflow_runner.errors import (
    GuestProblem,
    OutOfMemory,
    RunTimeout,
    SandboxError,
    SessionExited,
    SessionLost,
)
from qflow_runner.sandbox.connection import Connection, Payload

EXIT_REPORT_S = 1.0
"""How long the zygote may take to say how a session ended, once its connection is gone."""

GRACE_S = 1.0
"""The time limit is raised inside the code first; this much later the session is killed."""

FORK_DEADLINE_S = 10.0

Answer = tuple[wire.Done, Payload]


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

    async def take(self) -> "GuestSession":
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
        session = GuestSession(self, connection, hello.token)
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

    def _fork(self, *, spare: bool = False) -> "asyncio.Future[GuestSession]":
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


class GuestSession:
    """One forked process. It runs one thing at a time; its caller sees to that."""

    def __init__(self, guest: Guest, connection: Connection, token: str) -> None:
        self.token = token
        self.ended = False
        self._guest = guest
        self._connection = connection
        self._defined: set[str] = set()
        self._run = 0
        self._answer: asyncio.Future[Answer] | None = None
        self._gone: SessionLost | SandboxError | None = None
        self._timed_out = False

    async def run(self, define: wire.Define, run: wire.Run, payload: Payload) -> Answer:
        """Send one run and wait for its answer. Cancelling this kills the session, and the user's code with it.

        Raises GuestProblem for what the code did, RunTimeout, SessionLost or SandboxError.
        """
        if self._gone is not None:
            raise self._gone
        loop = asyncio.get_running_loop()
        self._run = run.run
        self._answer = answer = loop.create_future()
        if define.definition not in self._defined:
            self._defined.add(define.definition)
            self._connection.send(define)
        self._connection.send(run, payload)
        hard_limit = loop.call_later(run.time_limit_s + GRACE_S, self._stop_late, run.time_limit_s)
        try:
            return await answer
        except asyncio.CancelledError:
            self.end()
            raise
        except GuestProblem as problem:
            if problem.category == "timeout":
                # Stopped half way, with threads or children that may run on: nothing here can be trusted.
                self.end()
            raise
        finally:
            hard_limit.cancel()
            self._answer = None

    def end(self) -> None:
        """Kill the process and all that it started."""
        self.ended = True
        self._guest.kill(self.token)

    def _stop_late(self, limit: float) -> None:
        self._fail(RunTimeout(f"The code was still running after its limit of {limit:g} s, and was stopped."))
        self.end()

    # what arrives

    def received(self, message: wire.Message, payload: Payload) -> None:
        if not isinstance(message, wire.Done | wire.Failed) or message.run != self._run:
            raise wire.WireError("a session sends nothing but the answer to its run")
        if self._answer is None or self._answer.done():
            return
        if isinstance(message, wire.Done):
            self._answer.set_result((message, payload))
        else:
            self._answer.set_exception(guest_problem(message))

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; the zygote's word on how the process ended follows, or the sandbox is lost too."""
        self.ended = True
        if error is not None:
            self._fail(SessionLost(f"The session was stopped: {error}."))
            self._guest.kill(self.token)
        elif self._gone is None:
            unexplained = SessionLost("The session's connection closed under the run.")
            loop = asyncio.get_running_loop()
            loop.call_later(EXIT_REPORT_S, self._fail, unexplained)
            self._guest.kill(self.token)

    def exited(self, message: wire.Exited) -> None:
        self.ended = True
        self._fail(_explain(message))
        self._connection.abort()

    def sandbox_lost(self, error: SandboxError) -> None:
        self.ended = True
        self._fail(error)
        self._connection.abort()

    def _fail(self, error: "RunTimeout | SessionLost | SandboxError") -> None:
        if self._gone is None and not isinstance(error, RunTimeout):
            self._gone = error
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


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


def guest_problem(message: wire.Failed) -> GuestProblem:
    problem = GuestProblem(message.problem)
    problem.members["logs"] = checked_logs(message.logs)
    problem.members["hints"] = checked_hints(message.hints)
    return problem


def checked_logs(logs: list[list[str]]) -> list[dict[str, str]]:
    """Captured output as the API shows it; whatever does not look like output is left out."""
    return [
        {"stream": entry[0], "text": _printable(entry[1])}
        for entry in logs
        if isinstance(entry, list)  # pyright: ignore[reportUnnecessaryIsInstance] - a guest sent it
        and len(entry) == 2
        and entry[0] in {"stdout", "stderr"}
        and isinstance(entry[1], str)  # pyright: ignore[reportUnnecessaryIsInstance]
    ]


def checked_hints(hints: list[str]) -> list[str]:
    return [_printable(hint)[:2_000] for hint in hints[:20] if isinstance(hint, str)]  # pyright: ignore[reportUnnecessaryIsInstance]


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _explain(message: wire.Exited) -> SessionLost:
    if message.out_of_memory:
        return OutOfMemory("The code used more memory than its sandbox has, and was stopped.")
    if message.status < 0:
        return SessionLost(f"The session's process was ended by signal {-message.status}.")
    return SessionExited(f"The code ended its process with exit status {message.status}.")


def _retrieve(future: "asyncio.Future[GuestSession]") -> None:
    """A spare that nobody waited for may fail unseen: whoever takes it next is told."""
    if not future.cancelled():
        future.exception()
