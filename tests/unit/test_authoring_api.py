"""The calls that help to write, over HTTP: analysis, types, links. No sandbox is touched."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import RunnerClient, running
from tests.unit.workflows.build import qflow, workflow

FITTING = workflow(
    {"a": qflow("def f(x: int) -> int: ...\n"), "b": qflow("def g(n: float) -> str: ...\n")}, ("a", "b")
)
BROKEN = workflow(
    {"a": qflow("def f(x: int) -> str: ...\n"), "b": qflow("def g(n: int) -> str: ...\n")}, ("a", "b")
)


@pytest.fixture(scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunnerClient]:
    async with running(FakeBackend(), tmp_path_factory.mktemp("authoring"), pool_floor=0) as client:
        yield client


async def test_analysis_has_the_form_that_the_document_promises(runner: RunnerClient) -> None:
    """Functions with parameters, and nothing of the code is run."""
    code = "raise SystemExit\ndef f(a: int, b: str = 'x') -> list[int]:\n    '''Do it.'''\n"
    status, reply = await runner.call("POST", "/v1/analyze", json={"code": code})

    assert 200 == status
    assert {"functions", "entry", "script", "imports", "requirements", "findings"} == set(reply)
    function = reply["functions"][0]
    assert ("f", "f", "list[int]", "Do it.") == (
        reply["entry"],
        *(function[name] for name in ("name", "returns", "doc")),
    )
    assert [("a", "int", True, None), ("b", "str", False, "'x'")] == [
        tuple(each[name] for name in ("name", "type", "required", "default")) for each in function["params"]
    ]


async def test_code_that_does_not_parse_is_analysed_too(runner: RunnerClient) -> None:
    """With a finding that has line, column and a caret."""
    status, reply = await runner.call("POST", "/v1/analyze", json={"code": "def f(:\n    pass\n"})

    finding = reply["findings"][0]
    assert (200, "error", 1) == (status, finding["severity"], finding["line"])
    assert "^" in finding["source"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"code": "x", "python": "2.7"}, 422, "python_unsupported"),
        ({"code": "x", "python": "new"}, 422, "python_unsupported"),
        ({}, 400, "request_invalid"),
        ({"code": 5}, 400, "request_invalid"),
        ({"code": "x" * 1_000_001}, 400, "request_invalid"),
    ],
)
async def test_what_cannot_be_analysed_is_refused(
    runner: RunnerClient, body: dict[str, Any], status: int, code: str
) -> None:
    """With a problem document."""
    answered, reply = await runner.call("POST", "/v1/analyze", json=body)

    assert (status, code) == (answered, reply["code"])


async def test_types_are_judged(runner: RunnerClient) -> None:
    """The call of the design."""
    status, reply = await runner.call("POST", "/v1/types/check", json={"source": "int", "target": "float"})
    assert (200, {"verdict": "assignable", "reason": "", "suggestion": ""}) == (status, reply)

    status, reply = await runner.call("POST", "/v1/types/check", json={"source": "int[", "target": "float"})
    assert (422, "type_unreadable") == (status, reply["code"])


async def test_a_workflow_is_checked_and_kept(runner: RunnerClient) -> None:
    """POST answers, PUT also keeps, GET says what was found last."""
    assert (200, True) == _ok(await runner.call("POST", "/v1/workflows/check", json=FITTING))
    assert (404, "workflow_unknown") == _code(await runner.call("GET", "/v1/workflows/mine"))
    assert (200, False) == _ok(await runner.call("PUT", "/v1/workflows/mine", json=BROKEN))
    assert (200, False) == _ok(await runner.call("GET", "/v1/workflows/mine"))
    assert (200, True) == _ok(await runner.call("PUT", "/v1/workflows/mine", json=FITTING))
    assert (200, True) == _ok(await runner.call("GET", "/v1/workflows/mine"))


async def test_what_is_no_workflow_is_refused(runner: RunnerClient) -> None:
    """Whatever JSON comes."""
    for body in ([], {}, {"nodes": 5}, {"nodes": [{"name": 1}]}, "text"):
        assert (400, "request_invalid") == _code(await runner.call("POST", "/v1/workflows/check", json=body))


async def test_an_empty_workflow_is_fine(runner: RunnerClient) -> None:
    """As n8n saves a new one."""
    body = {"name": "", "nodes": [], "connections": {}}

    assert (200, True) == _ok(await runner.call("POST", "/v1/workflows/check", json=body))


async def test_a_definition_says_which_packages_it_needs(runner: RunnerClient) -> None:
    """The list that is given, else the header's, else what its imports ask for; nothing is installed by that."""
    code = "import pandas as pd\nfrom qflow import File\ndef f(data: File) -> int: ..."
    header = '# /// script\n# dependencies = ["polars>=1"]\n# ///\n'
    replies = [
        (await runner.call("PUT", "/v1/definitions", json=body))[1]
        for body in (
            {"code": code},
            {"code": header + code},
            {"code": code, "requirements": ["pandas<3", " "]},
            {"code": "import json\ndef f(n: int) -> int: ..."},
        )
    ]

    assert [["pandas"], ["polars>=1"], ["pandas<3"], []] == [reply["requirements"] for reply in replies]
    assert [True, True, True, False] == [reply["takes_files"] for reply in replies]


async def test_the_editor_extension_is_served(runner: RunnerClient) -> None:
    """To a browser, which has no token."""
    async with runner.http.get(
        runner.address + "/editor/qflow-editor.js", headers={"Authorization": ""}
    ) as response:
        assert (200, "text/javascript") == (response.status, response.content_type)


def _ok(answer: tuple[int, Any]) -> tuple[int, bool]:
    return answer[0], answer[1]["ok"]


def _code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


def test_the_folder_of_the_extension_is_found() -> None:
    """In a checkout as in an installed package."""
    from qflow_runner.n8n_files import editor_files

    assert (Path(editor_files()) / "qflow-editor.js").is_file()


async def test_workflows_are_there_after_a_restart(tmp_path: Path) -> None:
    """With their checks, in the order in which they were put, and new ones before those of the earlier runner."""
    async with running(FakeBackend(), tmp_path, pool_floor=0) as runner:
        await runner.call("PUT", "/v1/workflows/broken", json=BROKEN)
        await runner.call("PUT", "/v1/workflows/fitting", json=FITTING)
    async with running(FakeBackend(), tmp_path, pool_floor=0) as runner:
        await runner.call("PUT", "/v1/workflows/new", json=FITTING)
        assert (200, False) == _ok(await runner.call("GET", "/v1/workflows/broken"))
        assert (404, "workflow_unknown") == _code(await runner.call("GET", "/v1/workflows/other"))
        _, content = await runner.call("GET", "/v1/workflows/fitting/content")
        assert FITTING == content
        async with asyncio.timeout(10):
            while len(listed := (await runner.call("GET", "/v1/workflows"))[1]["workflows"]) < 3:
                await asyncio.sleep(0.02)  # they come back beside the start

    assert "new" == listed[0]["id"]
    assert {"new": True, "fitting": True, "broken": False} == {each["id"]: each["ok"] for each in listed}


async def test_an_id_that_no_database_can_keep_is_refused(runner: RunnerClient) -> None:
    """Before its workflow is checked."""
    reply = await runner.call("PUT", f"/v1/workflows/{'x' * 201}", json=FITTING)

    assert (400, "request_invalid") == _code(reply)
