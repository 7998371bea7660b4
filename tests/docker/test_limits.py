"""The limits of a node: each holds, says what it was, and leaves the workflow able to run again."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import docker
import pytest

from qflow_runner.sandbox.containers import container_name
from qflow_runner.sandbox.docker import DockerBackend
from tests.runner import RunnerClient, running

GOOD = "def good(item: dict) -> dict:\n    return {'ok': True}\n"

HOG = """
import os
def hog(item: dict) -> dict:
    kept = []
    for _ in range(item.get("mb", 4000)):
        kept.append(bytearray(os.urandom(1024)) * 1024)
    return {"mb": len(kept)}
"""


@pytest.fixture(autouse=True)
async def next_run_works(runner: RunnerClient) -> AsyncIterator[None]:
    """After every case, the same workflow and execution run good code."""
    yield
    assert [{"ok": True}] == await runner.values(GOOD)


async def in_process(runner: RunnerClient, code: str, **options: Any) -> Any:
    """What a run that must succeed answers, whole."""
    status, reply = await runner.run(code, **options)
    assert status == 200, reply
    return reply


async def test_memory_of_a_node_is_less_than_its_sandbox_has(runner: RunnerClient) -> None:
    """The session is ended at the node's limit, the sentence has it, and the sandbox lives on with its other sessions."""
    keeper = "held = []\ndef keep(item: dict) -> dict:\n    held.append(1)\n    return {'n': len(held)}\n"
    await runner.values(keeper, execution="other")
    sandboxes = {row["id"] for row in await runner.sandboxes() if row["workflow"] == "w"}

    status, reply = await runner.run(HOG, memory_mb=128)

    assert (507, "memory", "out_of_memory") == (status, reply["category"], reply["code"]), reply
    assert "its limit of 128 MB" in reply["detail"]
    assert reply["limit_mb"] == 128
    assert 128 <= reply["peak_mb"] < 400
    assert "Memory in the node's options" in reply["hint"]
    assert [{"n": 2}] == await runner.values(keeper, execution="other")
    assert sandboxes == {row["id"] for row in await runner.sandboxes() if row["workflow"] == "w"}


async def test_memory_that_grows_slowly_counts_what_the_session_held_before(runner: RunnerClient) -> None:
    """What earlier nodes of the execution left in the session is part of its memory."""
    holder = "import os\nkept = []\ndef hold(item: dict) -> dict:\n    kept.append(os.urandom(1024) * 120_000)\n    return {}\n"
    await runner.values(holder, execution="slow")
    slow = "import time\ndef wait(item: dict) -> dict:\n    time.sleep(3)\n    return {}\n"

    status, reply = await runner.run(slow, execution="slow", memory_mb=100)

    assert (507, "out_of_memory") == (status, reply["code"]), reply


async def test_a_node_that_fits_is_let_be(runner: RunnerClient) -> None:
    """Below its limits a run is what it would be without."""
    reply = await in_process(
        runner, HOG, items=[{"mb": 60}], memory_mb=256, cpus=0.5, processes=32, file_mb=4
    )

    assert [{"mb": 60}] == [item["json"] for item in reply["items"]]
    assert 60 < reply["resources"]["peak_mb"] < 256


async def test_a_node_that_asks_for_more_gets_a_larger_sandbox(runner: RunnerClient) -> None:
    """The container is raised while it runs; nothing is started anew."""
    status, reply = await runner.run(HOG, items=[{"mb": 100}], workflow="large", execution="e1")
    (before,) = [row for row in await runner.sandboxes() if row["workflow"] == "large"]
    reply = await in_process(
        runner, HOG, items=[{"mb": 700}], workflow="large", execution="e1", memory_mb=1024, cpus=2
    )
    (after,) = [row for row in await runner.sandboxes() if row["workflow"] == "large"]

    assert status == 200
    assert [{"mb": 700}] == [item["json"] for item in reply["items"]]
    assert reply["resources"]["peak_mb"] > 700
    assert (512, 1024) == (before["memory_limit_mb"], after["memory_limit_mb"])
    assert after["id"] == before["id"]
    assert after["cpus"] == 2
    inspected = docker.from_env().api.inspect_container(container_name(after["id"]))["HostConfig"]
    assert (1024 << 20, 1024 << 20) == (inspected["Memory"], inspected["MemorySwap"])


async def test_a_sandbox_that_ran_out_of_memory_is_raised(runner: RunnerClient) -> None:
    """One step for each time, up to the instance's most; the hint says so, and the code is not run again by itself."""
    code = HOG.replace("kept = []", "open('/dev/shm/began', 'a').write('x')\n    kept = []")
    status, reply = await runner.run(code, items=[{"mb": 700}], workflow="grows", execution="e1")

    assert (507, "out_of_memory", 512) == (status, reply["code"], reply["limit_mb"]), reply
    assert "1024 MB from now on" in reply["hint"]
    began = "def began(item: dict) -> dict:\n    return {'times': len(open('/dev/shm/began').read())}\n"
    assert [{"times": 1}] == await runner.values(began, workflow="grows", execution="e2")
    assert [{"mb": 700}] == await runner.values(code, [{"mb": 700}], workflow="grows", execution="e3")


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"memory_mb": 4096}, "QFLOW_MEMORY_MAX_MB"),
        ({"cpus": 3}, "QFLOW_CPUS_MAX"),
        ({"processes": 1000}, "QFLOW_PROCESSES"),
        ({"file_mb": 65}, "QFLOW_TMP_MB"),
        ({"output_mb": 300}, "QFLOW_MAX_BODY_MB"),
    ],
)
async def test_more_than_the_instance_gives_is_refused(
    runner: RunnerClient, options: dict[str, Any], setting: str
) -> None:
    """Before anything runs, with the setting to raise."""
    status, reply = await runner.call("PUT", "/v1/definitions", json={"code": GOOD, **options})

    assert (422, "policy", "limit_refused") == (status, reply["category"], reply["code"]), reply
    assert setting in reply["hint"]


async def test_cpu_of_a_node_is_less_than_its_sandbox_has(runner: RunnerClient) -> None:
    """A quarter of a CPU gives a quarter of a second's work per second, also to processes that it starts."""
    code = """
import os, time
def work(item: dict) -> dict:
    for _ in range(3):
        if os.fork() == 0:
            while True:
                pass
    until = time.monotonic() + 2
    while time.monotonic() < until:
        pass
    return {}
"""
    reply = await in_process(runner, code, execution="cpu", cpus=0.25)

    assert 300 < reply["resources"]["cpu_ms"] < 900, reply["resources"]
    assert reply["resources"]["processes"] >= 2


async def test_numeric_libraries_are_told_of_the_limit(runner: RunnerClient) -> None:
    """With CPUs of its own a node has as many threads; the next node of the session has the sandbox's number again."""
    code = "import os\ndef threads(item: dict) -> dict:\n    return {'n': os.environ['OMP_NUM_THREADS']}\n"

    assert [{"n": "2"}] == await runner.values(code, workflow="threads", cpus=2)
    assert [{"n": "1"}] == await runner.values(code, workflow="threads")


async def test_processes_of_a_node(runner: RunnerClient) -> None:
    """A process more than the limit is refused by the kernel, and the problem says what to do."""
    code = """
import os, time
def bomb(item: dict) -> dict:
    for n in range(100):
        if os.fork() == 0:
            time.sleep(20)
    return {}
"""
    status, reply = await runner.run(code, execution="procs", processes=16)

    assert (422, "policy") == (status, reply["category"]), reply
    assert reply["code"] == "process_limit"
    assert "processes" in reply["hint"]


async def test_thread_bomb(runner: RunnerClient) -> None:
    """A thread that cannot be started is told as a limit."""
    code = """
import threading, time
def bomb(item: dict) -> dict:
    for n in range(1000):
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    return {}
"""
    status, reply = await runner.run(code, execution="threads", timeout_s=10)

    assert (422, "policy", "process_limit") == (status, reply["category"], reply["code"]), reply


async def test_fork_bomb_with_limits(runner: RunnerClient) -> None:
    """Stopped in time, with a category, and nothing of it is left for the next run."""
    code = "import os\ndef bomb(item: dict) -> dict:\n    while True:\n        os.fork()\n"
    began = time.monotonic()
    status, reply = await runner.run(code, execution="bomb", timeout_s=3, processes=64)

    assert status in {422, 504, 502, 507}, reply
    assert reply["category"] in {"policy", "timeout", "sandbox", "memory"}
    assert time.monotonic() - began < 9


async def test_open_files_run_out(runner: RunnerClient) -> None:
    """Too many open files is a limit, with advice."""
    code = "def fill(item: dict) -> dict:\n    kept = []\n    while True:\n        kept.append(open('/dev/null'))\n"
    status, reply = await runner.run(code, execution="files")

    assert (422, "policy", "limit_reached") == (status, reply["category"], reply["code"]), reply
    assert "with" in reply["hint"]


def _may_limit_others() -> bool:
    """Whether this process has CAP_SYS_RESOURCE; without, code sets the limit for itself, and can lift it."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")
    ]
    return bool(int(line.split()[1], 16) >> 24 & 1)


async def test_largest_file(runner: RunnerClient) -> None:
    """A file over the limit fails where it is written, and the next node has no limit."""
    write = """
import resource
def write(item: dict) -> dict:
    if item.get("lift"):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (ValueError, OSError):
            pass
    with open("big", "wb") as file:
        for _ in range(8):
            file.write(bytes(1 << 20))
    return {"ok": True}
"""
    for item in [{}] + [{"lift": True}] * _may_limit_others():
        status, reply = await runner.run(write, [item], execution="write", file_mb=4)
        assert (422, "policy", "limit_reached") == (status, reply["category"], reply["code"]), reply
        assert "file's size" in reply["hint"]
    assert [{"ok": True}] == await runner.values(write, execution="write")


async def test_disk_fill(runner: RunnerClient) -> None:
    """The sandbox's /tmp is small: full is a limit, and the session's end empties it."""
    code = """
def fill(item: dict) -> dict:
    with open("/tmp/fill", "wb", 0) as file:
        while True:
            file.write(bytes(1 << 20))
"""
    status, reply = await runner.run(code, workflow="fill", execution="fill")

    assert (422, "policy", "limit_reached") == (status, reply["category"], reply["code"]), reply
    assert "QFLOW_TMP_MB" in reply["hint"]
    assert [{"ok": True}] == await runner.values(GOOD, workflow="fill", execution="fill")


async def test_result_over_its_limit(runner: RunnerClient) -> None:
    """The result's limit is the node's."""
    code = "def much(item: dict) -> dict:\n    return {'text': 'x' * 3_000_000}\n"
    status, reply = await runner.run(code, execution="much", output_mb=2)

    assert (422, "policy", "result_too_large") == (status, reply["category"], reply["code"]), reply
    assert "2 MB" in reply["detail"]
    assert len(await runner.values(code, execution="much", output_mb=4)) == 1


async def test_output_flood(runner: RunnerClient) -> None:
    """Output past the limit is dropped and counted, and fails nothing."""
    code = "def talk(item: dict) -> dict:\n    for _ in range(10_000):\n        print('x' * 100)\n    return {}\n"
    reply = await in_process(runner, code, execution="talk", log_kb=5)

    assert sum(len(line["text"]) for line in reply["logs"]) == 5_000
    assert any("more than the 5000 that are kept" in hint for hint in reply["hints"])


async def test_resources_of_short_and_long_runs(runner: RunnerClient) -> None:
    """Each run says what it used."""
    short = (await in_process(runner, GOOD, execution="short"))["resources"]
    code = """
import time
def work(item: dict) -> dict:
    text = "x" * 1_000_000
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        with open("file", "w") as file:
            file.write(text)
    kept = bytearray(b"1") * 90_000_000
    time.sleep(0.3)
    return {"n": len(kept)}
"""
    long = (await in_process(runner, code, execution="long"))["resources"]

    assert 0 < short["cpu_ms"] < 100
    assert 8 < short["peak_mb"] < 60
    assert 150 < long["cpu_ms"] < 2_500
    assert 95 < long["peak_mb"] < 200
    assert long["written_mb"] > 5


async def test_peak_is_of_the_run(runner: RunnerClient) -> None:
    """A session's earlier peak does not count for a later run that lasts."""
    await runner.values(HOG, [{"mb": 150}], execution="peaks")
    slow = "import time\ndef wait(item: dict) -> dict:\n    time.sleep(0.9)\n    return {}\n"

    assert (await in_process(runner, slow, execution="peaks"))["resources"]["peak_mb"] < 100


async def test_readings_while_it_runs(runner: RunnerClient) -> None:
    """Whoever watches the execution sees them come."""
    slow = "import time\ndef wait(item: dict) -> dict:\n    time.sleep(1.5)\n    return {}\n"
    seen: list[dict[str, Any]] = []

    async def watch() -> None:
        async with runner.http.get(f"{runner.address}/v1/executions/seen/events") as events:
            kind = ""
            async for line in events.content:
                if line.startswith(b"event: "):
                    kind = line[7:].decode().strip()
                elif line.startswith(b"data: ") and kind == "reading":
                    seen.append(json.loads(line[6:]))
                elif line.startswith(b"data: ") and kind == "ended":
                    return

    watching = asyncio.ensure_future(watch())
    await asyncio.sleep(0.2)
    await runner.values(slow, execution="seen")
    await asyncio.wait_for(watching, 5)

    assert 3 <= len(seen) <= 12
    assert seen[-1]["memory_mb"] > 5
    assert seen[-1]["node"] == "Test node"


async def test_sandboxes_say_what_they_use(runner: RunnerClient) -> None:
    """Each row has memory, CPU time and processes."""
    await runner.values(GOOD)
    (row,) = [row for row in await runner.sandboxes() if row["workflow"] == "w"]

    assert 5 < row["memory_mb"] < row["memory_limit_mb"]
    assert row["cpu_s"] > 0
    assert row["processes"] >= 2


def groups_in(place: Path) -> list[Path]:
    return list(place.glob("session-*"))


async def test_a_group_goes_with_its_session(runner: RunnerClient) -> None:
    """No group is left behind by sessions that ended."""
    await runner.values(GOOD, workflow="groups", execution="g1", memory_mb=100)
    (row,) = [row for row in await runner.sandboxes() if row["workflow"] == "groups"]
    guest = runner.state.keeper.guests[row["id"]]
    groups = runner.state.limiter._confining.groups_of(guest)
    if groups is None:
        pytest.skip("the runner may not make groups here")
    place = groups._places["memory"]
    assert len(groups_in(place)) == 1
    await runner.call("DELETE", "/v1/executions/g1/session")
    async with asyncio.timeout(3):
        while groups_in(place):
            await asyncio.sleep(0.02)


async def test_docker_away_refuses_only_what_needs_it() -> None:
    """A node that asks for more than there is needs Docker; all others run on."""
    with tempfile.TemporaryDirectory() as directory:
        backend = DockerBackend("limit-tests")
        async with running(backend, Path(directory), pool_floor=1) as client:
            assert [{"ok": True}] == await client.values(GOOD)
            client_of = backend._client
            backend._client = docker.DockerClient(base_url="unix:///nowhere.sock", version="1.41")
            try:
                status, reply = await client.run(GOOD, memory_mb=1024)
                assert (503, "unavailable") == (status, reply["category"]), reply
                assert [{"ok": True}] == await client.values(GOOD, memory_mb=128)
            finally:
                backend._client.close()
                backend._client = client_of
