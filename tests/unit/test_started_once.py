"""What never started is started once more; what may have is not, unless the node says that this does no harm."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_agent import wire
from qflow_runner.sandbox.fake import Answer, FakeBackend, echo
from tests.runner import RunnerClient, running

CODE = "def f():\n    ...\n"


class Code:
    """Counts how often it was begun; `then` is called once it has."""

    def __init__(self) -> None:
        self.begun = 0
        self.then = lambda: None

    async def __call__(self, run: wire.Run, payload: bytes | bytearray) -> Answer:
        self.begun += 1
        self.then()
        await asyncio.sleep(0.01)
        return await echo(run, payload)


@pytest.fixture
def code() -> Code:
    return Code()


@pytest.fixture
def backend(code: Code) -> FakeBackend:
    return FakeBackend(code)


@pytest.fixture
async def runner(backend: FakeBackend, tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(backend, tmp_path, pool_floor=0) as client:
        yield client


def kill_all(backend: FakeBackend) -> None:
    for zygote in list(backend._zygotes.values()):
        zygote.end()


async def test_a_sandbox_that_is_dead_when_it_is_wanted(
    runner: RunnerClient, backend: FakeBackend, code: Code
) -> None:
    """The run goes to another one: nothing of it was sent to the first."""
    await runner.values(CODE)
    definition = await runner.define(CODE)
    kill_all(backend)
    status, reply = await runner.call(
        "POST", f"/v1/definitions/{definition}/runs?workflow=w&execution=next", json={"items": [{"json": {}}]}
    )

    assert (200, 2, 2) == (status, code.begun, len(backend.booted)), reply


async def test_a_session_that_cannot_be_forked(
    runner: RunnerClient, backend: FakeBackend, code: Code
) -> None:
    """One failure is made good, a second one is told, and neither began anything."""
    await runner.values(CODE)
    (zygote,) = (guest.zygote for guest in runner.state.keeper.guests.values())
    await runner.values(CODE, execution="takes the spare")
    backend.failing_forks = 1
    zygote._spare = None
    assert [{}] == await runner.values(CODE, execution="one failure")
    assert 3 == code.begun

    backend.failing_forks = 1000
    zygote._spare = None
    status, problem = await runner.run(CODE, execution="many failures")
    assert (502, "sandbox", 3) == (status, problem["category"], code.begun)
    assert backend.failing_forks >= 996, "the run was tried twice, and the rest are spares"


async def test_a_session_that_ended_between_two_runs(
    runner: RunnerClient, backend: FakeBackend, code: Code
) -> None:
    """The next run has another one."""
    await runner.values(CODE)
    (session,) = (held.session for spots in runner.state.sessions._held.values() for held in spots.values())
    session.end()

    assert [{}] == await runner.values(CODE)
    assert 2 == code.begun


@pytest.mark.parametrize(("idempotent", "begun", "status"), [(False, 1, 502), (True, 2, 200)])
async def test_a_sandbox_that_dies_under_a_run(
    runner: RunnerClient, backend: FakeBackend, code: Code, idempotent: bool, begun: int, status: int
) -> None:
    """What the code had done outside stays done: it is run again only where that does no harm."""

    def die() -> None:
        code.then = lambda: None
        kill_all(backend)

    code.then = die
    answered, reply = await runner.run(CODE, idempotent=idempotent)

    assert (status, begun) == (answered, code.begun), reply


async def test_a_sandbox_that_cannot_be_booted(
    runner: RunnerClient, backend: FakeBackend, code: Code
) -> None:
    """The pool tries a second boot, and nobody tries further."""
    backend.stop_docker()
    status, problem = await runner.run(CODE)

    assert (503, "docker_unavailable", 0) == (status, problem["code"], code.begun)
