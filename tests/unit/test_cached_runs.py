"""A node's results that answer the same input again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings
from tests.runner import RunnerClient, running

TICK = "import time\ndef f(n: int = 0) -> float:\n    return time.perf_counter() + n\n"


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(ProcessBackend(Settings().cache_dir), tmp_path, pool_floor=1) as client:
        await client.until_ready()
        yield client


async def test_the_same_input_is_answered_from_the_cache_and_says_so(runner: RunnerClient) -> None:
    """Only while it lasts, only for the same input, and never without being asked for."""
    _, first = await runner.run(TICK, [{"n": 1}], cache_ttl_s=60)
    _, again = await runner.run(TICK, [{"n": 1}], cache_ttl_s=60, execution="other")
    _, other = await runner.run(TICK, [{"n": 2}], cache_ttl_s=60)
    _, uncached = await runner.run(TICK, [{"n": 1}])

    assert first["items"] == again["items"]
    assert first["hints"] == []
    assert again["hints"][0].startswith("From cache")
    assert set(first["timing"]) == set(again["timing"])
    assert first["items"] not in (other["items"], uncached["items"])


async def test_failures_and_references_are_not_kept(runner: RunnerClient) -> None:
    """An object lives in its session, and an error may be gone the next time."""
    fails = "calls = []\ndef f():\n    calls.append(1)\n    raise ValueError(len(calls))\n"
    _, first = await runner.run(fails, cache_ttl_s=60)
    _, second = await runner.run(fails, cache_ttl_s=60)
    _, one = await runner.run("def g():\n    return object()\n", output="reference", cache_ttl_s=60)
    _, two = await runner.run("def g():\n    return object()\n", output="reference", cache_ttl_s=60)

    assert ("ValueError: 1", "ValueError: 2") == (first["detail"], second["detail"])
    assert one["items"] != two["items"]


async def test_only_what_says_so_is_run_again(runner: RunnerClient, tmp_path: Path) -> None:
    """A session that is killed under the code costs the run, unless the code may run twice."""
    mark = tmp_path / "mark"
    code = (
        "import os, signal\n"
        "def f() -> int:\n"
        f"    path = {str(mark)!r}\n"
        "    if os.path.exists(path):\n"
        "        return 7\n"
        "    open(path, 'w').close()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    status, problem = await runner.run(code)
    mark.unlink()
    again, reply = await runner.run(code, idempotent=True)

    assert (502, "session_lost") == (status, problem["code"])
    assert (200, 7) == (again, reply["items"][0]["json"]["value"])
