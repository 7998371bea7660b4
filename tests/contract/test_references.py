"""Live objects from node to node through a real agent: in one session, to another, through the store, and gone."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.sandbox.backend import Backend
from qflow_runner.sandbox.docker import DockerBackend
from tests.contract.conftest import MakeBackend
from tests.runner import RunnerClient, running

MAKE = """
class Model:
    def __init__(self, weights):
        self.weights = weights

def fit(n: int = 3):
    return Model(list(range(n)))
"""
USE = "def use(model) -> int:\n    return sum(model.weights)\n"
LOCK = "import threading\ndef f():\n    return threading.Lock()\n"


@pytest.fixture
async def runner(backend: Backend, tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(backend, tmp_path, pool_floor=1, cpus=1.0) as client:
        await client.until_ready()
        yield client


async def reference(runner: RunnerClient, code: str = MAKE, **options: Any) -> dict[str, Any]:
    (json,) = await runner.values(code, output="reference", node="Fit", **options)
    assert {"$qflow"} == set(json)
    return json


async def test_an_object_stays_in_its_session(runner: RunnerClient) -> None:
    """The next node of the execution gets the object itself, without being told."""
    json = await reference(runner)

    assert "Model" in json["$qflow"]["type"]
    assert [{"value": 3}] == await runner.values(USE, [json])


async def test_an_object_reaches_another_execution_of_its_workflow(runner: RunnerClient) -> None:
    """Every "Execute step" in the editor is an execution of its own, fed with the items of an earlier one."""
    json = await reference(runner, execution="1")

    assert [{"value": 3}] == await runner.values(USE, [json], execution="2")
    assert [{"value": 3}] == await runner.values(USE, [json], execution="2")
    assert [{"value": 3}] == await runner.values(USE, [json], execution="1")


async def test_an_object_of_another_workflow_is_not_found(runner: RunnerClient) -> None:
    """A reference is worth nothing outside its workflow, and the sentence does not tell whether it exists."""
    json = await reference(runner, workflow="mine")
    status, problem = await runner.run(USE, [json], workflow="yours")

    assert (422, "reference_gone") == (status, problem["code"])
    forged = {"$qflow": {**json["$qflow"], "ref": "A" * 24}}
    assert (
        problem["detail"].replace(json["$qflow"]["ref"][:6], "AAAAAA")
        == (await runner.run(USE, [forged], workflow="yours"))[1]["detail"]
    )


async def test_an_object_that_cannot_leave_its_session_says_so(runner: RunnerClient) -> None:
    """A lock is fine where it was made, and refused with a sentence anywhere else."""
    json = await reference(runner, LOCK, execution="1")
    use = "def use(lock) -> bool:\n    return lock.acquire(timeout=1)\n"
    assert [{"value": True}] == await runner.values(use, [json], execution="1")

    status, problem = await runner.run(use, [json], execution="2")

    assert (422, "reference_gone") == (status, problem["code"])
    assert "lock" in problem["detail"]


async def test_an_objects_execution_that_is_over_takes_it_along(runner: RunnerClient) -> None:
    """The sentence says that it was over, and when."""
    json = await reference(runner, execution="1")
    await runner.values(USE, [json], execution="2")
    await runner.call("DELETE", "/v1/executions/1/session")

    status, problem = await runner.run(USE, [json], execution="3")

    assert (422, "reference_gone") == (status, problem["code"])
    assert "execution was over at" in problem["detail"]


async def test_what_an_execution_left_in_the_store_goes_when_it_is_over(
    backend: Backend, tmp_path: Path
) -> None:
    """Its session had ended long before, as that of a workflow which waits."""
    async with running(backend, tmp_path, pool_floor=0, session_idle_s=0.1) as runner:
        json = await reference(runner, execution="1")
        async with asyncio.timeout(20):
            while (await runner.sandboxes())[0]["sessions"]:
                await asyncio.sleep(0.02)  # its end has no event outside the process
        await runner.call("DELETE", "/v1/executions/1/session")
        status, problem = await runner.run(USE, [json], execution="2")

    assert (422, "reference_gone") == (status, problem["code"])
    assert "its execution was over at" in problem["detail"]


async def test_a_killed_session_takes_its_objects_along(runner: RunnerClient) -> None:
    """The next node hears when the session ended."""
    json = await reference(runner)
    await runner.run("import os\ndef f():\n    os._exit(3)\n")

    status, problem = await runner.run(USE, [json])

    assert (422, "reference_gone") == (status, problem["code"])
    assert "session" in problem["detail"]


async def test_an_idle_session_spills_and_a_restarted_runner_loads(
    make_backend: MakeBackend, tmp_path: Path
) -> None:
    """What a workflow that waits for days kept is found again, also by a runner that was stopped meanwhile."""
    async with running(make_backend(), tmp_path, pool_floor=0, session_idle_s=0.1) as runner:
        idle = await reference(runner, execution="1")
        async with asyncio.timeout(10):
            while (await runner.sandboxes())[0]["sessions"]:
                await asyncio.sleep(0.02)  # its end has no event outside the process
        assert [{"value": 3}] == await runner.values(USE, [idle], execution="1")
    async with running(make_backend(), tmp_path, pool_floor=0) as runner:
        assert [{"value": 3}] == await runner.values(USE, [idle], execution="1")
        kept = await reference(runner, execution="2")
    async with running(make_backend(), tmp_path, pool_floor=0) as runner:
        assert [{"value": 3}] == await runner.values(USE, [kept], execution="2")


async def test_a_large_object_moves(runner: RunnerClient) -> None:
    """More than a message, in parts."""
    make = "def f():\n    class Box:\n        data = None\n    box = Box()\n    box.data = bytes(9_000_001)\n    return box\n"
    json = await reference(runner, make, execution="1")

    size = await runner.values("def n(box) -> int:\n    return len(box.data)\n", [json], execution="2")

    assert [{"value": 9_000_001}] == size


async def test_a_file_comes_in_and_goes_out(runner: RunnerClient) -> None:
    """Uploaded once, read in place by the code, and what the code returns is there to be fetched."""
    content = bytes(range(256)) * 4096
    query = {"workflow": "w", "execution": "e", "name": "a.bin"}
    status, uploaded = await runner.call("POST", "/v1/files", params=query, data=content)
    assert (200, len(content)) == (status, uploaded["size"])
    binary = {"data": {"file": uploaded["file"], "fileName": "a.bin", "mimeType": "application/octet-stream"}}
    definition = await runner.define(
        "from pathlib import Path\ndef twice(data: Path) -> bytes:\n    return data.read_bytes() * 2\n"
    )

    status, reply = await runner.call(
        "POST",
        f"/v1/definitions/{definition}/runs",
        params={"workflow": "w", "execution": "e"},
        json={"items": [{"json": {}, "binary": binary}]},
    )

    assert status == 200, reply
    (made,) = reply["items"][0]["binary"].values()
    async with runner.http.get(
        f"{runner.address}/v1/files/{made['file']}", params={"workflow": "w"}
    ) as response:
        assert content * 2 == await response.read()


async def test_code_imports_qflow(runner: RunnerClient) -> None:
    """The module of files and context is in every sandbox, with all of its parts."""
    code = (
        "from qflow import Context, File, Image, Secret\n"
        "def f(ctx: Context) -> File:\n"
        "    ctx.logger.info('hello')\n"
        "    return File.from_path(File.from_text('a;b', 't.csv').path)\n"
    )

    _, reply = await runner.run(code)

    assert [{"stream": "stderr", "text": "INFO: hello\n"}] == reply["logs"]
    (binary,) = reply["items"][0]["binary"].values()
    assert ("text/csv", "YTti") == (binary["mimeType"], binary["data"])


async def test_many_items_pass_through(runner: RunnerClient) -> None:
    """A body and a result that the runner does not hold whole."""
    items = [{"n": number, "text": "x" * 40} for number in range(50_000)]
    code = "def f(item: dict) -> dict:\n    return {'m': item['n'] + 1, 'text': item['text']}\n"

    made = await runner.values(code, items)

    assert [{"m": item["n"] + 1, "text": item["text"]} for item in items] == made
    assert [{"value": 1}] == await runner.values("def g() -> int:\n    return 1\n")


async def test_a_reference_for_other_workflows(runner: RunnerClient) -> None:
    """A sub-workflow is another workflow: what is meant for it is said so where it is made."""
    json = await reference(runner, workflow="parent", reference_scope="runner")

    assert [{"value": 3}] == await runner.values(USE, [json], workflow="child")
    assert [{"value": 3}] == await runner.values(USE, [json], workflow="parent")


async def test_secrets_reach_the_code_and_show_themselves_nowhere(runner: RunnerClient) -> None:
    """They come with the run, and printing one prints stars."""
    code = (
        "from qflow import Context, Secret\n"
        "def f(key: Secret, ctx: Context) -> str:\n"
        "    print(key, ctx.secrets)\n"
        "    return key.reveal()[::-1]\n"
    )
    definition = await runner.define(code)
    status, reply = await runner.call(
        "POST",
        f"/v1/definitions/{definition}/runs",
        params={"workflow": "w", "execution": "e"},
        json={"items": [{"json": {}}], "secrets": {"key": "hush"}},
    )

    assert (200, "hsuh") == (status, reply["items"][0]["json"]["value"])
    assert "hush" not in str(reply["logs"])


async def test_progress_is_seen_by_who_watches(runner: RunnerClient) -> None:
    """As server-sent events, while the run lasts."""
    code = "from qflow import Context\ndef f(ctx: Context) -> int:\n    ctx.progress(0.5, 'half')\n    return 1\n"
    async with runner.http.get(f"{runner.address}/v1/executions/e/events") as events:
        await runner.values(code)
        told = b""
        async with asyncio.timeout(10):
            while b"event: ended" not in told:
                told += await events.content.readany()

    assert [b"started", b"progress", b"ended"] == [
        line.removeprefix(b"event: ") for line in told.splitlines() if line.startswith(b"event")
    ]
    assert b'"fraction": 0.5, "text": "half"' in told


async def printed_meanwhile(runner: RunnerClient, code: str, **options: Any) -> tuple[list[Any], Any]:
    """What an execution's events told of its output, before its run ended; and the run's answer."""
    async with runner.http.get(f"{runner.address}/v1/executions/e/events") as events:
        _, reply = await runner.run(code, **options)
        told = b""
        async with asyncio.timeout(10):
            while b"event: ended" not in told:
                told += await events.content.readany()
    parts = [part.decode().splitlines() for part in told.split(b"\n\n") if part.startswith(b"event: printed")]
    return [json.loads(data.removeprefix("data: ")) for _, data in parts], reply


async def test_what_is_printed_is_seen_while_the_run_lasts(runner: RunnerClient) -> None:
    """In order, by stream, without secrets; the answer has all of it again."""
    code = """
import sys, time
from qflow import Secret

def f(key: Secret) -> int:
    for n in range(8):
        print("line", n, key.reveal())
        print("error", n, file=sys.stderr)
        time.sleep(0.1)
    return 1
"""
    shown, reply = await printed_meanwhile(runner, code, secrets={"key": "hush-hush"})
    by_stream = {
        stream: "".join(each["text"] for each in shown if each["stream"] == stream)
        for stream in ("stdout", "stderr")
    }
    whole = {
        stream: "".join(each["text"] for each in reply["logs"] if each["stream"] == stream)
        for stream in ("stdout", "stderr")
    }

    assert len(shown) >= 4
    assert by_stream["stdout"].startswith("line 0 ***\nline 1 ***\n")
    assert by_stream["stderr"].startswith("error 0\n")
    assert all(whole[stream].startswith(text) for stream, text in by_stream.items())
    assert whole["stdout"].endswith("line 7 ***\n")
    assert "hush" not in json.dumps([shown, reply])


async def test_a_flood_is_shown_in_part(runner: RunnerClient) -> None:
    """Whoever watches is told a few times a second, and never much at once; the next run is none the worse."""
    code = """
import time

def f(n: int) -> int:
    until = time.monotonic() + 1
    while time.monotonic() < until:
        print("x" * 1_000)
    return n
"""
    shown, reply = await printed_meanwhile(runner, code, items=[{"n": 3}])

    assert 1 <= len(shown) <= 10
    assert all(0 < len(each["text"]) <= 8_000 for each in shown)
    assert [{"value": 3}] == [item["json"] for item in reply["items"]]
    assert [3] == [
        each["value"] for each in await runner.values("def g(n: int) -> int:\n    return n\n", [{"n": 3}])
    ]


async def test_a_run_that_is_soon_over_shows_nothing_meanwhile(runner: RunnerClient) -> None:
    """It costs nothing, and its output is in the answer."""
    shown, reply = await printed_meanwhile(runner, "def f() -> int:\n    print('hello')\n    return 1\n")

    assert [] == shown
    assert [{"stream": "stdout", "text": "hello\n"}] == reply["logs"]


async def test_fields_beside_a_reference(runner: RunnerClient) -> None:
    """What n8n's Edit Fields makes of an item that it adds a field to: still the object, and a field."""
    json = {**await reference(runner), "factor": 2}
    use = "def use(model, factor: int) -> int:\n    return sum(model.weights) * factor\n"
    turned = "def use(factor: int, model) -> int:\n    return sum(model.weights) * factor\n"

    assert [{"value": 6}] == await runner.values(use, [json])
    assert [{"value": 6}] == await runner.values(turned, [json])
    assert [{"value": 6}] == await runner.values(use, [json], execution="another")
    fake = {"$qflow": {"ref": "short", "type": "Model"}, "factor": 2}
    assert [fake] == await runner.values("def same(item: dict) -> dict:\n    return item\n", [fake])


APPEND = "def add(model) -> int:\n    model.weights.append(10)\n    return sum(model.weights)\n"


async def test_a_shared_object_is_changed_for_the_nodes_that_follow(runner: RunnerClient) -> None:
    """As a copy, which is the rule, no other node sees the change."""
    json = await reference(runner)

    assert [{"value": 13}] == await runner.values(APPEND, [json])
    assert [{"value": 3}] == await runner.values(USE, [json])
    assert [{"value": 13}] == await runner.values(APPEND, [json], sharing="shared")
    assert [{"value": 13}] == await runner.values(USE, [json])
    assert [{"value": 23}] == await runner.values(APPEND, [json], sharing="shared")
    assert [{"value": 23}] == await runner.values(USE, [json])


async def test_a_shared_object_of_another_session_is_a_copy_there(runner: RunnerClient) -> None:
    """A hint says so. Whoever asks later gets it as it is where it was made, not as it was when it was first asked for."""
    json = await reference(runner, execution="1")

    status, reply = await runner.run(APPEND, [json], execution="2", sharing="shared")
    assert (200, 13) == (status, reply["items"][0]["json"]["value"]), reply
    assert any("came here as copies" in hint for hint in reply["hints"])
    assert [{"value": 13}] == await runner.values(USE, [json], execution="2")
    assert [{"value": 3}] == await runner.values(USE, [json], execution="1")
    failing = APPEND.replace("return sum(model.weights)", "raise ValueError")
    status, _ = await runner.run(failing, [json], execution="1", sharing="shared")
    assert status == 422
    assert [{"value": 13}] == await runner.values(USE, [json], execution="3")


async def test_what_was_changed_outlives_the_session(backend: Backend, tmp_path: Path) -> None:
    """A workflow that waits, changes a shared object, and waits again."""
    async with running(backend, tmp_path, pool_floor=0, session_idle_s=0.1) as runner:
        json = await reference(runner)
        for expected in (13, 23):
            async with asyncio.timeout(20):
                while (await runner.sandboxes())[0]["sessions"]:
                    await asyncio.sleep(0.02)  # its end has no event outside the process
            assert [{"value": expected}] == await runner.values(APPEND, [json], sharing="shared")


async def test_sharing_is_part_of_a_definition_where_it_is_not_the_default(runner: RunnerClient) -> None:
    """Definitions from before there was this option keep their ids."""
    assert await runner.define(USE) == await runner.define(USE, sharing="copy")
    assert await runner.define(USE) != await runner.define(USE, sharing="shared")
    status, _ = await runner.call("PUT", "/v1/definitions", json={"code": USE, "sharing": "both"})
    assert status == 400


@pytest.mark.docker
async def test_memory_pressure_moves_objects_to_disk(tmp_path: Path) -> None:
    """More than the sandbox can hold at once, in one execution: the older objects are still there when asked for."""
    make = (
        "class Box:\n    def __init__(self, n): self.n, self.data = n, bytearray(b'x') * 40_000_000\n"
        "def f(n: int):\n    return Box(n)\n"
    )
    code = "def g(box) -> int:\n    return box.n + len(box.data)\n"
    async with running(
        DockerBackend("contract-tests"), tmp_path, pool_floor=1, cpus=1.0, memory_mb=256
    ) as runner:
        await runner.until_ready()
        boxes = []
        for number in range(8):
            status, reply = await runner.run(make, [{"n": number}], output="reference")
            assert status == 200, reply
            boxes.append(reply["items"][0]["json"])
        found = [(await runner.values(code, [box]))[0]["value"] for box in (boxes[0], boxes[3], boxes[7])]

    assert [40_000_000, 40_000_003, 40_000_007] == found
