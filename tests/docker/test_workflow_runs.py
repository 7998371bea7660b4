"""Workflows without n8n in real sandboxes: the examples, live objects between branches, and time that is saved."""

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.runner import RunnerClient
from tests.unit.workflows.build import other, qflow, workflow

EXAMPLES = Path(__file__).parents[2] / "examples"
SLEEP = "import time\ndef f(item: dict) -> dict:\n    time.sleep(1)\n    return {'n': item['n'] + 1}\n"
MODEL = "class Model:\n    def __init__(self):\n        self.weights = [1, 2, 3]\ndef fit():\n    return Model()\n"
USE = "import time\ndef use(model) -> dict:\n    time.sleep(1)\n    return {'n': sum(model.weights)}\n"
LOCK = "import threading\ndef make():\n    return threading.Lock()\n"
LOCKED = "def use(lock) -> dict:\n    return {'locked': lock.locked()}\n"

Made = dict[str, Any]


async def run(runner: RunnerClient, made: Made, **body: Any) -> Made:
    status, answer = await runner.call(
        "POST", "/v1/workflows/without-n8n/runs", json={"workflow": made, **body}
    )
    assert 200 == status, answer
    return answer


def values(answer: Made, node: str, output: int = 0) -> list[Any]:
    assert "ok" == answer["nodes"][node]["status"], answer["nodes"][node]
    return [each["json"] for each in answer["nodes"][node]["items"][output]]


def example(name: str) -> Made:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def branches(source: str, branch: str, *names: str) -> Made:
    nodes = {"Source": qflow(source)} | {name: qflow(branch) for name in names}
    return workflow(nodes, *[("Source", name) for name in names])


async def test_the_quickstart(runner: RunnerClient) -> None:
    """Its webhook gives what is given for it, its argument is followed or said to be n8n's."""
    order = {"customer": "Ada", "item": "lamp", "quantity": 3, "price": 9.5}
    made = example("quickstart")
    mapped = made["nodes"][2]["parameters"]["arguments"]["value"]
    answer = await run(runner, made, items={"New order": [{"json": {"body": order}}]})

    assert [{"customer": "Ada", "text": "3 x lamp", "net": 28.5, "total": 33.91}] == values(
        answer, "Write the invoice"
    ), mapped


async def test_the_generator(runner: RunnerClient) -> None:
    """A node of n8n's code is pinned."""
    pinned = [
        {"project": "Kitchen", "start": "2026-05-14", "days": 3},
        {"project": "Garden", "start": "2026-05-16", "days": 2},
    ]
    answer = await run(runner, {**example("generator"), "pinData": {"Projects": pinned}})

    assert ["2026-05-14", "2026-05-15", "2026-05-18", "2026-05-18", "2026-05-19"] == [
        each["day"] for each in values(answer, "Working days")
    ]
    assert [0, 0, 0, 1, 1] == [each["pairedItem"] for each in answer["nodes"]["Working days"]["items"][0]]


async def test_the_error_output(runner: RunnerClient) -> None:
    """Who cannot be registered leaves by the second output, with the reason."""
    people = [
        {"name": "Ada", "email": "Ada@Example.com", "age": 36},
        {"name": "Bob", "email": "bob at example", "age": 41},
        {"name": "Cleo", "email": "cleo@example.com", "age": "unknown"},
    ]
    answer = await run(runner, example("error-output"), items={"People": [{"json": each} for each in people]})

    assert [{"name": "Ada", "email": "ada@example.com", "adult": True}] == values(answer, "Register")
    bob, cleo = values(answer, "Register", 1)
    assert ("Bob", 41) == (bob["name"], bob["age"])
    assert "'bob at example' is not an e-mail address" in bob["error"]
    assert "age" in cleo["error"]
    assert [1, 2] == [each["item"] for each in answer["nodes"]["Register"]["errors"]]


async def test_the_summary(runner: RunnerClient) -> None:
    """All items in one call."""
    sales = [
        {"region": "north", "product": "desk", "amount": 300.0},
        {"region": "north", "product": "lamp", "amount": 20.5},
    ]
    answer = await run(runner, example("summary"), items={"Sales": [{"json": each} for each in sales]})

    assert [{"region": "north", "sales": 2, "total": 320.5, "average": 160.25, "best": "desk"}] == values(
        answer, "Summarise"
    )


@pytest.mark.parametrize("name", ["http-clients", "model", "parquet", "sales-report", "thumbnails", "xml"])
async def test_other_examples_say_what_they_need(runner: RunnerClient, name: str) -> None:
    """Each either runs as it is, or names the node of n8n's that has to be pinned."""
    made = example(name)
    foreign = {each["name"] for each in made["nodes"] if each["type"].endswith((".code", ".merge"))}
    status, answer = await runner.call("POST", "/v1/workflows/x/runs", json={"workflow": made})

    if foreign:
        assert (422, "workflow_not_runnable") == (status, answer["code"])
        assert any(f"'{each}'" in answer["detail"] for each in foreign)
    else:
        assert (200, True) == (status, answer["ok"]), answer


async def test_two_branches_take_the_time_of_one(runner: RunnerClient) -> None:
    """Where it is asked for; one after another they take the time of both."""
    made = branches("def s() -> dict:\n    return {'n': 1}", SLEEP, "A", "B")
    taken: dict[bool, float] = {}
    for concurrent in (False, True):
        began = time.perf_counter()
        answer = await run(runner, made, concurrent=concurrent)
        taken[concurrent] = time.perf_counter() - began
        assert [{"n": 2}] == values(answer, "A") == values(answer, "B")

    assert taken[False] > 2.0
    assert taken[True] < 1.9


async def test_branches_take_a_live_object_at_the_same_time(runner: RunnerClient) -> None:
    """And a node that joins them gets what both made."""
    made = workflow(
        {
            "Fit": qflow(MODEL),
            "A": qflow(USE.replace("'n': sum(model.weights)", "'model': model, 'n': 1")),
            "B": qflow(USE.replace("'n': sum(model.weights)", "'model': model, 'n': 2")),
            "Join": other("merge"),
            "Sum": qflow(
                "def total(items: list[dict]) -> int:\n"
                "    return sum(each['n'] * sum(each['model'].weights) for each in items)\n"
            ),
        },
        ("Fit", "A"),
        ("Fit", "B"),
        ("A", "Join"),
        ("B", "Join", 0, 1),
        ("Join", "Sum"),
    )
    await run(runner, made)
    began = time.perf_counter()
    answer = await run(runner, made, concurrent=True)

    assert [{"value": 18}] == values(answer, "Sum")
    assert time.perf_counter() - began < 1.9


async def test_every_branch_crosses_every_other(runner: RunnerClient) -> None:
    """Nodes that take of each other's sessions never wait for each other."""
    nodes = {name: qflow(MODEL) for name in "PQR"} | {"M": other("merge", numberInputs=3)}
    uses = {f"U{n}": qflow(USE) for n in range(4)}
    made = workflow(
        nodes | uses, *[(name, "M", 0, n) for n, name in enumerate("PQR")], *[("M", name) for name in uses]
    )
    answer = await run(runner, made, concurrent=True)

    assert all([{"n": 6}] * 3 == values(answer, name) for name in uses)


async def test_what_cannot_leave_its_session_is_taken_there(runner: RunnerClient) -> None:
    """One node after another then; two such objects that never were in one session are refused in a sentence."""
    apart = workflow(
        {"S": qflow(LOCK), "R": qflow(LOCK), "M": other("merge"), "A": qflow(LOCKED)},
        ("S", "M"),
        ("R", "M", 0, 1),
        ("M", "A"),
    )
    drawn = await run(runner, branches(LOCK, LOCKED, "A", "B", "C"), concurrent=True)
    refused = await run(runner, apart, concurrent=True)

    assert all([{"locked": False}] == values(drawn, name) for name in "ABC")
    assert "--serial" in refused["nodes"]["A"]["problem"]["hint"]
    assert [{"locked": False}] * 2 == values(await run(runner, apart), "A")


async def test_a_branch_that_dies_leaves_the_others(runner: RunnerClient) -> None:
    """Its session is its own."""
    made = workflow(
        {
            "S": qflow("def s() -> dict:\n    return {'n': 1}"),
            "Dies": qflow("import os\ndef f(item: dict) -> dict:\n    os._exit(3)\n"),
            "Slow": qflow(SLEEP, options={"timeout": 0.2}),
            "Lives": qflow(SLEEP),
            "After": qflow("def f(n: int) -> int:\n    return n\n"),
        },
        ("S", "Dies"),
        ("S", "Slow"),
        ("S", "Lives"),
        ("Lives", "After"),
    )
    answer = await run(runner, made, concurrent=True)

    assert [{"value": 2}] == values(answer, "After")
    assert ["process_exited", "time_limit"] == [
        answer["nodes"][each]["problem"]["code"] for each in ("Dies", "Slow")
    ]
    assert not answer["ok"]


async def test_files_and_references_can_be_used_as_long_as_the_session_is_kept(runner: RunnerClient) -> None:
    """What the last node leaves is an execution's."""
    code = (
        "from qflow import File\ndef f() -> File:\n    return File.from_bytes(b'x' * 100_000, name='a.bin')\n"
    )
    made = workflow({"A": qflow(code)})
    answer = await run(runner, made, keep_session=True)
    ((file,),) = ([each["binary"] for each in output] for output in answer["nodes"]["A"]["items"])
    (about,) = file.values()
    where = f"{runner.address}/v1/files/{about['file']}?workflow=without-n8n"

    async with runner.http.get(where) as response:
        assert b"x" * 100_000 == await response.read()
    await runner.call("DELETE", f"/v1/executions/{answer['execution']}/session")
    assert 404 == (await runner.call("GET", f"/v1/files/{about['file']}?workflow=without-n8n"))[0]


async def test_a_caller_that_hangs_up_stops_the_code(runner: RunnerClient) -> None:
    """In all branches."""
    made = branches("def s() -> dict:\n    return {'n': 1}", SLEEP.replace("sleep(1)", "sleep(20)"), "A", "B")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await run(runner, made, concurrent=True, execution="left")

    async with asyncio.timeout(5):
        while runner.state.sessions.lives("left"):
            await asyncio.sleep(0.05)
    assert (await run(runner, branches("def s() -> dict:\n    return {'n': 1}", SLEEP, "A")))["ok"]


HOLD = "class Held:\n    def __init__(self, n):\n        self.n = n\n"
ADD = HOLD + (
    "def add(items: list[dict]) -> dict:\n"
    "    total = sum(each['held'].n for each in items if 'held' in each)\n"
    "    return {'held': Held(total + 1), 'n': total + 1}\n"
)


@pytest.mark.parametrize("seed", range(6))
async def test_at_once_gives_what_one_after_another_gives(runner: RunnerClient, seed: int) -> None:
    """For any graph: every node takes objects of all that are before it, whichever sessions those are in."""
    drawn = random.Random(seed)
    count = drawn.randint(4, 14)
    nodes: Made = {}
    wires: list[tuple[Any, ...]] = []
    for n in range(count):
        nodes[f"N{n}"] = qflow(ADD)
        parents = drawn.sample(range(n), min(n, drawn.randint(0, 3)))
        if parents:
            nodes[f"M{n}"] = other("merge", numberInputs=len(parents))
            wires += [(f"N{parent}", f"M{n}", 0, place) for place, parent in enumerate(parents)]
            wires.append((f"M{n}", f"N{n}"))
    made = workflow(nodes, *wires)
    results = [await run(runner, made, concurrent=each, check=False) for each in (False, True)]

    found = [{name: values(each, name)[0]["n"] for name in each["nodes"]} for each in results]
    assert found[0] == found[1]
    assert count == len(found[0])
