"""dockerd and containerd die, hang and return: who has a sandbox goes on, who needs one is told why, and all heals."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.parts.engine import Engine
from tests.faults.parts.places import kill
from tests.runner import RunnerClient, running

GOOD = "def good(n: int) -> int:\n    return n + 1\n"
SLOW = "import time\ndef slow() -> str:\n    time.sleep(4)\n    return 'done'\n"
LARGE = "def large() -> list[dict]:\n    return [{'text': 'x' * 1_000_000} for _ in range(30)]\n"
SOON_S = 3.0


@pytest.fixture
async def alone(engine: Engine, tmp_path: Path) -> AsyncIterator[RunnerClient]:
    """A runner of its own without warm sandboxes: each new workflow needs Docker."""
    async with running(engine.backend("alone"), tmp_path, cpus=1.0, pool_floor=0, pool_wait_s=5) as client:
        yield client
        await engine.revive()


async def good(runner: RunnerClient, workflow: str) -> None:
    assert [{"value": 3}] == await runner.values(GOOD, [{"n": 2}], workflow=workflow)


async def heals(runner: RunnerClient, workflow: str, seconds: float = 30) -> None:
    """Within seconds, without a restart."""
    async with asyncio.timeout(seconds):
        while (await runner.run(GOOD, [{"n": 2}], workflow=workflow))[0] != 200:
            await asyncio.sleep(0.2)  # a caller that tries again
    await good(runner, workflow)


async def refused(runner: RunnerClient, workflow: str) -> None:
    began = time.monotonic()
    status, reply = await runner.run(GOOD, [{"n": 2}], workflow=workflow)
    assert (503, "unavailable", "docker_unavailable") == (status, reply["category"], reply["code"]), reply
    assert reply["hint"]
    assert time.monotonic() - began < SOON_S


async def test_dockerd_killed_while_code_runs(alone: RunnerClient, engine: Engine) -> None:
    """The code runs on and its answer comes; only what needs a new sandbox is refused, until dockerd is back."""
    await good(alone, "has one")
    slow = asyncio.create_task(alone.run(SLOW, workflow="has one"))
    await asyncio.sleep(0.5)  # into the code
    await engine.kill()
    await refused(alone, "needs one")
    status, reply = await slow
    assert (200, "done") == (status, reply["items"][0]["json"]["value"])
    await good(alone, "has one")
    await engine.start()

    await heals(alone, "needs one")
    await heals(alone, "has one")  # a dockerd that returns ends the containers that it finds


async def test_dockerd_killed_while_a_result_streams(alone: RunnerClient, engine: Engine) -> None:
    """Nothing of it goes through dockerd."""
    await good(alone, "has one")
    definition = await alone.define(LARGE)
    path = f"{alone.address}/v1/definitions/{definition}/runs?workflow=has+one&execution=e"
    async with alone.http.post(path, json={"items": [{"json": {}}]}) as response:
        await response.content.read(1000)
        await engine.kill()
        rest = await response.content.read()
    assert rest.endswith(b"}")
    assert len(rest) > 30_000_000
    await engine.start()
    await heals(alone, "needs one")


async def test_dockerd_killed_while_a_sandbox_boots(alone: RunnerClient, engine: Engine) -> None:
    """Its caller gets a sandbox's failure or Docker's, or a sandbox; none of them is left at the end."""
    first = asyncio.create_task(alone.run(GOOD, [{"n": 2}], workflow="first"))
    await asyncio.sleep(0.15)  # containers are being made
    await engine.kill()
    status, reply = await asyncio.wait_for(first, 25)
    assert 200 == status or reply["category"] in {"unavailable", "sandbox", "busy"}, reply
    await engine.start()
    await heals(alone, "first")
    await no_strangers(alone, engine)


async def test_dockerd_hangs(alone: RunnerClient, engine: Engine) -> None:
    """It takes calls and answers none: who has a sandbox does not notice, who needs one waits no longer than told."""
    await good(alone, "has one")
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        waiting = asyncio.create_task(alone.run(GOOD, [{"n": 2}], workflow="needs one"))
        await good(alone, "has one")
        assert time.monotonic() - began < SOON_S
        status, reply = await asyncio.wait_for(waiting, 30)
        assert 503 == status, reply
        assert reply["category"] in {"busy", "unavailable"}
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    await heals(alone, "needs one", 60)
    await no_strangers(alone, engine)


async def test_containerd_killed(alone: RunnerClient, engine: Engine) -> None:
    """dockerd starts another one; a sandbox that lives goes on meanwhile."""
    await good(alone, "has one")
    kill(engine.containerd)
    await good(alone, "has one")
    await heals(alone, "needs one", 60)
    await heals(alone, "has one")


async def test_dockerd_away_when_the_runner_stops(engine: Engine, tmp_path: Path) -> None:
    """It stops all the same; the next one of the same name removes what was left."""
    async with running(engine.backend("tests"), tmp_path, pool_floor=1, cpus=1.0) as first:
        await first.until_ready()
        await good(first, "w")
        await engine.kill()
        began = time.monotonic()
    assert time.monotonic() - began < 20
    await engine.start()
    async with running(engine.backend("tests"), tmp_path, pool_floor=0, cpus=1.0) as second:
        await good(second, "w")
        await no_strangers(second, engine, "tests")


async def no_strangers(runner: RunnerClient, engine: Engine, identity: str = "tests") -> None:
    """Docker has no container of this runner that it does not know itself."""
    client = engine.client()
    try:
        async with asyncio.timeout(30):
            while True:
                known = {f"qflow-{row['id']}" for row in await runner.sandboxes()}
                found = await asyncio.to_thread(
                    client.containers.list, all=True, filters={"label": f"qflow.runner={identity}"}
                )
                if {each.name for each in found} <= known:
                    return
                await asyncio.sleep(0.2)  # removal goes on beside the answer
    finally:
        client.close()
