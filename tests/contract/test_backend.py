"""The contract of every backend: the same suite for the fake, a plain process and Docker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_agent import wire
from qflow_runner.errors import SandboxError, SessionLost
from qflow_runner.sandbox.backend import Backend, Limits, SandboxSpec
from qflow_runner.sandbox.docker import DockerBackend
from qflow_runner.sandbox.fake import FakeBackend
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings

DEFINE = wire.Define("d", "def same(items: list) -> list:\n    return items\n", mode="all")
FOREVER = wire.Define("forever", "def loop():\n    while True: pass\n")
BODY = b'{"items": [{"json": {"a": 1}}]}'


@pytest.fixture(params=["fake", "process", pytest.param("docker", marks=pytest.mark.docker)])
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    backend: Backend
    if request.param == "fake":
        fake = FakeBackend()

        async def answer(run: wire.Run, payload: bytes | bytearray) -> tuple[wire.Done | wire.Failed, bytes]:
            if run.definition == "forever":
                await asyncio.Event().wait()
            return wire.Done(run.run, items=1), b'[{"json":{"a":1}}]'

        fake.answer = answer
        backend = fake
    elif request.param == "process":
        backend = ProcessBackend(Settings().cache_dir)
    else:
        backend = DockerBackend("contract-tests")
    await backend.open()
    yield backend
    await backend.close()


class Booted:
    def __init__(self, backend: Backend, directory: Path) -> None:
        self.backend = backend
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.guest = Guest(directory / "s", 1 << 20, self._on_lost)

    def _on_lost(self, reason: str) -> None:
        self.lost.set_result(reason)

    async def boot(self, limits: Limits | None = None) -> Guest:
        await self.guest.listen()
        spec = SandboxSpec(
            id="contract",
            python="3.12",
            socket=self.guest.socket,
            token=self.guest.token,
            limits=limits or Limits(cpus=1.0),
            labels={"qflow.runner": "contract-tests"},
        )
        await self.backend.boot(spec)
        await asyncio.wait_for(self.guest.ready(), 20)
        return self.guest


@pytest.fixture
async def booted(backend: Backend, tmp_path: Path) -> AsyncIterator[Booted]:
    booted = Booted(backend, tmp_path)
    yield booted
    booted.guest.close()
    await backend.remove("contract")


async def test_a_booted_sandbox_dials_in_and_answers_a_run(booted: Booted) -> None:
    """After boot the guest connects on its own, forks a session on request, and answers a run."""
    guest = await booted.boot()
    session = await guest.zygote.take()

    done, items = await session.run(DEFINE, wire.Run(1, "d"), BODY)

    assert (1, b'"a":1') == (done.items, items[items.index(b'"a"') : items.index(b"}")].replace(b" ", b""))
    assert guest.python.startswith("3.12")


async def test_sessions_are_separate(booted: Booted) -> None:
    """Each take is another session, and one may end without the other."""
    guest = await booted.boot()
    first, second = await guest.zygote.take(), await guest.zygote.take()
    first.end()

    with pytest.raises(SessionLost):
        await first.run(DEFINE, wire.Run(1, "d"), BODY)

    assert 1 == (await second.run(DEFINE, wire.Run(2, "d"), BODY))[0].items


async def test_cancelling_a_run_ends_its_session_and_leaves_the_sandbox(booted: Booted) -> None:
    """A run that is cancelled is killed, not abandoned, and the sandbox serves the next one."""
    guest = await booted.boot()
    session = await guest.zygote.take()
    run = asyncio.ensure_future(session.run(FOREVER, wire.Run(1, "forever", time_limit_s=60), BODY))
    await asyncio.sleep(0.05)  # it must be under way; nothing tells the runner that it is
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert session.ended
    async with asyncio.timeout(5):
        while session.token in guest.zygote.sessions:
            await asyncio.sleep(0.01)  # the zygote's report
    assert 1 == (await (await guest.zygote.take()).run(DEFINE, wire.Run(2, "d"), BODY))[0].items


async def test_removing_a_sandbox_ends_everything_in_it(booted: Booted, backend: Backend) -> None:
    """A removed sandbox is reported lost, its runs fail as the sandbox's, and removing it again is quiet."""
    guest = await booted.boot()
    session = await guest.zygote.take()
    run = asyncio.ensure_future(session.run(FOREVER, wire.Run(1, "forever", time_limit_s=60), BODY))
    await asyncio.sleep(0.05)  # under way
    if isinstance(backend, ProcessBackend):
        guest.close()
    await backend.remove("contract")

    assert await asyncio.wait_for(booted.lost, 5)
    with pytest.raises((SandboxError, SessionLost)):
        await run
    await backend.remove("contract")


async def test_health_has_a_reason(backend: Backend) -> None:
    """Every backend says in a sentence how it is."""
    health = await backend.health()

    assert health.ok
    assert len(health.reason) > 10
