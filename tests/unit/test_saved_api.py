"""Saved definitions and the database behind the runner, over HTTP."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import RunnerClient, running
from tests.unit.test_cli import qflow as command
from tests.unit.workflows.build import qflow, workflow

CODE = "def double(n: int) -> int:\n    '''Twice.'''\n    return 2 * n\n"
TWO = CODE + "def text(n: int) -> str:\n    return str(n)\n"


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(FakeBackend(), tmp_path, pool_floor=0) as client:
        yield client


async def save(runner: RunnerClient, name: str, code: str = CODE, **more: Any) -> dict[str, Any]:
    status, reply = await runner.call("PUT", f"/v1/saved/{quote(name, safe='')}", json={"code": code, **more})
    assert 200 == status, reply
    return reply


async def test_a_definition_is_saved_and_read(runner: RunnerClient) -> None:
    """With what a node needs to show it: its function, its signature and its analysis."""
    made = await save(runner, "Double", note="first", timeout_s=5)
    status, found = await runner.call("GET", "/v1/saved/double")

    assert (200, "Double", 1, 1, "first") == (
        status,
        *(found[each] for each in ("name", "version", "latest", "note")),
    )
    assert (made["definition"], "double", "double(n: int) -> int") == tuple(
        found[each] for each in ("definition", "function", "signature")
    )
    assert (CODE, 5, "auto") == tuple(found["content"][each] for each in ("code", "timeout_s", "mode"))
    assert ["n"] == [each["name"] for each in found["analysis"]["functions"][0]["params"]]
    assert found["created"].endswith(("Z", "+00:00"))


async def test_versions_are_counted(runner: RunnerClient) -> None:
    """The same content makes none, whatever its note."""
    made = [await save(runner, "a", code, note=code) for code in ("x = 1", "x = 1", "x = 2")]
    _, first = await runner.call("GET", "/v1/saved/a?version=1")
    _, listed = await runner.call("GET", "/v1/saved/a/versions?limit=1")
    _, rest = await runner.call("GET", f"/v1/saved/a/versions?cursor={listed['cursor']}")

    assert [(1, True), (1, False), (2, True)] == [(each["version"], each["added"]) for each in made]
    assert ("x = 1", 2) == (first["content"]["code"], first["latest"])
    assert [[2], [1]] == [[each["version"] for each in page["versions"]] for page in (listed, rest)]
    assert rest["cursor"] is None


async def test_names_are_listed_in_pages(runner: RunnerClient) -> None:
    """And filtered by a part, in any case."""
    for name in ("Orders", "Invoices", "order lines"):
        await save(runner, name)
    _, first = await runner.call("GET", "/v1/saved?limit=2")
    _, second = await runner.call("GET", f"/v1/saved?limit=2&cursor={first['cursor']}")
    _, some = await runner.call("GET", "/v1/saved?q=ORDER")

    assert [["Invoices", "order lines"], ["Orders"]] == [
        [each["name"] for each in page["saved"]] for page in (first, second)
    ]
    assert second["cursor"] is None
    assert ["order lines", "Orders"] == [each["name"] for each in some["saved"]]
    assert {"name", "version", "function", "signature", "created", "updated"} == set(some["saved"][0])


@pytest.mark.parametrize(
    "name", ["a/b", "{x}", "100%", "%2F", "?#&", "Größe 🐍", "a..b", "versions", "ö" * 200]
)
async def test_a_name_may_hold_what_addresses_do_not(runner: RunnerClient, name: str) -> None:
    """It is written percent-encoded, and comes back as it is."""
    await save(runner, name)
    address = f"/v1/saved/{quote(name, safe='')}"

    from yarl import URL

    async with runner.http.get(URL(runner.address + address, encoded=True)) as response:
        assert (200, name) == (response.status, (await response.json())["name"])
    async with runner.http.get(URL(runner.address + address + "/versions", encoded=True)) as response:
        assert name == (await response.json())["versions"][0]["name"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/saved/none", None, 404, "saved_unknown"),
        ("GET", "/v1/saved/there?version=7", None, 404, "saved_version_unknown"),
        ("GET", "/v1/saved/there?version=0", None, 400, "request_invalid"),
        ("GET", "/v1/saved/there?version=99999999999", None, 400, "request_invalid"),
        ("GET", "/v1/saved/none/versions", None, 404, "saved_unknown"),
        ("DELETE", "/v1/saved/none", None, 404, "saved_unknown"),
        ("GET", "/v1/saved?cursor=%21", None, 400, "request_invalid"),
        ("GET", "/v1/saved?limit=0", None, 400, "request_invalid"),
        ("PUT", "/v1/saved/%20", {"code": CODE}, 400, "saved_name_invalid"),
        ("PUT", "/v1/saved/a%0Ab", {"code": CODE}, 400, "saved_name_invalid"),
        ("PUT", "/v1/saved/" + "x" * 201, {"code": CODE}, 400, "saved_name_invalid"),
        ("PUT", "/v1/saved/a", {}, 400, "request_invalid"),
        ("PUT", "/v1/saved/a", {"code": CODE, "colour": "red"}, 400, "request_invalid"),
        ("PUT", "/v1/saved/a", {"code": CODE, "python": "2.7"}, 422, "python_unsupported"),
        ("PUT", "/v1/definitions", {}, 400, "request_invalid"),
        ("PUT", "/v1/definitions", {"code": CODE, "saved": {"name": "there"}}, 400, "request_invalid"),
        ("PUT", "/v1/definitions", {"saved": {"name": "none"}}, 404, "saved_unknown"),
        ("PUT", "/v1/definitions", {"saved": {"name": "there", "version": 2}}, 404, "saved_version_unknown"),
        ("PUT", "/v1/definitions", {"saved": {"name": "there"}, "python": "2.7"}, 422, "python_unsupported"),
    ],
)
async def test_what_cannot_be_done_is_a_problem(
    runner: RunnerClient, method: str, path: str, body: Any, status: int, code: str
) -> None:
    """With a code and a sentence."""
    await save(runner, "there")
    from yarl import URL

    options = {} if body is None else {"json": body}
    async with runner.http.request(method, URL(runner.address + path, encoded=True), **options) as response:
        reply = await response.json(content_type=None)

    assert (status, code) == (response.status, reply["code"])
    assert reply["detail"].endswith(".")


async def test_a_name_is_resolved_to_its_latest_version(runner: RunnerClient) -> None:
    """In one call, which answers with a definition that can be run."""
    await save(runner, "a", "def f(x: int) -> int:\n    return x\n")
    _, first = await runner.call("PUT", "/v1/definitions", json={"saved": {"name": "A"}})
    await save(runner, "a", TWO, function="double", timeout_s=7)
    _, latest = await runner.call("PUT", "/v1/definitions", json={"saved": {"name": "a"}})
    _, pinned = await runner.call("PUT", "/v1/definitions", json={"saved": {"name": "a", "version": 1}})

    assert [1, 2, 1] == [each["saved_version"] for each in (first, latest, pinned)]
    assert ("a", "double", 7) == (latest["saved_name"], latest["function"], latest["timeout_s"])
    assert first["id"] == pinned["id"] == await runner.define("def f(x: int) -> int:\n    return x\n")
    assert latest["id"] == await runner.define(TWO, function="double", timeout_s=7)


async def test_what_is_set_beside_a_name_goes_first(runner: RunnerClient) -> None:
    """An empty value sets nothing."""
    await save(runner, "a", TWO, function="double", timeout_s=7, mode="item")
    body = {"saved": {"name": "a"}, "function": "text", "python": "", "timeout_s": None, "requirements": []}
    _, reply = await runner.call("PUT", "/v1/definitions", json=body)

    assert ("text", "item", 7) == (reply["function"], reply["mode"], reply["timeout_s"])


async def test_a_deleted_name_ends_no_run(runner: RunnerClient) -> None:
    """Its definition is still known by its id."""
    await save(runner, "a")
    _, reply = await runner.call("PUT", "/v1/definitions", json={"saved": {"name": "a"}})
    assert (200, {"deleted": "a"}) == await runner.call("DELETE", "/v1/saved/a")
    status, gone = await runner.call("GET", "/v1/saved/a")
    ran, _ = await run(runner, reply["id"])

    assert (404, "saved_unknown", 200) == (status, gone["code"], ran)


async def run(runner: RunnerClient, definition: str) -> tuple[int, Any]:
    return await runner.call(
        "POST",
        f"/v1/definitions/{definition}/runs",
        params={"workflow": "w", "execution": "e"},
        json={"items": [{"json": {"n": 1}}]},
    )


async def test_a_restarted_runner_needs_no_upload(tmp_path: Path) -> None:
    """A run by id works, and so do saved names."""
    async with running(FakeBackend(), tmp_path, pool_floor=0) as runner:
        definition = await runner.define(CODE)
        await save(runner, "a")
    async with running(FakeBackend(), tmp_path, pool_floor=0) as runner:
        status, reply = await run(runner, definition)
        unknown, problem = await run(runner, "0" * 64)
        named, _ = await runner.call("PUT", "/v1/definitions", json={"saved": {"name": "a"}})

    assert (200, [{"n": 1}]) == (status, [item["json"] for item in reply["items"]])
    assert (404, "definition_unknown", 200) == (unknown, problem["code"], named)


async def test_without_a_database_what_is_in_memory_runs(runner: RunnerClient, tmp_path: Path) -> None:
    """The rest is told that it is away, and /readyz says why."""
    definition = await runner.define(CODE)
    await runner.until_ready()
    await runner.state.database.close()
    ran, _ = await run(runner, definition)
    answers = [
        await run(runner, "0" * 64),
        await runner.call("PUT", "/v1/definitions", json={"code": "x = 1"}),
        await runner.call("GET", "/v1/saved"),
        await runner.call("PUT", "/v1/definitions", json={"saved": {"name": "a"}}),
    ]
    again, _ = await runner.call("PUT", "/v1/definitions", json={"code": CODE})
    ready, parts = await runner.call("GET", "/readyz")

    assert (200, 200, 200) == (ran, again, ready)
    assert {(503, "unavailable", "database_unavailable")} == {
        (status, reply["category"], reply["code"]) for status, reply in answers
    }
    assert all(reply["hint"] for _, reply in answers)
    assert not parts["parts"]["database"]["ok"]


async def test_a_runner_that_knows_nothing_is_not_ready_without_one(tmp_path: Path) -> None:
    """Each of its runs would fail."""
    (tmp_path / "qflow.db").mkdir()
    async with running(FakeBackend(), tmp_path, pool_floor=0) as runner:
        status, reply = await runner.call("GET", "/readyz")

    assert (503, False) == (status, reply["ready"])
    assert "directory" in reply["parts"]["database"]["reason"]


def saved(name: Any, version: Any = None, **parameters: Any) -> dict[str, Any]:
    given = {"source": "saved", "savedName": {"__rl": True, "mode": "list", "value": name}, **parameters}
    return qflow("", **given, **({} if version is None else {"savedVersion": version}))


async def check(runner: RunnerClient, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    nodes = {"first": first, "second": second}
    status, reply = await runner.call(
        "POST", "/v1/workflows/check", json=workflow(nodes, ("first", "second"))
    )
    assert 200 == status
    assert [] == [finding for node in reply["nodes"] for finding in node["findings"]]
    return reply["links"][0]


async def test_links_are_judged_by_the_saved_code(runner: RunnerClient) -> None:
    """By the version and the function that the node names."""
    await save(runner, "a", "def f(x: int) -> str:\n    return str(x)\n")
    await save(runner, "a", TWO, function="double")
    takes = qflow("def g(n: int) -> int:\n    return n\n")
    links = [
        await check(runner, each, takes)
        for each in (saved("A"), saved("a", 1), saved("a", "1"), saved("a", function="text(n: int) -> str"))
    ]

    assert ["assignable", "incompatible", "incompatible", "incompatible"] == [
        each["verdict"] for each in links
    ]
    assert "incompatible" == (await check(runner, qflow("def g() -> str: ...\n"), saved("a")))["verdict"]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (saved("none"), "the saved definition 'none', which is unknown"),
        (saved("a", 9), "version 9 of the saved definition 'a', which is unknown"),
        (saved("={{ $json.name }}"), "by an expression"),
        (saved("a", "={{ 1 }}"), "by an expression"),
        (saved("a", "x"), "names no version"),
        (saved("a", [1]), "names no version"),
        (saved("a", 10**30), "names no version"),
        (saved(""), "names no saved definition"),
        (saved({"x": 1}), "names no saved definition"),
        (qflow("", source="saved"), "names no saved definition"),
    ],
)
async def test_a_name_that_leads_nowhere_is_not_checked(
    runner: RunnerClient, node: dict[str, Any], reason: str
) -> None:
    """The reason says so, and nothing is refused for it."""
    await save(runner, "a")
    link = await check(runner, node, qflow("def g(n: int) -> int:\n    return n\n"))

    assert "unchecked" == link["verdict"]
    assert reason in link["reason"]
    assert "'first'" in link["reason"]


async def test_a_check_without_the_database_refuses_nothing(runner: RunnerClient) -> None:
    """It says what it could not read."""
    await runner.state.database.close()
    link = await check(runner, saved("a"), qflow("def g(n: int) -> int:\n    return n\n"))

    assert "unchecked" == link["verdict"]
    assert "could not be read" in link["reason"]


async def test_many_saved_nodes_are_checked_quickly(runner: RunnerClient) -> None:
    """All names are asked for at once."""
    for number in range(20):
        await save(runner, f"name {number}", f"def f(n: int = {number}) -> int:\n    return n\n")
    nodes = {f"n{number}": saved(f"name {number % 20}") for number in range(200)}
    wires = [(f"n{number}", f"n{number + 1}") for number in range(199)]
    body = json.dumps(workflow(nodes, *wires))
    await runner.call("POST", "/v1/workflows/check", data=body)
    began = time.perf_counter()
    _, reply = await runner.call("POST", "/v1/workflows/check", data=body)

    assert {"assignable"} == {each["verdict"] for each in reply["links"]}
    assert time.perf_counter() - began < 1


def test_the_command_saves_lists_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the runner's own database, whether it runs or not."""
    monkeypatch.setenv("QFLOW_DATA_DIR", str(tmp_path))
    made = command("definitions", "save", "-", "--name", "Double", "--note", "first", stdin=CODE)
    listed = command("definitions", "list")
    shown = command("definitions", "show", "double")
    unknown = command("definitions", "show", "none")

    assert "Double, version 1: double(n: int) -> int\n" == made.stdout, made.stderr
    assert "Double" in listed.stdout
    assert (CODE, True) == (shown.stdout, "first" in shown.stderr)
    assert (1, True) == (unknown.returncode, "'none'" in unknown.stderr)
