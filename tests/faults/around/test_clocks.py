"""The machine's clock jumps, forward and back: nothing lives for ever, nothing ends that should live, nothing is lost."""

import time
from collections.abc import Callable

import pytest

from tests.faults.around.conftest import Start
from tests.faults.around.helpers import all_recorded, works

HOUR, DAY = 3600.0, 86_400.0
COUNT = "import itertools\nn = itertools.count(1)\ndef count() -> int:\n    return next(n)\n"
RANDOM = "import os\ndef draw(n: int) -> str:\n    return os.urandom(8).hex()\n"
JUMPS = pytest.mark.parametrize(
    "by", [HOUR, -HOUR, 400 * DAY, -400 * DAY], ids=lambda by: f"by {by / HOUR:+g} h"
)

Jump = Callable[[float], None]


def now() -> float:
    """As it is moved: parts that took `time.time` when they were defined still have the real one."""
    return time.time()


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Jump:
    """Moves the wall clock of this process, as a wrong time server or a woken laptop does; the monotonic one goes on."""
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])

    def by(seconds: float) -> None:
        ahead[0] += seconds

    return by


@JUMPS
async def test_sessions_and_sandboxes_stay(start: Start, jump: Jump, by: float) -> None:
    """They are counted by the clock that does not jump."""
    runner = await start(session_idle_s=60, pool_idle_s=60)
    assert [{"value": 1}] == await runner.values(COUNT)
    before = [row["id"] for row in await runner.sandboxes()]
    jump(by)

    assert [{"value": 2}] == await runner.values(COUNT)
    assert before == [row["id"] for row in await runner.sandboxes()]
    await works(runner, execution="next")


@JUMPS
async def test_records_of_runs(start: Start, jump: Jump, by: float) -> None:
    """Each run has an id of its own and is found, before the jump and after it; the newest days are not removed."""
    runner = await start()
    runs = [(await works(runner, number))["run"] for number in range(10)]
    jump(by)
    runs += [(await works(runner, number))["run"] for number in range(10)]

    assert 20 == len(set(runs))
    await all_recorded(runner, runs)
    await runner.state.history.tidy()
    after = runs[10:]
    for each in after:
        assert 200 == (await runner.call("GET", f"/v1/runs/{each}"))[0]


async def test_a_cached_result_is_neither_immortal_nor_wrong(start: Start, jump: Jump) -> None:
    """Set back by a day it is not of the future; set forward it is over; then a new one is kept."""
    runner = await start()
    runner.state.cache._now = now
    first = await runner.values(RANDOM, [{"n": 1}], cache_ttl_s=600)
    assert first == await runner.values(RANDOM, [{"n": 1}], cache_ttl_s=600)
    jump(-DAY)
    second = await runner.values(RANDOM, [{"n": 1}], cache_ttl_s=600)
    assert second != first
    assert second == await runner.values(RANDOM, [{"n": 1}], cache_ttl_s=600)
    jump(2 * DAY)
    third = await runner.values(RANDOM, [{"n": 1}], cache_ttl_s=600)

    assert third not in (first, second)
    assert third == await runner.values(RANDOM, [{"n": 1}], cache_ttl_s=600)


async def test_a_token_ends_by_the_clock_and_no_other_does(start: Start, jump: Jump) -> None:
    """Forward: it is over, and those without an end go on. Back: it holds again, as its hour is not over."""
    runner = await start()
    made = {}
    for name, expires in (("hour", "1h"), ("ever", "")):
        body = {"name": name, "scopes": ["read"], "expires": expires}
        status, reply = await runner.call("POST", "/v1/tokens", json=body)
        assert 200 == status, reply
        made[name] = {"Authorization": f"Bearer {reply['token']}"}

    async def asked(name: str) -> int:
        return (await runner.call("GET", "/v1/sandboxes", headers=made[name]))[0]

    assert [200, 200] == [await asked("hour"), await asked("ever")]
    jump(2 * HOUR)
    assert [401, 200] == [await asked("hour"), await asked("ever")]
    jump(-2 * HOUR)
    assert [200, 200] == [await asked("hour"), await asked("ever")]
    jump(-DAY)
    assert [200, 200] == [await asked("hour"), await asked("ever")]
    await works(runner)


@JUMPS
async def test_files_of_a_living_execution(start: Start, jump: Jump, by: float) -> None:
    """A file of before is there, or is told to be gone; one of after is whole."""
    runner = await start()
    runner.state.files._shelf.layout.now = now
    place = {"workflow": "w", "execution": "e"}
    _, before = await runner.call("POST", "/v1/files", params=place, data=b"before")
    jump(by)
    await runner.state.files.sweep()
    _, after = await runner.call("POST", "/v1/files", params=place, data=b"after")
    await runner.state.files.sweep()

    async with runner.http.get(f"{runner.address}/v1/files/{after['file']}?workflow=w") as response:
        assert b"after" == await response.read()
    async with runner.http.get(f"{runner.address}/v1/files/{before['file']}?workflow=w") as response:
        assert (response.status, await response.read() == b"before") in {(200, True), (404, False)}


async def test_audit_and_readiness(start: Start, jump: Jump) -> None:
    """Entries keep their order and their chain, and the runner stays ready."""
    runner = await start()
    for by in (DAY, -2 * DAY, DAY):
        jump(by)
        status, reply = await runner.call("POST", "/v1/tokens", json={"name": "n", "scopes": ["read"]})
        assert 200 == status, reply
    _, page = await runner.call("GET", "/v1/audit", params={"action": "token"})

    assert 3 == len(page["events"])
    sequence = [row["seq"] for row in page["events"]]
    assert sequence == sorted(sequence, reverse=True)
    assert 200 == (await runner.call("GET", "/readyz"))[0]
    await works(runner)
