"""Calls that are made from the OpenAPI document, right ones and wrong ones, against a real server.

No answer is a mistake of the runner (5xx, other than a documented 503), none has an undocumented status or type, and
each matches its schema. How many calls are made is bounded by time: what is found by more of them, more time finds.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from qflow_runner.api import openapi
from qflow_runner.api.routes import ROUTES, Route
from tests.faults.runner import RunnerProcess
from tests.runner import TOKEN

SECONDS = 0.6
"""Of each route, for right calls and for wrong ones."""
EXAMPLES = 40
CALL_S = 20.0
LONGEST = 8_000
"""Bytes of an address that the server reads."""
PARTS_AWAY = {502, 503, 504, 507}
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
CODE = "def f(item: dict) -> dict:\n    return item\n"
SCHEMA = schemathesis.openapi.from_dict(openapi.document())
STREAMS = "text/event-stream"

load_all_checks()
NAMES = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
CONFORMANCE = CHECKS.get_by_names(NAMES)


@dataclass
class Served:
    """A runner, and the names of what there is in it, by the path below which they stand."""

    url: str
    known: dict[str, str] = field(default_factory=dict[str, str])

    log: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def mistakes(self) -> list[dict[str, Any]]:
        return [event for event in self.log if event["event"] == "request.failed"][-1:]

    def name(self, route: Route) -> str | None:
        """None where the call would take away what others need."""
        if route.method == "DELETE":
            return None
        return next((name for place, name in self.known.items() if route.path.startswith(place)), None)


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """With plain processes, and no index to ask: names of packages are generated too."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "wheels").mkdir()
    given = {
        "python": "{}.{}".format(*sys.version_info[:2]),
        "pool_floor": 1,
        "wheels_dir": folder / "wheels",
        "advisories": "off",
        "rate_per_s": 0,
        "time_limit_s": 5,
    }
    runner = RunnerProcess("process", folder / "data", given)
    await runner.start()
    client = runner.client
    status, reply = await client.run(CODE, [{"a": 1}], workflow="known", execution="known")
    assert 200 == status, reply
    place = {"workflow": "known", "execution": "known"}
    _, file = await client.call("POST", "/v1/files", params=place, data=b"content")
    await client.call("PUT", "/v1/saved/known", json={"code": CODE})
    await client.call("PUT", "/v1/workflows/known", json={"nodes": [], "connections": {}})
    yield Served(
        client.address,
        {
            "/v1/definitions": await client.define(CODE),
            "/v1/saved": "known",
            "/v1/executions": "known",
            "/v1/runs": reply["run"],
            "/v1/workflows": "known",
            "/v1/files": file["file"],
        },
        runner.log,
    )
    await runner.stop()


def name_of(each: object) -> str:
    return f"{each.method} {each.path}" if isinstance(each, Route) else str(each)


@pytest.mark.parametrize("mode", ["right calls", "wrong calls"])
@pytest.mark.parametrize("route", [route for route in ROUTES if route.content != STREAMS], ids=name_of)
async def test_generated(served: Served, route: Route, mode: str) -> None:
    positive = mode == "right calls"
    if not positive and not (route.body or route.query or route.raw or "{" in route.path):
        return  # there is nothing in it that could be wrong
    calls = await asyncio.to_thread(made, served, route, positive)
    assert calls > 0


@pytest.mark.parametrize("route", [route for route in ROUTES if route.content == STREAMS], ids=name_of)
async def test_streams(served: Served, route: Route) -> None:
    """They begin at once and have no end, so only their beginning is looked at."""

    def head() -> tuple[int, str]:
        path = served.url + route.path.replace("{id}", "known")
        with requests.get(path, headers=HEADERS, stream=True, timeout=CALL_S) as response:
            return response.status_code, response.headers["Content-Type"].partition(";")[0]

    assert (200, STREAMS) == await asyncio.to_thread(head)


async def test_the_next_run_works(served: Served) -> None:
    """After all of it. Runs last in this file."""

    def run() -> tuple[int, Any]:
        path = f"{served.url}/v1/definitions/{served.known['/v1/definitions']}/runs"
        query = {"workflow": "after", "execution": "after"}
        body = {"items": [{"json": {"n": 1}}]}
        response = requests.post(path, headers=HEADERS, params=query, json=body, timeout=CALL_S)
        return response.status_code, response.json()

    status, reply = await asyncio.to_thread(run)
    assert 200 == status, reply
    assert {"n": 1} == reply["items"][0]["json"]


def made(served: Served, route: Route, positive: bool) -> int:
    """Makes calls until its time is over. How many."""
    operation = SCHEMA[route.path][route.method]
    cases = operation.as_strategy(
        generation_mode=GenerationMode.POSITIVE if positive else GenerationMode.NEGATIVE
    )
    until, count = time.monotonic() + SECONDS, 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases, known=st.booleans())
    def call(case: schemathesis.Case, known: bool) -> None:
        nonlocal count
        if count and time.monotonic() > until:
            return
        count += 1
        name = served.name(route)
        if known and name is not None:
            case.path_parameters = dict.fromkeys(case.path_parameters or {}, name)
            if positive and route.query is not None:
                case.query = {**case.query, **place_of(route)}
        case.headers.pop("Authorization", None)
        response = case.call(base_url=served.url, headers=HEADERS, timeout=CALL_S)
        if len(str(response.request.url)) > LONGEST:
            # No HTTP that the server takes at all: refused before any route is looked for.
            assert response.status_code in {400, 414}
            return
        if response.status_code >= 500:
            told = f"{response.status_code} {response.content[:500]!r} for {case.as_curl_command()}"
            assert response.status_code in PARTS_AWAY, f"{told}: {served.mistakes()}"
            assert response.status_code in {503, *route.failures}, told
        case.validate_response(response, checks=CONFORMANCE, headers=HEADERS)

    call()
    return count


def place_of(route: Route) -> dict[str, str]:
    """One sandbox for all of these calls, where they need one."""
    fields = route.query.model_fields if route.query is not None else {}
    return {name: "known" for name in ("workflow", "execution") if name in fields}
