"""Items shared out to processes of a real session: results, output, failures, and what is left afterwards."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.sandbox.backend import Backend
from tests.runner import RunnerClient, running

NUMBERS = [{"n": number} for number in range(24)]
STATE = """
import os
def f():
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open('/proc/%s/stat' % name) as stat:
                    fields = stat.read().rpartition(')')[2].split()
            except OSError:
                continue
            if os.getpid() in (int(fields[1]), int(fields[2])) and int(name) != os.getpid():
                found.append(fields)
    return {'pid': os.getpid(), 'others': found, 'descriptors': len(os.listdir('/proc/self/fd'))}
"""


@pytest.fixture
async def runner(backend: Backend, tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(backend, tmp_path, pool_floor=1, cpus=2.0) as client:
        await client.until_ready()
        yield client


async def state(runner: RunnerClient) -> dict[str, Any]:
    (found,) = await runner.values(STATE)
    return found


async def test_items_are_made_by_other_processes_in_order(runner: RunnerClient) -> None:
    """The results are those of one process, and the session is as it was before."""
    before = await state(runner)
    code = (
        "import os, time\ndef f(n: int):\n    time.sleep(0.02)\n    return {'n': n * 2, 'pid': os.getpid()}\n"
    )

    made = await runner.values(code, NUMBERS, parallel=3)

    assert [each["n"] for each in made] == [number * 2 for number in range(24)]
    assert 1 < len({each["pid"] for each in made}) <= 3
    assert before["pid"] not in {each["pid"] for each in made}
    assert before == await state(runner)
    assert before["others"] == []


async def test_the_output_is_in_the_order_of_the_items(runner: RunnerClient) -> None:
    """Of Python and of programs, in a run that ends well and in one that fails."""
    code = (
        "import os, sys\ndef f(n: int):\n    print('out', n)\n    print('err', n, file=sys.stderr)\n"
        "    os.system('echo program %d' % n)\n    return 1 // (20 - n)\n"
    )
    status, reply = await runner.run(code, NUMBERS[:12], parallel=4)
    assert status == 200, reply
    text = "".join(entry["text"] for entry in reply["logs"])
    assert text == "".join(f"out {n}\nerr {n}\nprogram {n}\n" for n in range(12))

    status, problem = await runner.run(code, NUMBERS, parallel=4)

    assert (422, "code_raised", 20) == (status, problem["code"], problem["item"])
    printed = "".join(entry["text"] for entry in problem["logs"])
    numbers = [int(line.split()[1]) for line in printed.splitlines() if line.startswith("out")]
    assert numbers == sorted(numbers)
    assert 20 in numbers


@pytest.mark.parametrize(
    ("end", "code", "category"),
    [
        ("os._exit(5)", "process_exited", "user_code"),
        ("os.kill(os.getpid(), 11)", "process_killed", "sandbox"),
    ],
)
async def test_a_process_that_ends_leaves_the_session(
    runner: RunnerClient, end: str, code: str, category: str
) -> None:
    """One item's process ended: the run says so, or goes on, and the session lives on."""
    before = await state(runner)
    source = f"import os\ndef f(n: int):\n    if n == 7:\n        {end}\n    return n\n"

    _, problem = await runner.run(source, NUMBERS, parallel=2)
    made = await runner.values(source, NUMBERS, parallel=2, on_error="continue")

    assert (code, category, 7) == (problem["code"], problem["category"], problem["item"])
    assert made == [{"n": 7} if number == 7 else {"value": number} for number in range(24)]
    assert before == await state(runner)


async def test_the_time_limit_ends_all_processes(runner: RunnerClient) -> None:
    """The answer comes soon, says where the code was, and the sandbox has nothing left of it."""
    code = (
        "import subprocess\ndef f(n: int):\n    subprocess.run(['sleep', '60'] if n else ['sleep', '61'])\n"
    )
    started = time.monotonic()

    status, problem = await runner.run(code, NUMBERS, parallel=3, timeout_s=0.7)

    assert (504, "time_limit") == (status, problem["code"])
    assert problem["item"] in {0, 1, 2}
    assert "subprocess.run" in problem["traceback"]
    assert time.monotonic() - started < 10
    assert (await state(runner))["others"] == []


async def test_objects_and_files_of_processes(runner: RunnerClient) -> None:
    """The next node gets the objects, and n8n the files."""
    code = "class Model:\n    def __init__(self, n): self.n = n\ndef f(n: int):\n    return {'model': Model(n), 'file': b'%d' % n * 100_000}\n"
    status, reply = await runner.run(code, NUMBERS[:5], parallel=2, keep=True)
    assert status == 200, reply
    kept = [item["json"] for item in reply["items"]]

    use = "def g(model) -> int:\n    return model.n\n"

    assert [{"value": n} for n in range(5)] == await runner.values(use, kept)
    assert [{"value": n} for n in range(5)] == await runner.values(use, kept, execution="another")
    for number, item in enumerate(reply["items"]):
        file = item["binary"]["file"]["file"]
        async with runner.http.get(f"{runner.address}/v1/files/{file}", params={"workflow": "w"}) as response:
            assert b"%d" % number * 100_000 == await response.read()


async def test_an_ids_definition_without_processes_stays(runner: RunnerClient) -> None:
    """What was stored before there was the option is found under the same id."""
    code = "def f(n: int): return n\n"

    assert await runner.define(code) == await runner.define(code, parallel=1)
    assert await runner.define(code) != await runner.define(code, parallel=2)
    for wrong in (0, 65, -1):
        status, _ = await runner.call("PUT", "/v1/definitions", json={"code": code, "parallel": wrong})
        assert status == 400
