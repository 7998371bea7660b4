"""kill -9 of each part under a run, in each phase of it: the caller learns what was lost, and the next run works."""

import asyncio
import io
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.faults.parts.engine import Engine
from tests.faults.parts.places import Place, find, kill
from tests.runner import RunnerClient

SMALL = ["small"]
VICTIMS: dict[str, Callable[[Engine, Place], None]] = {
    "session": lambda _, place: kill(place.session),
    "environment": lambda _, place: kill(place.environment),
    "zygote": lambda _, place: kill(place.zygote),
    "container": lambda engine, place: docker_kill(engine, place.container),
    "shim": lambda _, place: kill(place.shim),
}
LOST_S = 8.0
"""How long a caller may wait for the news. Docker takes a second or two to see that a shim is gone."""

GOOD = "def good(n: int) -> int:\n    return n + 1\n"
SLOW = (
    "import time, pathlib\n"
    "def slow() -> str:\n"
    "    pathlib.Path('began').write_text('x')\n"
    "    time.sleep(25)\n"
    "    return 'done'\n"
)
LARGE = "def large() -> list[dict]:\n    return [{'text': 'x' * 1_000_000} for _ in range(60)]\n"
MAKE = (
    "import threading\n"
    "class Live:\n"
    "    def __init__(self):\n"
    "        self.n, self.lock = 7, threading.Lock()\n"
    "def make():\n"
    "    return Live()\n"
)
USE = "def use(live) -> int:\n    return live.n\n"
COUNT = itertools.count(1)

Kill = Callable[[], Awaitable[None]]


def docker_kill(engine: Engine, container: str) -> None:
    client = engine.client()
    try:
        client.api.kill(container)
    finally:
        client.close()


async def idle(runner: RunnerClient, place: dict[str, str], killed: Kill) -> None:
    """Nothing is lost with a session that keeps nothing: a run that never started is begun once more."""
    await killed()
    status, reply = await runner.run(GOOD, [{"n": 1}], requirements=SMALL, **place)
    assert (200 == status and 2 == reply["items"][0]["json"]["value"]) or "sandbox" == reply["category"], (
        reply
    )


async def arriving(runner: RunnerClient, place: dict[str, str], killed: Kill) -> None:
    """The items are on their way, and half of them are in the session."""
    definition = await runner.define(GOOD, requirements=SMALL)
    body = json.dumps({"items": [{"json": {"n": n, "pad": "x" * 1000}} for n in range(20_000)]}).encode()
    half = asyncio.Event()

    async def parts() -> Any:
        yield body[: len(body) // 2]
        await half.wait()
        yield body[len(body) // 2 :]

    sending = asyncio.create_task(
        runner.call(
            "POST", f"/v1/definitions/{definition}/runs", params=place, data=parts(),
            headers={"Content-Type": "application/json", "Content-Length": str(len(body))},
        )
    )  # fmt: skip
    await leased(runner, place["workflow"])
    await asyncio.sleep(0.1)  # the first half goes through sockets of the kernel, which tell nobody
    await killed()
    half.set()
    status, reply = await sending
    assert (502, "sandbox") == (status, reply["category"]), reply


async def running(runner: RunnerClient, place: dict[str, str], killed: Kill) -> None:
    """The code runs, and may have done anything: it is not run again."""
    slow = asyncio.create_task(runner.run(SLOW, requirements=SMALL, **place))
    await leased(runner, place["workflow"])
    await asyncio.sleep(0.3)  # into the code
    await killed()
    status, reply = await slow
    assert (502, "sandbox") == (status, reply["category"]), reply
    assert reply["code"] in {"session_lost", "sandbox_lost"}


async def streaming(runner: RunnerClient, place: dict[str, str], killed: Kill) -> None:
    """The reply was begun, so its early end is all that can be said."""
    definition = await runner.define(LARGE, requirements=SMALL)
    path = f"{runner.address}/v1/definitions/{definition}/runs"
    body = io.BytesIO(b'{"items": [{"json": {}}]}')
    async with runner.http.post(
        path, params=place, data=body, headers={"Content-Type": "application/json"}
    ) as response:
        assert 200 == response.status
        first = await response.content.read(1000)
        await killed()
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()
        assert first.startswith(b'{"items":[')


async def between(runner: RunnerClient, place: dict[str, str], killed: Kill) -> None:
    """An object that could not leave its session is gone with it, and the answer says so.

    A session outlives what forked or kept it for a moment, and may still answer: then with the object itself.
    """
    items = await runner.values(MAKE, output="reference", requirements=SMALL, **place)
    await killed()
    async with asyncio.timeout(LOST_S):
        status, reply = await runner.run(USE, items, requirements=SMALL, **place)
        while status in {200, 502}:
            if status == 200:
                assert [{"value": 7}] == [item["json"] for item in reply["items"]]
            else:  # it was met dying
                assert "sandbox" == reply["category"], reply
            status, reply = await runner.run(USE, items, requirements=SMALL, **place)
    assert (422, "unavailable", "reference_gone") == (status, reply["category"], reply["code"]), reply


PHASES = {
    "before its next run": idle,
    "while items arrive": arriving,
    "while code runs": running,
    "while the result streams": streaming,
    "with a live object between runs": between,
}


@pytest.mark.parametrize(
    ("victim", "phase"),
    list(itertools.product(VICTIMS, PHASES)),
    ids=lambda each: f"{each} killed" if each in VICTIMS else each,
)
async def test_killed(runner: RunnerClient, engine: Engine, victim: str, phase: str) -> None:
    number = next(COUNT)
    names = {"workflow": f"killed {number}", "execution": f"e{number}"}
    place = await find(runner, engine, SMALL, **names)
    other = {**names, "execution": f"other {number}"}
    await runner.values(GOOD, [{"n": 1}], requirements=SMALL, **other)
    at: list[float] = []

    async def killed() -> None:
        at.append(time.monotonic())
        await asyncio.to_thread(VICTIMS[victim], engine, place)

    await PHASES[phase](runner, names, killed)
    assert time.monotonic() - at[0] < LOST_S

    assert [{"value": 6}] == await runner.values(GOOD, [{"n": 5}], requirements=SMALL, **names)
    assert [{"value": 7}] == await runner.values(GOOD, [{"n": 6}], requirements=SMALL, **other)


async def leased(runner: RunnerClient, workflow: str) -> None:
    async with asyncio.timeout(10):
        while not any(row["leases"] and row["workflow"] == workflow for row in await runner.sandboxes()):
            await asyncio.sleep(0.02)  # nothing tells from outside that a run has begun
