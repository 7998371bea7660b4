"""SIGTERM: what runs may finish, what comes is told to come back, and a second signal waits for nothing."""

import asyncio
import signal
import time

import aiohttp
import pytest

from tests.faults.conftest import Start
from tests.faults.test_killed_runner import SLOW, USE, made, until_leased


async def test_runs_finish_and_new_ones_are_told_to_come_back(start: Start) -> None:
    """The answer of a run under way is whole; until it is out, readiness says why there is none, and the status is 0."""
    runner = await start(pool_floor=0)
    running = asyncio.create_task(runner.client.run(SLOW, [{"seconds": 2}]))
    await until_leased(runner.client)
    definition = await runner.client.define(SLOW)
    runner.signal(signal.SIGTERM)
    await runner.event("runner.stopping")

    path = f"/v1/definitions/{definition}/runs?workflow=w&execution=e"
    async with runner.client.http.post(
        runner.client.address + path, json={"items": [{"json": {"seconds": 0}}]}
    ) as response:
        problem = await response.json(content_type=None)
        assert (503, "unavailable") == (response.status, problem["code"])
        assert int(response.headers["Retry-After"]) > 0
        assert "close" == response.headers["Connection"]
    status, reply = await runner.client.call("GET", "/readyz")
    assert (503, False) == (status, reply["ready"])
    assert "draining" in reply["parts"]["runs"]["reason"]
    assert 200 == (await runner.client.call("GET", "/healthz"))[0]

    status, reply = await running
    assert (200, "done") == (status, reply["items"][0]["json"]["value"])
    assert 0 == await runner.ended()


async def test_a_run_that_does_not_finish_is_cut_off_in_time(start: Start) -> None:
    """The drain has an end, and so has the runner."""
    runner = await start(pool_floor=0, drain_s=1)
    running = asyncio.create_task(runner.client.run(SLOW, [{"seconds": 25}]))
    await until_leased(runner.client)
    began = time.monotonic()
    runner.signal(signal.SIGTERM)

    assert 0 == await runner.ended()
    assert time.monotonic() - began < 15
    (told,) = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(told, aiohttp.ClientError) or told[0] >= 500, told


async def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    """As after a crash, the next start finds what was there."""
    runner = await start(pool_floor=0)
    items = await made(runner.client, 5, workflow="other")
    running = asyncio.create_task(runner.client.run(SLOW, [{"seconds": 25}]))
    await until_leased(runner.client)
    runner.signal(signal.SIGTERM)
    await runner.event("runner.stopping")
    began = time.monotonic()
    runner.signal(signal.SIGTERM)

    assert 0 == await runner.ended()
    assert time.monotonic() - began < 3
    with pytest.raises(aiohttp.ClientError):
        await running
    again = await start(pool_floor=0)
    assert [{"value": 5}] == await again.client.values(USE, items, workflow="other", sharing="shared")
