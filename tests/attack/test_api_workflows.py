"""Workflows that nobody's editor would make: their nodes' parameters are drawn from what JSON can hold."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import RunnerClient, running

CODE = "def f(a):\n    return a\n"
ODD: dict[str, Any] = {
    "nothing": None,
    "a number": 7,
    "a huge number": 10**400,
    "a text": "zz",
    "a version that there is not": "3.99",
    "a version of version": "3.12.1.4",
    "a list": [[], {}],
    "an object": {"__rl": True, "value": {"mode": 1}},
    "an expression": "={{ $json.x }}",
    "half a character": "\ud800",
    "a zero": "\0",
}
FIELDS = ("code", "python", "function", "mode", "requirements", "arguments", "output", "options")


@pytest.fixture(scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunnerClient]:
    path: Path = tmp_path_factory.mktemp("workflows")
    async with running(FakeBackend(), path, pool_floor=0) as client:
        yield client


def workflow(field: str, value: Any) -> dict[str, Any]:
    parameters = {"code": CODE, "options": {}} | {field: value}
    if field not in {"code", "options"}:
        parameters["options"] = {field: value}
    node = {"id": "a", "type": "n8n-nodes-qflow.qflowPython", "typeVersion": 1, "position": [0, 0]}
    nodes = [{**node, "name": name, "parameters": parameters} for name in ("A", "B")]
    return {
        "nodes": nodes,
        "connections": {"A": {"main": [[{"node": "B", "type": "main", "index": 0}]]}},
    }


@pytest.mark.parametrize(("field", "odd"), list(itertools.product(FIELDS, ODD)), ids=str)
async def test_odd(runner: RunnerClient, field: str, odd: str) -> None:
    """Checked, kept and run: each is answered as the caller's affair."""
    made = workflow(field, ODD[odd])
    for method, path, body in (
        ("POST", "/v1/workflows/check", made),
        ("PUT", "/v1/workflows/odd", made),
        ("POST", "/v1/workflows/odd/runs", {"workflow": made}),
        ("GET", "/v1/workflows/odd", None),
    ):
        status, reply = await runner.call(method, path, json=body)
        assert status in {200, 400, 404, 413, 422}, (method, path, reply)
    assert 200 == (await runner.run(CODE, [{"a": 1}]))[0]
