"""What ran, over HTTP: a run is in the history before its answer is, with what it printed and failed with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings
from tests.runner import RunnerClient, running

GOOD = "def good(n: int) -> dict:\n    print('seen', n)\n    return {'n': n}\n"
BAD = "def bad(n: int) -> dict:\n    print('before')\n    return {'n': 1 // n}\n"


@pytest.fixture(scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunnerClient]:
    directory: Path = tmp_path_factory.mktemp("history")
    async with running(ProcessBackend(Settings().cache_dir), directory) as client:
        await client.until_ready()
        yield client


async def test_a_run_is_in_the_history_with_all_that_it_told(runner: RunnerClient) -> None:
    """The answer names its record; the record has the output, the sizes and the times."""
    _, reply = await runner.run(GOOD, [{"n": 1}, {"n": 2}], workflow="w1", execution="e1", node="First")
    assert reply["recorded"]
    status, run = await runner.call("GET", f"/v1/runs/{reply['run']}")

    assert 200 == status, run
    assert ("w1", "e1", "First", "ok", 2) == (
        run["workflow"],
        run["execution"],
        run["node"],
        run["outcome"],
        run["items_out"],
    )
    assert "seen 1\nseen 2\n" == "".join(line["text"] for line in run["logs"])
    assert run["bytes_in"] > 20
    assert run["bytes_out"] > 20
    assert run["ms"] >= run["code_ms"]
    assert 2 == run["items_in"]


async def test_a_failed_run_keeps_its_problem(runner: RunnerClient) -> None:
    """The caller's problem document names the record, and the record has the document."""
    status, problem = await runner.run(BAD, [{"n": 0}], workflow="w2", execution="e2", node="Second")
    assert 422 == status
    _, run = await runner.call("GET", f"/v1/runs/{problem['run']}")

    assert ("user_code", problem["code"]) == (run["outcome"], run["code"])
    assert problem["traceback"] == run["problem"]["traceback"]
    _, listed = await runner.call("GET", "/v1/executions?failed=true&workflow=w2")
    assert ["e2"] == [each["execution"] for each in listed["executions"]]
    _, found = await runner.call("GET", "/v1/runs?outcome=user_code&workflow=w2")
    assert [run["id"]] == [each["id"] for each in found["runs"]]


async def test_an_execution_shows_its_runs(runner: RunnerClient) -> None:
    """The newest first; where two workflows use one id, both are there, and each alone when asked for."""
    for workflow, node in (("w3", "A"), ("w3", "B"), ("w4", "C")):
        await runner.run(GOOD, [{"n": 1}], workflow=workflow, execution="shared", node=node)
    _, both = await runner.call("GET", "/v1/executions/shared")
    _, one = await runner.call("GET", "/v1/executions/shared?workflow=w3")

    assert {"w3": 2, "w4": 1} == {each["workflow"]: each["runs"] for each in both["executions"]}
    assert ["B", "A"] == [run["node"] for run in one["runs"]]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/runs/" + "0" * 32, 404, "run_unknown"),
        ("/v1/runs/nothing", 404, "run_unknown"),
        ("/v1/executions/nothing", 404, "run_unknown"),
        ("/v1/executions?limit=0", 400, "request_invalid"),
        ("/v1/executions?before=x", 400, "request_invalid"),
        ("/v1/runs?since=-1", 400, "request_invalid"),
        ("/v1/runs?colour=red", 400, "request_invalid"),
    ],
)
async def test_wrong_questions(runner: RunnerClient, path: str, status: int, code: str) -> None:
    """Each has its answer."""
    answered, problem = await runner.call("GET", path)

    assert (status, code) == (answered, problem["code"])


@pytest.mark.parametrize("name", ["workflow", "execution", "node"])
async def test_names_that_a_database_cannot_keep_are_refused(runner: RunnerClient, name: str) -> None:
    """A null character is in no name."""
    status, problem = await runner.run(GOOD, [{"n": 1}], **{name: "a\0b"})

    assert (400, "request_invalid") == (status, problem["code"])


async def test_all_events_name_their_execution(runner: RunnerClient) -> None:
    """Who watches everything sees a run of any execution begin and end."""
    async with runner.http.get(runner.address + "/v1/events") as stream:
        await runner.run(GOOD, [{"n": 1}], workflow="w5", execution="e5")
        seen = b""
        while b"event: ended" not in seen:
            seen += await stream.content.readany()

    assert b'"execution": "e5"' in seen
    assert b"event: started" in seen


async def test_a_failed_run_is_made_again_with_edited_code(runner: RunnerClient) -> None:
    """The items are those that failed; the code is the old one, and then a better one."""
    _, problem = await runner.run(BAD, [{"n": 0}], workflow="w6", execution="e6", node="Third")
    path = f"/v1/runs/{problem['run']}/replay"
    status, again = await runner.call("POST", path, json={})
    assert (422, problem["code"]) == (status, again["code"])

    better = "import json\ndef bad(n: int) -> dict:\n    return {'safe': n}\n"
    status, reply = await runner.call("POST", path, json={"code": better})
    assert 200 == status, reply
    assert [{"safe": 0}] == [item["json"] for item in reply["items"]]
    _, run = await runner.call("GET", f"/v1/runs/{reply['run']}")
    assert ("w6", "Third") == (run["workflow"], run["node"])
    assert run["execution"].startswith("replay-")


async def test_items_of_a_run_that_succeeded_are_not_kept_by_default(runner: RunnerClient) -> None:
    """Who wants to run it again is told which setting keeps them."""
    _, reply = await runner.run(GOOD, [{"n": 1}], workflow="w7", execution="e7")
    status, problem = await runner.call("POST", f"/v1/runs/{reply['run']}/replay", json={})

    assert (410, "input_gone") == (status, problem["code"])
    assert "QFLOW_KEEP_INPUTS" in problem["hint"]


async def test_the_code_of_a_run_can_be_read(runner: RunnerClient) -> None:
    """The definition that a record names is there with its code."""
    _, reply = await runner.run(GOOD, [{"n": 1}], workflow="w8", execution="e8")
    _, run = await runner.call("GET", f"/v1/runs/{reply['run']}")
    status, definition = await runner.call("GET", f"/v1/definitions/{run['definition']}")

    assert (200, GOOD) == (status, definition["code"])


async def test_failures_are_summed_up(runner: RunnerClient) -> None:
    """By what they were and where, with what the newest said and a way to its record; a wrong question is told."""
    for _ in range(2):
        _, problem = await runner.run(BAD, [{"n": 0}], workflow="w9", execution="e9", node="Breaks")
    status, found = await runner.call("GET", "/v1/errors/summary?workflow=w9")

    assert (200, 2, {"user_code": 2}) == (status, found["total"], found["categories"]), found
    (group,) = found["groups"]
    assert ("Breaks", problem["code"], problem["run"], "e9", problem["detail"]) == (
        group["node"],
        group["code"],
        group["run"],
        group["execution"],
        group["message"],
    )
    assert 2 == sum(group["buckets"])
    assert 400 == (await runner.call("GET", "/v1/errors/summary?since=yesterday"))[0]


async def test_a_failed_run_says_how_far_it_came_and_what_it_used(runner: RunnerClient) -> None:
    """Whatever it failed with: an exception, its time, the end of its process."""
    burn = "import time\n\ndef burn(n: int) -> int:\n    until = time.process_time() + 0.2\n"
    burn += "    while time.process_time() < until:\n        pass\n"
    for last, code, limit_s in (
        ("    raise ValueError(n)\n", "code_raised", 10),
        ("    while True:\n        pass\n", "time_limit", 1.5),
    ):
        _, problem = await runner.run(burn + last, [{"n": 1}] * 3, workflow="w9", timeout_s=limit_s)
        _, run = await runner.call("GET", f"/v1/runs/{problem['run']}")

        assert (code, 3) == (run["code"], run["items_in"])
        assert 150 < run["code_ms"] <= run["ms"] < 5_000
        assert 150 < run["cpu_ms"] < 5_000
        assert run["peak_mb"] > 5
        assert run["sandbox_ms"] > 0

    _, problem = await runner.run(burn + "    import os; os._exit(3)\n", [{"n": 1}], workflow="w9")
    _, run = await runner.call("GET", f"/v1/runs/{problem['run']}")
    assert (0, "process_exited") == (run["code_ms"], run["code"])
    assert run["ms"] > 200
    assert run["sandbox_ms"] > 0
