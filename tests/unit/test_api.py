"""The HTTP API over the fake backend: authorisation, problems, readiness, and the flow of a run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from qflow_agent import wire
from qflow_runner.errors import CATEGORIES
from qflow_runner.sandbox.fake import Answer, FakeBackend
from tests.runner import RunnerClient, running

CODE = "def f(item: dict) -> dict:\n    return item\n"


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
async def runner(backend: FakeBackend, tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(backend, tmp_path, session_idle_s=60, sessions_per_sandbox=3) as client:
        await client.until_ready()
        yield client


async def test_a_run_answers_with_the_guests_items(runner: RunnerClient) -> None:
    """The reply holds the items as the guest encoded them, and the runner's timing."""
    status, reply = await runner.run(CODE, [{"a": 1}, {"a": 2}])

    assert 200 == status
    assert [{"a": 1}, {"a": 2}] == [item["json"] for item in reply["items"]]
    assert {
        "total_ms",
        "queue_ms",
        "packages_ms",
        "sandbox_ms",
        "load_ms",
        "bind_ms",
        "code_ms",
        "encode_ms",
        "parse_ms",
    } == set(reply["timing"])
    assert ([], [], 0) == (reply["logs"], reply["hints"], reply["errors"])


async def test_the_same_content_has_the_same_id(runner: RunnerClient) -> None:
    """A definition is addressed by what it is."""
    assert await runner.define(CODE) == await runner.define(CODE, mode="auto", python="3.12")
    assert await runner.define(CODE) != await runner.define(CODE, mode="all")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/definitions"),
        ("POST", "/v1/definitions/x/runs"),
        ("DELETE", "/v1/executions/x/session"),
        ("GET", "/v1/sandboxes"),
        ("GET", "/v1/nothing"),
    ],
)
@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic YTpi", "Bearer \u00fc", "Bearer"])
async def test_without_the_token_nothing_answers(
    runner: RunnerClient, method: str, path: str, header: str
) -> None:
    """Every call under /v1, known or not, asks for the token first."""
    status, reply = await runner.call(method, path, headers={"Authorization": header})

    assert (401, "unauthorized", "policy") == (status, reply["code"], reply["category"])


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_what_machines_watch_needs_no_token(runner: RunnerClient, path: str) -> None:
    """Probes and scrapers carry no secret."""
    async with runner.http.get(runner.address + path, headers={"Authorization": ""}) as response:
        assert 200 == response.status


async def test_openapi_is_valid_and_complete(runner: RunnerClient) -> None:
    """The document validates, and holds every route of the design."""
    _, document = await runner.call("GET", "/openapi.json")

    validate(document)
    assert {
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/v1/definitions",
        "/v1/definitions/{id}/runs",
        "/v1/events",
        "/v1/executions",
        "/v1/executions/{id}",
        "/v1/executions/{id}/events",
        "/v1/runs",
        "/v1/runs/{id}",
        "/v1/errors/summary",
        "/v1/runs/{id}/replay",
        "/v1/definitions/{id}",
        "/v1/executions/{id}/session",
        "/v1/layers",
        "/v1/layers/{id}",
        "/v1/packages/lock",
        "/v1/packages/upgrade",
        "/v1/packages/accept",
        "/v1/packages/rollback",
        "/v1/saved",
        "/v1/saved/{name}",
        "/v1/saved/{name}/versions",
        "/v1/files",
        "/v1/files/{id}",
        "/v1/sandboxes",
        "/v1/sandboxes/{id}/retire",
        "/v1/tokens",
        "/v1/tokens/{id}",
        "/v1/settings",
        "/v1/audit",
        "/v1/analyze",
        "/v1/types",
        "/v1/types/check",
        "/v1/workflows",
        "/v1/workflows/check",
        "/v1/workflows/{id}",
        "/v1/workflows/{id}/content",
        "/v1/workflows/{id}/runs",
        "/editor/qflow-editor.js",
    } == set(document["paths"])


async def test_unknown_paths_and_methods_are_problems(runner: RunnerClient) -> None:
    """Also what no route serves is answered as a problem document."""
    assert (404, "not_found") == _code(await runner.call("GET", "/v1/nothing"))
    assert (405, "method_not_allowed") == _code(await runner.call("PATCH", "/v1/definitions"))


async def test_one_sandbox_per_workflow_and_one_session_per_execution(
    runner: RunnerClient, backend: FakeBackend
) -> None:
    """Executions of one workflow share its sandbox; the session of an execution is found again."""
    for workflow, execution in [("a", "1"), ("a", "1"), ("a", "2"), ("b", "3")]:
        assert 200 == (await runner.run(CODE, [{}], workflow=workflow, execution=execution))[0]
    owned = {row["workflow"]: row for row in await runner.sandboxes() if row["state"] == "owned"}

    assert {"a": 2, "b": 1} == {workflow: row["sessions"] for workflow, row in owned.items()}


async def test_the_longest_unused_session_makes_room(runner: RunnerClient) -> None:
    """A sandbox keeps as many sessions as the setting says."""
    for execution in range(10):
        assert 200 == (await runner.run(CODE, [{}], execution=str(execution)))[0]

    async with asyncio.timeout(2):
        while [row["sessions"] for row in await runner.sandboxes() if row["state"] == "owned"] != [3]:
            await asyncio.sleep(0.005)


async def test_ending_an_execution_ends_its_session(runner: RunnerClient) -> None:
    """DELETE says how many sessions there were; an execution that nobody knows had none."""
    await runner.run(CODE, [{}], execution="mine")

    assert (200, {"ended": 1}) == await runner.call("DELETE", "/v1/executions/mine/session")
    assert (200, {"ended": 0}) == await runner.call("DELETE", "/v1/executions/mine/session")


async def test_a_busy_pool_says_so(tmp_path: Path) -> None:
    """When every sandbox is in use, a run is told 'busy' within the deadline, with Retry-After."""
    backend = FakeBackend()
    hold = asyncio.Event()

    async def wait(run: wire.Run, payload: bytes | bytearray) -> Answer:
        await hold.wait()
        return wire.Done(run.run), b"[]"

    backend.answer = wait
    async with running(backend, tmp_path, pool_ceiling=1, pool_floor=1, pool_wait_s=0.2) as runner:
        await runner.until_ready()
        first = asyncio.ensure_future(runner.run(CODE, [{}], workflow="first"))
        while not [row for row in await runner.sandboxes() if row["state"] == "owned"]:
            pass
        definition = await runner.define(CODE)
        path = f"/v1/definitions/{definition}/runs?workflow=second&execution=e"
        async with runner.http.post(runner.address + path, json={"items": []}) as response:
            reply = await response.json(content_type=None)
            assert (503, "busy", "2") == (response.status, reply["category"], response.headers["Retry-After"])
        hold.set()
        assert 200 == (await first)[0]


async def test_docker_away_is_unavailable_and_heals(tmp_path: Path) -> None:
    """A run that needs a sandbox while Docker is away says so at once; the next one after its return works."""
    backend = FakeBackend()
    backend.stop_docker()
    async with running(backend, tmp_path) as runner:
        status, reply = await runner.run(CODE, [{}])
        assert (503, "unavailable", "docker_unavailable") == (status, reply["category"], reply["code"])
        status, reply = await runner.call("GET", "/readyz")
        assert (503, False) == (status, reply["ready"])
        assert "Docker does not answer" in reply["parts"]["docker"]["reason"]
        backend.failure = None
        assert 200 == (await runner.run(CODE, [{}]))[0]


async def test_a_guest_that_sends_nonsense_costs_its_run(runner: RunnerClient, backend: FakeBackend) -> None:
    """An answer that is no list of items, an unknown category, absurd figures: the caller gets a clean problem."""

    async def nonsense(run: wire.Run, payload: bytes | bytearray) -> Answer:
        if run.execution == "payload":
            return wire.Done(run.run), b"<html>"
        if run.execution == "timing":
            return wire.Done(run.run, timing={"code": float("nan"), "bind": "x"}, logs=[["x"], 7]), b"[]"  # type: ignore[dict-item,list-item]
        return wire.Failed(
            run.run, {"category": "boss", "code": "x" * 999, "detail": 5, "item": "1", "traceback": []}
        ), b""

    backend.answer = nonsense
    assert (502, "sandbox_lost") == _code(await runner.run(CODE, [{}], execution="payload"))
    status, reply = await runner.run(CODE, [{}], execution="timing")
    assert (200, 0.0, []) == (status, reply["timing"]["bind_ms"], reply["logs"])
    status, reply = await runner.run(CODE, [{}], execution="problem")
    assert reply["category"] in CATEGORIES
    assert len(reply["code"]) <= 60
    assert "traceback" not in reply


async def test_metrics_count_runs_by_category(runner: RunnerClient) -> None:
    """Runs are counted by their outcome, and sandboxes by state."""
    await runner.run(CODE, [{}])
    async with runner.http.get(runner.address + "/metrics") as response:
        text = await response.text()

    assert 'qflow_runs_total{category="ok"}' in text
    assert 'qflow_sandboxes{state="owned"} 1.0' in text


def _code(answer: tuple[int, dict[str, str]]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]
