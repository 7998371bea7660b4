"""A sandbox without machine or Python: a guest of the same frames, for tests that are about something else.

Sessions answer with what `answer` makes of a run and its payload; the default hands the items back. A test
that needs a run to last lets `answer` wait. Nothing of a person's code is ever executed here.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from qflow_agent import wire
from qflow_runner.background import Background
from qflow_runner.errors import DockerUnavailable, QflowError, SourceRefused
from qflow_runner.layers import Confined, Ended
from qflow_runner.sandbox.backend import Health, Limits, SandboxSpec
from qflow_runner.sandbox.connection import Connection, Payload
from qflow_runner.sandbox.streams import ResultStream

Answer = tuple[wire.Done | wire.Failed, bytes]
MAX_PAYLOAD = 1 << 30


async def echo(run: wire.Run, payload: Payload) -> Answer:
    """The items, as they came."""
    try:
        items = json.loads(payload)["items"]
    except (ValueError, TypeError, KeyError):
        problem = {"category": "type", "code": "body_invalid", "detail": "The body is not JSON with items."}
        return wire.Failed(run.run, problem), b""
    return wire.Done(run.run, items=len(items)), json.dumps(items).encode()


class FakeBackend:
    """Knobs for tests: `answer` is what the code does, `failure` makes every call of the backend fail, `isolation` is
    what its kernel offers."""

    name = "fake"

    def __init__(self, answer: Callable[[wire.Run, Payload], Awaitable[Answer]] = echo) -> None:
        self.answer = answer
        self.failure: QflowError | None = None
        self.failing_forks = 0
        """So many of the next sessions end before they are ready."""
        self.isolation = "full"
        self.booted: list[SandboxSpec] = []
        self.resized: list[tuple[str, Limits]] = []
        self._zygotes: dict[str, _Zygote] = {}

    async def open(self) -> None:
        self._fail()

    async def left(self, known: Iterable[str]) -> dict[str, bool]:
        """Its guests wait for no runner: who was left has ended."""
        self._fail()
        return dict.fromkeys(set(known) & self._zygotes.keys(), False)

    async def boot(self, spec: SandboxSpec) -> None:
        self._fail()
        self.booted.append(spec)
        zygote = self._zygotes[spec.id] = _Zygote(spec, self)
        await zygote.dial(
            wire.Hello("zygote", spec.token, wire.PROTOCOL, spec.python, isolation=self.isolation)
        )

    async def resize(self, sandbox: str, limits: Limits) -> None:
        self._fail()
        self.resized.append((sandbox, limits))

    async def remove(self, sandbox: str) -> None:
        zygote = self._zygotes.pop(sandbox, None)
        if zygote is not None:
            zygote.end()

    async def explain(self, sandbox: str) -> str:
        return "" if sandbox in self._zygotes else "it is gone"

    async def compile(self, python: str, directory: Path, listed: Path) -> None:
        del python, directory, listed
        self._fail()

    async def confine(self, job: Confined) -> Ended:
        del job
        self._fail()
        raise SourceRefused("The fake backend runs nothing, so nothing is built from source.")

    async def health(self) -> Health:
        return Health(self.failure is None, self.failure.detail if self.failure else "the fake answers")

    async def close(self) -> None:
        for sandbox in list(self._zygotes):
            await self.remove(sandbox)

    def stop_docker(self) -> None:
        """From now on the backend behaves as one whose Docker is away."""
        self.failure = DockerUnavailable("Docker does not answer.")

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class _Dialled(ABC):
    """A guest's end of a connection."""

    def __init__(self) -> None:
        self.connection: Connection | None = None

    async def dial(self, path: str, hello: wire.Hello) -> None:
        loop = asyncio.get_running_loop()
        _, self.connection = await loop.create_unix_connection(
            lambda: Connection(MAX_PAYLOAD, lambda _: self), path
        )
        self.connection.send(hello)

    def end(self) -> None:
        if self.connection is not None:
            self.connection.abort()

    @abstractmethod
    def received(self, message: wire.Message, payload: Payload | ResultStream) -> None: ...

    @abstractmethod
    def lost(self, error: Exception | None) -> None: ...


class _Zygote:
    def __init__(self, spec: SandboxSpec, backend: FakeBackend) -> None:
        self.backend = backend
        self._spec = spec
        self._link = _ZygoteLink(self)
        self._sessions: dict[str, _Session] = {}
        self._environments: dict[str, _Zygote] = {}
        self._forwarder: _Forwarder | None = None
        self._background = Background()

    async def dial(self, hello: wire.Hello) -> None:
        await self._link.dial(str(self._spec.socket), hello)

    def received(self, message: wire.Message) -> None:
        if isinstance(message, wire.Fork) and self.backend.failing_forks:
            self.backend.failing_forks -= 1
            self._report(wire.Exited(message.token, 1))
        elif isinstance(message, wire.Fork):
            session = self._sessions[message.token] = _Session(self)
            hello = wire.Hello("session", message.token, wire.PROTOCOL)
            self._background.start(session.dial(str(self._spec.socket), hello))
        elif isinstance(message, wire.Egress):
            self._forwarder = _Forwarder()
            self._background.start(
                self._forwarder.dial(
                    str(self._spec.socket), wire.Hello("egress", message.token, wire.PROTOCOL)
                )
            )
        elif isinstance(message, wire.Environment):
            environment = self._environments[message.token] = _Zygote(self._spec, self.backend)
            self._background.start(environment.dial(wire.Hello("environment", message.token, wire.PROTOCOL)))
        elif isinstance(message, wire.Kill):
            ended = self._sessions.pop(message.token, None) or self._environments.pop(message.token, None)
            if ended is not None:
                ended.end()
                self._report(wire.Exited(message.token, -9))

    def end(self) -> None:
        self._link.end()
        if self._forwarder is not None:
            self._forwarder.end()
        for below in (*self._sessions.values(), *self._environments.values()):
            below.end()
        self._background.cancel()

    def _report(self, message: wire.Message) -> None:
        if self._link.connection is not None:
            self._link.connection.send(message)


class _ZygoteLink(_Dialled):
    def __init__(self, zygote: _Zygote) -> None:
        super().__init__()
        self._zygote = zygote

    def received(self, message: wire.Message, payload: Payload | ResultStream) -> None:
        del payload
        self._zygote.received(message)

    def lost(self, error: Exception | None) -> None:
        del error
        self._zygote.end()


class _Forwarder(_Dialled):
    """Listens nowhere, and says that it does."""

    def received(self, message: wire.Message, payload: Payload | ResultStream) -> None:
        del payload
        if isinstance(message, wire.Listen) and self.connection is not None:
            self.connection.send(wire.Listening(message.address, message.port))

    def lost(self, error: Exception | None) -> None:
        del error


class _Session(_Dialled):
    def __init__(self, zygote: _Zygote) -> None:
        super().__init__()
        self._zygote = zygote
        self._running: asyncio.Task[None] | None = None

    def received(self, message: wire.Message, payload: Payload | ResultStream) -> None:
        if isinstance(message, wire.Run) and not isinstance(payload, ResultStream):
            self._running = asyncio.get_running_loop().create_task(self._run(message, payload))

    def lost(self, error: Exception | None) -> None:
        del error
        if self._running is not None:
            self._running.cancel()

    async def _run(self, run: wire.Run, payload: Payload) -> None:
        message, answer = await self._zygote.backend.answer(run, payload)
        if self.connection is not None:
            self.connection.send(message, answer)
