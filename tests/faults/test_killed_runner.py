"""A runner is killed and comes back: what it had goes on, what nobody owns goes away, and nothing is answered wrongly."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.faults.conftest import Start
from tests.runner import RunnerClient

MAKE = (
    "import threading\n"
    "class Live:\n"
    "    def __init__(self, n):\n"
    "        self.n, self.lock = n, threading.Lock()\n"  # a lock cannot be pickled: the object exists in its session alone
    "def make(n: int):\n"
    "    return Live(n)\n"
)
USE = "def use(live) -> int:\n    live.lock.acquire(timeout=1)\n    live.lock.release()\n    return live.n\n"
SLOW = "import time\ndef slow(seconds: float) -> str:\n    time.sleep(seconds)\n    return 'done'\n"


async def made(client: RunnerClient, number: int, **options: str) -> list[object]:
    return await client.values(MAKE, [{"n": number}], output="reference", **options)


async def test_live_objects_outlive_a_killed_runner(start: Start) -> None:
    """The same objects, in the same processes: nothing that holds them was ended, or could have been saved."""
    runner = await start(pool_floor=1)
    kept = {}
    for number in range(5):
        place = {"workflow": f"w{number}", "execution": f"e{number}"}
        kept[number] = place, await made(runner.client, number, **place)
    before = {row["id"] for row in await runner.client.sandboxes() if row["state"] == "owned"}
    await runner.kill()

    again = await start(pool_floor=1)

    for number, (place, items) in kept.items():
        assert [{"value": number}] == await again.client.values(USE, items, **place, sharing="shared")
    after = await again.client.sandboxes()
    assert {f"w{number}" for number in range(5)} <= {row["workflow"] for row in after}
    assert before <= {row["id"] for row in after}


async def test_a_run_that_lost_its_runner_is_over(start: Start) -> None:
    """Nobody learns how it ended, so its session is not used again, and the workflow's next run works."""
    runner = await start(pool_floor=0)
    items = await made(runner.client, 1, execution="busy")
    running = asyncio.create_task(runner.client.run(SLOW, [{"seconds": 30}], execution="busy"))
    await until_leased(runner.client)
    await runner.kill()
    with pytest.raises(aiohttp.ClientError):
        await running

    again = await start(pool_floor=0)
    (sandbox,) = await again.client.sandboxes()
    status, problem = await again.client.run(USE, items, execution="busy")

    assert 0 == sandbox["sessions"]
    assert (422, "reference_gone") == (status, problem["code"]), problem
    assert [{"value": "done"}] == await again.client.values(SLOW, [{"seconds": 0}], execution="busy")


async def test_a_runner_that_stops_leaves_nothing(start: Start, tmp_path: Path) -> None:
    """SIGTERM is no crash: sandboxes are removed, what they keep is saved, and the next start has none of them."""
    runner = await start(pool_floor=1)
    items = await runner.client.values("def make():\n    return {1, 2}\n", output="reference")
    await runner.stop()
    again = await start(pool_floor=0)

    assert [] == await again.client.sandboxes()
    assert [{"value": 2}] == await again.client.values("def use(s: set) -> int:\n    return len(s)\n", items)


async def test_killed_under_load_answers_nothing_wrong(start: Start) -> None:
    """Each run answers its own input or fails; after the restart all succeed."""
    runner = await start(pool_floor=1)
    code = "def f(n: int) -> int:\n    return n * 7\n"
    answers: dict[int, object] = {}

    async def caller(workflow: int, client: RunnerClient) -> None:
        for number in range(workflow * 1000, workflow * 1000 + 200):
            try:
                status, reply = await client.run(
                    code, [{"n": number}], workflow=f"w{workflow}", execution=f"{number}"
                )
            except (aiohttp.ClientError, ValueError):
                continue
            if status == 200:
                answers[number] = reply["items"][0]["json"]["value"]

    callers = [asyncio.create_task(caller(each, runner.client)) for each in range(3)]
    async with asyncio.timeout(60):
        while len(answers) < 30:
            await asyncio.sleep(0.01)  # it must be in the middle of it
    await runner.kill()
    await asyncio.gather(*callers)
    killed_at = len(answers)
    again = await start(pool_floor=1)
    await asyncio.gather(*(caller(each, again.client) for each in range(3)))

    assert 30 <= killed_at < 600
    assert 600 == len(answers)
    assert all(value == number * 7 for number, value in answers.items())


async def until_leased(client: RunnerClient) -> None:
    async with asyncio.timeout(20):
        while not any(row["leases"] for row in await client.sandboxes()):
            await asyncio.sleep(0.02)  # nothing tells from outside that a run has begun
