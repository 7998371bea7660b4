"""The one event of a run in the log, the link to its page, and its request's name."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from qflow_runner.observe import logs
from tests.runner import RunnerClient

DOC = Path(__file__).parents[3] / "docs/monitoring.md"
GOOD = "def f(n: int = 1) -> int:\n    print('secret-of-the-item')\n    return n\n"


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs() as captured:
        yield captured  # type: ignore[misc]


def documented() -> set[str]:
    section = DOC.read_text().split("## The event of a run")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


async def test_a_run_is_one_event_with_all_there_is_to_say(
    busy: RunnerClient, events: list[dict[str, Any]]
) -> None:
    """Its fields are those of the documentation, and nothing of its items is among them."""
    _, reply = await busy.run(GOOD, [{"n": 1}, {"n": 2}], workflow="wf", execution="ex", node="My node")

    (event,) = [each for each in events if each["event"] == "run"]
    assert documented() == event.keys() - {"event", "log_level"}
    assert ("ok", "", 2, 0, False) == tuple(
        event[n] for n in ("outcome", "code", "items", "errors", "cached")
    )
    assert ("wf", "ex", "My node", "3.12") == tuple(
        event[n] for n in ("workflow", "execution", "node", "python")
    )
    assert reply["run"] == event["run"]
    assert event["bytes_in"] > 10
    assert event["bytes_out"] == len(json.dumps(reply["items"], separators=(",", ":")))
    assert event["ms"] >= sum(event[f"{phase}_ms"] for phase in ("queue", "packages", "sandbox", "code"))
    assert event["peak_mb"] > 1
    assert "secret-of-the-item" not in str(event)


async def test_a_failed_run_is_one_event_too(busy: RunnerClient, events: list[dict[str, Any]]) -> None:
    """With its category and code, and with the id that its problem names."""
    _, problem = await busy.run("def f():\n    raise ValueError('private')\n")

    (event,) = [each for each in events if each["event"] == "run"]
    assert ("user_code", "code_raised", problem["run"]) == (event["outcome"], event["code"], event["run"])
    assert "private" not in str(event)


async def test_a_run_whose_caller_hung_up_is_told_as_cancelled(
    busy: RunnerClient, events: list[dict[str, Any]]
) -> None:
    """It ran, it cost something, and somebody may look for it."""
    call = asyncio.ensure_future(busy.run("import time\ndef f():\n    time.sleep(20)\n", execution="gone"))
    async with asyncio.timeout(10):
        while not busy.state.admission.runs:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        call.cancel()
        while not [each for each in events if each["event"] == "run"]:
            await asyncio.sleep(0.01)

    (event,) = [each for each in events if each["event"] == "run"]
    assert ("cancelled", "gone") == (event["outcome"], event["execution"])


def test_an_event_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a node is called."""
    before = structlog.get_config()
    try:
        logs.configure("json", "info")
        structlog.get_logger().info("run", node="a\nb\r\u2028c", workflow='"w"')
    finally:
        structlog.configure(**before)
    (line,) = capsys.readouterr().err.strip().split("\n")

    assert "a\nb\r\u2028c" == json.loads(line)["node"]


async def test_an_answer_links_to_its_page_where_its_address_is_known(busy: RunnerClient) -> None:
    """Of good runs and of failed ones, whatever the ids look like."""
    _, good = await busy.run(GOOD, [{}], workflow="a b", execution="x/y?z")
    _, bad = await busy.run("def f():\n    raise ValueError('no')\n")

    base = "https://qflow.example.org/console/executions"
    assert f"{base}/x%2Fy%3Fz?workflow=a+b&run={good['run']}" == good["link"]
    assert f"{base}/e?workflow=w&run={bad['run']}" == bad["link"]


@pytest.mark.parametrize("given", ["of-the-caller.1", "", "a b", "x" * 65, "é"])
async def test_every_answer_carries_the_name_of_its_request(busy: RunnerClient, given: str) -> None:
    """The caller's, where it is plain; also when the answer is an error."""
    headers = {"X-Request-Id": given} if given else {}
    for path in ("/healthz", "/v1/nothing"):
        async with busy.http.get(busy.address + path, headers=headers) as response:
            name = response.headers["X-Request-Id"]
        assert (name == given) == (given == "of-the-caller.1")
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name)
