"""One session as the runner sees it: sends it runs, waits for their answers, and says how it ended.

What a session sends is hostile, so everything in it that people will read is checked here. While it has a run, it
may ask for files and values and hand some over: its inbox is for that.
"""

import asyncio
from collections.abc import Callable

from qflow_agent import wire
from qflow_runner.errors import (
    GuestProblem,
    QflowError,
    RunTimeout,
    SandboxError,
    SessionLost,
)
from qflow_runner.sandbox.checked import checked_hints, checked_logs, printable
from qflow_runner.sandbox.connection import Connection, Payload
from qflow_runner.sandbox.ends import ended
from qflow_runner.sandbox.inbox import Desk, Inbox, Reply, Result, Told
from qflow_runner.sandbox.streams import BodyStream

EXIT_REPORT_S = 1.0
"""How long the zygote may take to say how a session ended, once its connection is gone."""

CLEARED_S = 3.0
"""How long a run that was stopped waits for all that it started to be gone."""

GRACE_S = 1.0
"""The time limit is raised inside the code first; this much later the session is killed."""

Answer = tuple[wire.Done, Result]


class GuestSession:
    """One forked process. It runs one thing at a time; its caller sees to that."""

    def __init__(self, connection: Connection, token: str, kill: Callable[[str], None]) -> None:
        self.token = token
        self.ended = False
        self.changed: list[str] = []
        """References whose objects the last run may have changed, as the guest tells it."""
        self._kill = kill
        self._connection = connection
        self._defined: set[str] = set()
        self._pid: int | None = None
        self._run = 0
        self._answer: asyncio.Future[tuple[wire.Done | wire.Spilled, Result]] | None = None
        self._inbox: Inbox | None = None
        self._gone: SessionLost | SandboxError | None = None
        self._cleared = asyncio.Event()

    async def run(
        self, define: wire.Define, run: wire.Run, payload: Payload | BodyStream, desk: Desk | None = None
    ) -> Answer:
        """Send one run and wait for its answer. Cancelling this kills the session, and the user's code with it.

        A large result is still on its way then: no other run may be sent before it is complete.
        Raises GuestProblem for what the code did, RunTimeout, SessionLost or SandboxError, and what reading a
        streamed body raises.
        """
        if self._gone is not None:
            raise self._gone
        loop = asyncio.get_running_loop()
        self._run = run.run
        self.changed = []
        self._inbox = None if desk is None else Inbox(self, self._connection, desk)
        self._answer = answer = loop.create_future()
        if define.definition not in self._defined:
            self._defined.add(define.definition)
            self._connection.send(define)
        await self._send_run(run, payload)
        hard_limit = loop.call_later(run.time_limit_s + GRACE_S, self._stop_late, run.time_limit_s)
        try:
            done, items = await answer
            assert isinstance(done, wire.Done)  # noqa: S101 - what else is refused where it arrives
            return done, items
        except asyncio.CancelledError:
            self.end()
            raise
        except (GuestProblem, RunTimeout) as problem:
            if isinstance(problem, GuestProblem) and problem.code == "time_limit":
                problem.detail = f"The code ran longer than its time limit of {run.time_limit_s:g} s."
            if problem.category == "timeout" or problem.code == "process_limit":
                # Stopped half way, with threads or children that may run on: nothing here can be trusted, and nothing
                # else be started.
                self.end()
                await self._until_cleared()
            raise
        finally:
            hard_limit.cancel()
            self._answer = None
            await self._close_inbox()

    async def _send_run(self, run: wire.Run, payload: Payload | BodyStream) -> None:
        if not isinstance(payload, BodyStream):
            self._connection.send(run, payload)
            return
        sent = False
        try:
            await self._connection.send_stream(run, payload)
            sent = True
        finally:
            if not sent:
                self.end()  # the session waits for the rest of a body that will not come
                self._answer = None
                await self._close_inbox()

    async def spill(self, wanted: wire.Spill, desk: Desk, deadline_s: float) -> dict[str, str]:
        """Let it give the values of these references to the desk. Between runs only; its caller sees to that.

        Returns a sentence for each reference whose value cannot be given. Raises SandboxError, SessionLost or
        TimeoutError.
        """
        if self._gone is not None:
            raise self._gone
        self._run = 0
        self._inbox = Inbox(self, self._connection, desk)
        self._answer = answer = asyncio.get_running_loop().create_future()
        self._connection.send(wanted)
        try:
            async with asyncio.timeout(deadline_s):
                spilled, _ = await answer
        finally:
            self._answer = None
            await self._close_inbox()
        assert isinstance(spilled, wire.Spilled)  # noqa: S101 - what else is refused where it arrives
        return {
            reference: printable(reason)[:2_000]
            for reference, reason in spilled.refused.items()
            if isinstance(reason, str)  # pyright: ignore[reportUnnecessaryIsInstance] - a guest sent it
        }

    async def answers(self, deadline_s: float) -> None:
        """Ask for nothing, and wait until it gave that: it has no run, and listens. Raises as `spill` does."""
        if self._gone is not None:
            raise self._gone
        self._run = 0
        self._answer = answer = asyncio.get_running_loop().create_future()
        self._connection.send(wire.Spill())
        try:
            async with asyncio.timeout(deadline_s):
                await answer
        finally:
            self._answer = None

    async def send(self, message: wire.Have | wire.Part, payload: Payload = b"") -> None:
        """For the desk: returns when the session took most of it."""
        self._connection.send(message, payload)
        await self._connection.drained()

    @property
    def pid(self) -> int:
        """Its process on the runner's machine; 0 where the runner does not see it."""
        if self._pid is None:
            self._pid = self._connection.peer
        return self._pid

    @property
    def fresh(self) -> bool:
        """Whether it was given nothing to run yet."""
        return not self._defined

    async def cleared(self) -> None:
        """Wait until its process, and all that it started, is gone, as the zygote tells it."""
        await self._cleared.wait()

    @property
    def gone(self) -> bool:
        """Whether a run that comes now is refused before anything is sent."""
        return self._gone is not None

    def end(self) -> None:
        """Kill the process and all that it started."""
        self.ended = True
        if self._gone is None and (self._answer is None or self._answer.done()):
            # A run that comes before the process is gone must not reach it. One that waits learns how it ended.
            self._gone = SessionLost("The session had been ended before this run.")
        self._kill(self.token)

    async def _until_cleared(self) -> None:
        """The next run of this sandbox must not meet a process limit that dying processes still fill."""
        try:
            async with asyncio.timeout(CLEARED_S):
                await self._cleared.wait()
        except TimeoutError:
            return  # the sandbox itself is in trouble, and will say so

    def _stop_late(self, limit: float) -> None:
        self._fail(RunTimeout(f"The code was still running after its limit of {limit:g} s, and was stopped."))
        self.end()

    # what arrives

    def received(self, message: wire.Message, payload: Result) -> None:
        inbox = self._inbox
        if isinstance(message, wire.Done | wire.Failed | wire.Spilled):
            if inbox is None or not inbox.busy:
                self.answered(message, payload)
            else:
                inbox.put(message, payload)
        elif isinstance(message, Told):
            if inbox is not None and message.run == self._run:
                inbox.put(message, payload)
            # Else a thread of the code tells of a run that is over.
        elif isinstance(message, wire.Want | wire.Give | wire.Part) and inbox is not None:
            inbox.put(message, payload)
        else:
            raise wire.WireError("a session sends nothing but the answer to its run")

    def answered(self, message: Reply, payload: Result) -> None:
        if isinstance(message, wire.Spilled) != (self._run == 0) or (
            not isinstance(message, wire.Spilled) and message.run != self._run
        ):
            raise wire.WireError("a session sends nothing but the answer to its run")
        if self._answer is None or self._answer.done():
            return
        if not isinstance(message, wire.Spilled):
            self.changed = message.shared
        if isinstance(message, wire.Failed):
            self._answer.set_exception(guest_problem(message))
        else:
            self._answer.set_result((message, payload))

    def refuse(self, error: wire.WireError | QflowError) -> None:
        """What it asked for, or how, ends the run, and the session with it."""
        if isinstance(error, wire.WireError):
            self.lost(error)
        else:
            self._fail(error)
            self.end()

    async def _close_inbox(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            await inbox.close()

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; the zygote's word on how the process ended follows, or the sandbox is lost too."""
        self.ended = True
        if error is not None:
            self._fail(SessionLost(f"The session was stopped: {error}."))
            self._kill(self.token)
        elif self._gone is None:
            unexplained = SessionLost("The session's connection closed under the run.")
            loop = asyncio.get_running_loop()
            loop.call_later(EXIT_REPORT_S, self._fail, unexplained)
            self._kill(self.token)

    def exited(self, message: wire.Exited) -> None:
        self.ended = True
        self._cleared.set()
        self._fail(ended(message))
        self._connection.abort()

    def sandbox_lost(self, error: SandboxError) -> None:
        self.ended = True
        self._cleared.set()
        self._fail(error)
        self._connection.abort()

    def _fail(self, error: QflowError) -> None:
        if self._gone is None and isinstance(error, SessionLost | SandboxError):
            self._gone = error
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def guest_problem(message: wire.Failed) -> GuestProblem:
    problem = GuestProblem(message.problem)
    problem.timing, problem.usage = message.timing, message.usage
    problem.members["logs"] = checked_logs(message.logs)
    problem.members["hints"] = checked_hints(message.hints)
    return problem
