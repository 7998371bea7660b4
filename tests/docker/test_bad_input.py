"""Whatever goes wrong has a category, a sentence to act on and a deadline, and the next run works."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest

from qflow_runner.sandbox.containers import container_name
from tests.runner import RunnerClient

GOOD = "def good(item: dict) -> dict:\n    return {'ok': True}\n"


@pytest.fixture(autouse=True)
async def next_run_works(runner: RunnerClient) -> AsyncIterator[None]:
    """After every case, the same workflow and execution run good code."""
    yield
    assert [{"ok": True}] == await runner.values(GOOD)


async def fails(
    runner: RunnerClient,
    code: str,
    category: str,
    problem: str,
    items: list[Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Run it and hold the answer to its category, its code, and to having sentences."""
    status, reply = await runner.run(code, items, **options)
    assert (category, problem) == (reply.get("category"), reply.get("code")), reply
    assert status >= 400
    assert reply["status"] == status
    assert len(reply["detail"]) > 10
    assert len(reply.get("hint", "") + reply.get("traceback", "")) > 10, reply
    return reply


async def test_unknown_definition(runner: RunnerClient) -> None:
    """A definition that the runner does not know is a 404 of its own code, at which the node sends it."""
    status, reply = await runner.call(
        "POST", f"/v1/definitions/{'0' * 64}/runs?workflow=w&execution=e", json={"items": []}
    )

    assert (404, "definition_unknown") == (status, reply["code"])


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"items": 1}', b'{"items": [1]}', b"\xff\xfe", b'{"args": []}']
)
async def test_bad_body(runner: RunnerClient, body: bytes) -> None:
    """A body that is not JSON of the right shape is refused as such."""
    definition = await runner.define(GOOD)
    status, reply = await runner.call(
        "POST", f"/v1/definitions/{definition}/runs?workflow=w&execution=e", data=body
    )

    assert (422, "type", "body_invalid") == (status, reply["category"], reply["code"]), reply


async def test_missing_query(runner: RunnerClient) -> None:
    """A run names its workflow and execution."""
    definition = await runner.define(GOOD)
    status, reply = await runner.call("POST", f"/v1/definitions/{definition}/runs", json={"items": []})

    assert (400, "request_invalid") == (status, reply["code"])
    assert "workflow" in reply["detail"]


async def test_body_over_the_limit(runner: RunnerClient) -> None:
    """A body over the limit is refused by its size, before it is read."""
    definition = await runner.define(GOOD)
    limit = runner.state.settings.max_body
    headers = {"Content-Length": str(limit + 1), "Authorization": runner.http.headers["Authorization"]}
    reader, writer = await asyncio.open_connection("127.0.0.1", int(runner.address.rpartition(":")[2]))
    path = f"/v1/definitions/{definition}/runs?workflow=w&execution=e"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n" + "".join(
        f"{k}: {v}\r\n" for k, v in headers.items()
    )
    writer.write(head.encode() + b"\r\n{")
    answer = await asyncio.wait_for(reader.read(4096), 5)
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body_too_large" in answer


async def test_code_that_does_not_parse(runner: RunnerClient) -> None:
    """The line and column are named, as the sandbox's own Python sees them."""
    reply = await fails(runner, "def f(:\n    pass", "user_code", "code_syntax")

    assert "line 1, column 7" in reply["detail"]
    assert "^" in reply["traceback"]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("x = '\x00'", id="null byte"),
        pytest.param("(" * 5000, id="parentheses"),
        pytest.param("x = " + "-" * 100_000 + "1", id="signs"),
    ],
)
async def test_code_that_no_parser_takes(runner: RunnerClient, code: str) -> None:
    """Neither a null byte nor deep nesting ends more than the run."""
    await fails(runner, code, "user_code", "code_syntax")


async def test_missing_function(runner: RunnerClient) -> None:
    """A function that is not in the code is named, with those that are."""
    reply = await fails(runner, GOOD, "user_code", "function_missing", function="goood")

    assert "good" in reply["detail"] + reply["hint"]


async def test_missing_argument(runner: RunnerClient) -> None:
    """A parameter that nothing fills is named with the fields that the item has."""
    code = "def f(price: float, rate: float) -> float:\n    return price * rate\n"
    reply = await fails(runner, code, "type", "argument_missing", [{"price": 2.5, "name": "x"}])

    assert "rate" == reply["parameter"]
    assert "price" in reply["hint"]


async def test_wrong_argument(runner: RunnerClient) -> None:
    """A value of the wrong type names the parameter and what it was given."""
    code = "def f(count: int) -> int:\n    return count\n"
    reply = await fails(runner, code, "type", "argument_type", [{"count": 1}, {"count": "many"}])

    assert ("count", 1) == (reply["parameter"], reply["item"])
    assert "many" in reply["detail"]


async def test_unknown_argument(runner: RunnerClient) -> None:
    """An argument that the function does not take is refused."""
    await fails(runner, GOOD, "type", "argument_unknown", args=[{"itm": 1}])


async def test_result_that_cannot_be_converted(runner: RunnerClient) -> None:
    """What cannot become an item is refused with its type, where items are asked for."""
    code = "def f():\n    return {'a': object()}\n"
    reply = await fails(runner, code, "type", "result_type", output="items")

    assert "object" in reply["detail"]


async def test_exception(runner: RunnerClient) -> None:
    """The traceback has the user's frames with their lines, and none of ours."""
    code = "def inner(x):\n    return 1 / x\n\ndef f():\n    return inner(0)\n"
    reply = await fails(runner, code, "user_code", "code_raised", function="f")

    assert "ZeroDivisionError: division by zero" in reply["detail"]
    assert "return 1 / x" in reply["traceback"]
    assert "line 5, in f" in reply["traceback"]
    assert "qflow_agent" not in reply["traceback"]


async def test_sys_exit(runner: RunnerClient) -> None:
    """sys.exit ends the call, not the session."""
    await fails(runner, "import sys\ndef f():\n    sys.exit(3)\n", "user_code", "code_exited")


async def test_os_exit(runner: RunnerClient) -> None:
    """os._exit ends the session's process, which is said with its status."""
    reply = await fails(runner, "import os\ndef f():\n    os._exit(3)\n", "user_code", "process_exited")

    assert "3" in reply["detail"]


async def test_endless_loop(runner: RunnerClient) -> None:
    """At the time limit the code is stopped, and the traceback shows where it was."""
    began = time.monotonic()
    code = "def f():\n    while True:\n        pass\n"
    reply = await fails(runner, code, "timeout", "time_limit", timeout_s=0.5)
    assert "0.5 s" in reply["detail"]

    assert time.monotonic() - began < 3
    assert "line " in reply["traceback"]


async def test_endless_loop_that_ignores_everything(runner: RunnerClient) -> None:
    """Code that swallows the limit is killed a second later."""
    code = (
        "import signal\ndef f():\n    for n in range(1, 32):\n"
        "        if n not in (9, 19): signal.signal(n, signal.SIG_IGN)\n"
        "    while True:\n        try:\n            while True: pass\n        except BaseException: pass\n"
    )
    began = time.monotonic()
    await fails(runner, code, "timeout", "time_limit", timeout_s=0.5)

    assert time.monotonic() - began < 4


async def test_two_gigabytes(runner: RunnerClient) -> None:
    """More memory than the sandbox has is a failure of the category memory."""
    code = "def f():\n    x = b'x' * (2 << 30)\n    return len(x)\n"
    status, reply = await runner.run(code)

    assert (507, "memory") == (status, reply["category"]), reply


async def test_memory_taken_bit_by_bit(runner: RunnerClient) -> None:
    """The kernel ends the session and not the zygote."""
    code = "def f():\n    held = []\n    while True:\n        held.append(bytearray(1 << 20))\n"
    await fails(runner, code, "memory", "out_of_memory")


async def test_fork_bomb(runner: RunnerClient) -> None:
    """A fork bomb meets the process limit, is stopped at the time limit, and leaves nothing behind."""
    code = "import os\ndef f():\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass\n"
    reply = await fails(runner, code, "timeout", "time_limit", timeout_s=1)

    assert reply["detail"]
    # The places of its processes are free at once.
    many = (
        "import os\ndef f():\n    children = []\n    for _ in range(200):\n        child = os.fork()\n"
        "        if not child:\n            os._exit(0)\n        children.append(child)\n"
        "    return len([os.waitpid(child, 0) for child in children])\n"
    )
    assert [{"value": 200}] == await runner.values(many)


async def test_orphans_do_not_outlive_their_session(runner: RunnerClient) -> None:
    """A process that leaves the session's group is found and ended when the session ends."""
    code = (
        "import os, time\ndef f():\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n"
        "            time.sleep(600)\n        os._exit(0)\n    os.wait()\n    return 1\n"
    )
    assert [{"value": 1}] == await runner.values(code, workflow="orphans", execution="one")
    status, reply = await runner.call("DELETE", "/v1/executions/one/session")
    assert (200, {"ended": 1}) == (status, reply)
    count = (
        "import os, time\ndef f():\n    deadline = time.time() + 5\n    while time.time() < deadline:\n"
        "        cmds = [open('/proc/%s/stat' % p).read() for p in os.listdir('/proc') if p.isdigit()]\n"
        "        if len(cmds) <= 3: return len(cmds)\n        time.sleep(0.05)\n    return cmds\n"
    )
    (left,) = await runner.values(count, workflow="orphans", execution="two")
    assert left["value"] in {2, 3}, left  # the zygote, this session, and perhaps the spare one


async def test_a_gigabyte_of_prints(runner: RunnerClient) -> None:
    """Output past the limit is dropped, which is said; the run goes on."""
    code = "def f():\n    line = 'x' * 1_000_000\n    for _ in range(1000):\n        print(line)\n    return 'done'\n"
    status, reply = await runner.run(code)

    assert (200, "done") == (status, reply["items"][0]["json"]["value"])
    assert 1_000_000 == sum(len(each["text"]) for each in reply["logs"])
    assert "more than" in reply["hints"][0]


async def test_a_flood_of_output_from_a_program(runner: RunnerClient) -> None:
    """A program that writes without end fills its own file and no more."""
    code = "import subprocess\ndef f():\n    p = subprocess.run(['head', '-c', '1000000000', '/dev/zero'])\n    return p.returncode\n"
    status, reply = await runner.run(code)

    assert 200 == status, reply.get("traceback")
    assert sum(len(each["text"]) for each in reply["logs"]) <= 1_000_000


async def test_killed_session(runner: RunnerClient) -> None:
    """A session that is killed under a run costs that run, and says so."""
    code = "import os, signal\ndef f():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    await fails(runner, code, "sandbox", "session_lost")


async def test_killed_sandbox(runner: RunnerClient) -> None:
    """A container that is killed under a run costs its runs, and a new one takes its place."""
    await runner.values(GOOD, workflow="to-be-killed")
    (row,) = [each for each in await runner.sandboxes() if each["workflow"] == "to-be-killed"]
    run = asyncio.ensure_future(
        runner.run("import time\ndef f():\n    time.sleep(20)\n", workflow="to-be-killed", timeout_s=25)
    )
    await asyncio.sleep(0.3)  # the run is under way
    client = docker.from_env()
    await asyncio.to_thread(client.api.kill, container_name(row["id"]))
    client.close()
    status, reply = await asyncio.wait_for(run, 5)

    assert (502, "sandbox", "sandbox_lost") == (status, reply["category"], reply["code"]), reply
    assert [{"ok": True}] == await runner.values(GOOD, workflow="to-be-killed")


async def test_a_caller_that_hangs_up_ends_its_run(runner: RunnerClient) -> None:
    """When n8n cancels an execution its request is dropped, and the code is stopped."""
    code = (
        "import time\ndef f():\n    open('/dev/shm/alive', 'w').close()\n    while True:\n"
        "        open('/dev/shm/alive', 'a').write('x')\n        time.sleep(0.01)\n"
    )
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(runner.run(code, workflow="hangs-up", execution="first"), 1)
    look = (
        "import os, time\ndef f():\n    for _ in range(100):\n        before = os.path.getsize('/dev/shm/alive')\n"
        "        time.sleep(0.1)\n        if os.path.getsize('/dev/shm/alive') == before: return 'stopped'\n    return 'alive'\n"
    )
    assert [{"value": "stopped"}] == await runner.values(look, workflow="hangs-up", execution="second")


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ({"code": GOOD, "python": "2.7"}, "python_unsupported"),
        ({"code": GOOD, "timeout_s": 1e9}, "request_invalid"),
        ({"code": GOOD, "timeout_s": -1}, "request_invalid"),
        ({"code": GOOD, "mode": "sometimes"}, "request_invalid"),
        ({"code": ""}, "request_invalid"),
        ({"code": GOOD, "surprise": 1}, "request_invalid"),
    ],
)
async def test_bad_definitions(runner: RunnerClient, definition: dict[str, Any], code: str) -> None:
    """A definition that cannot work is refused when it is sent."""
    status, reply = await runner.call("PUT", "/v1/definitions", json=definition)

    assert code == reply["code"], reply
    assert 400 <= status < 500
