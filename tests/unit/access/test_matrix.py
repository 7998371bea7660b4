"""Every call of the table against every kind of token: who may, who may not, who is not known."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from qflow_runner.access import SCOPES, effective
from qflow_runner.api.routes import ROUTES, Route
from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import RunnerClient, running

GUARDED = [route for route in ROUTES if not route.open]
CHANGES = {"edit", "admin"}
EVENTS = "text/event-stream"


@pytest.fixture(scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunnerClient]:
    path: Path = tmp_path_factory.mktemp("matrix")
    async with running(FakeBackend(), path, pool_floor=0) as client:
        yield client


@pytest.fixture(scope="module")
async def tokens(runner: RunnerClient) -> dict[str, str]:
    made = {}
    for scope in SCOPES:
        status, reply = await runner.call("POST", "/v1/tokens", json={"name": scope, "scopes": [scope]})
        assert 200 == status, reply
        made[scope] = reply["token"]
    return made


def test_every_route_names_its_scopes() -> None:
    """And those that need no token are known by name: nothing becomes open unnoticed."""
    assert [] == [route.path for route in GUARDED if not route.scopes]
    assert all(set(route.scopes) <= set(SCOPES) for route in GUARDED)
    assert {"/healthz", "/readyz", "/metrics", "/openapi.json", "/editor/qflow-editor.js"} == {
        route.path for route in ROUTES if route.open
    }


def test_every_change_is_in_the_audit_log() -> None:
    """Whatever is no reading, and is for those who edit or administer."""
    changes = [route for route in GUARDED if route.method != "GET" and CHANGES & set(route.scopes)]

    assert [] == [f"{route.method} {route.path}" for route in changes if not route.audit]
    assert len({route.audit for route in changes}) == len(changes)


@pytest.mark.parametrize(
    ("route", "scope"),
    list(itertools.product(GUARDED, [*SCOPES, ""])),
    ids=lambda each: f"{each.method} {each.path}" if isinstance(each, Route) else each or "none",
)
async def test_who_may_call_what(
    runner: RunnerClient, tokens: dict[str, str], route: Route, scope: str
) -> None:
    """401 without a token, 403 without the scope, and otherwise what the call itself says."""
    headers = {"Authorization": f"Bearer {tokens[scope]}"} if scope else {"Authorization": ""}
    path = route.path.replace("{id}", "0" * 32).replace("{name}", quote("no such name"))
    async with runner.http.request(route.method, runner.address + path, headers=headers) as response:
        status = response.status
        kind = response.content_type
        code = "" if kind == EVENTS else (await response.json(content_type=None)).get("code")

    if not scope:
        assert (401, "unauthorized") == (status, code)
    elif set(route.scopes) <= effective([scope]):  # type: ignore[list-item]
        assert status not in {401, 403, 429}, code
    else:
        assert (403, "scope_missing") == (status, code)
