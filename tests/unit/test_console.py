"""The console's files, and the calls that it alone needs: over HTTP, with no browser."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from qflow_runner.api import openapi
from qflow_runner.api.console import HEADERS, add_console
from qflow_runner.api.settings import SET, rows_of
from qflow_runner.sandbox.fake import FakeBackend
from qflow_runner.settings import Settings
from qflow_runner.types.catalogue import GROUPS, catalogue
from tests.runner import RunnerClient, running
from tests.unit.workflows.build import qflow, workflow

CALLS = Path(__file__).parents[2] / "runner" / "console" / "src" / "api" / "calls.ts"
ORDERS = workflow(
    {"a": qflow("def f(x: int) -> str: ...\n"), "b": qflow("def g(n: int) -> str: ...\n")}, ("a", "b")
)


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(FakeBackend(), tmp_path) as client:
        await client.until_ready()
        yield client


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "console"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>Qflow</title>")
    (folder / "assets" / "index-abc.js").write_text("plain")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
async def pages(built: Path) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    add_console(app, built)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_the_pages_need_no_token_and_the_root_leads_to_them(runner: RunnerClient) -> None:
    """What they ask for needs one."""
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{runner.address}/", allow_redirects=False) as response:
            assert (302, "/console/") == (response.status, response.headers["Location"])
        async with http.get(f"{runner.address}/console/executions") as response:
            assert response.status in {200, 503}  # built in this checkout, or not
            assert HEADERS["Content-Security-Policy"] == response.headers["Content-Security-Policy"]
        async with http.get(f"{runner.address}/v1/workflows") as response:
            assert 401 == response.status


async def test_assets_are_kept_for_ever_and_the_page_is_not(
    pages: TestClient[web.Request, web.Application],
) -> None:
    """An asset's name changes with its content; the page names the assets of the newest build."""
    asset, page = await pages.get("/console/assets/index-abc.js"), await pages.get("/console/studio")

    assert "public, max-age=31536000, immutable" == asset.headers["Cache-Control"]
    assert "text/javascript; charset=utf-8" == asset.headers["Content-Type"]
    assert ("no-cache", "<title>Qflow</title>") == (page.headers["Cache-Control"], await page.text())


async def test_the_policy_lets_nothing_in_from_elsewhere(
    pages: TestClient[web.Request, web.Application],
) -> None:
    """No inline script or style, no other host, no frame around it."""
    policy = (await pages.get("/console/")).headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)


@pytest.mark.parametrize(
    "path",
    [
        "/console/assets/none.js",
        "/console/assets/../../secret.txt",
        "/console/assets/%2e%2e/%2e%2e/secret.txt",
    ],
)
async def test_only_files_of_the_build_are_served(
    pages: TestClient[web.Request, web.Application], path: str
) -> None:
    """A path is looked up among the files, and never followed."""
    response = await pages.session.get(pages.make_url("/").with_path(path, encoded=True))

    assert "secret" not in await response.text()


async def test_without_a_build_a_page_says_how_to_make_it(tmp_path: Path) -> None:
    """And a build that is made meanwhile is served."""
    app = web.Application()
    add_console(app, tmp_path / "console")
    async with TestClient(TestServer(app)) as client:
        before = await client.get("/console/")
        assert (503, True) == (before.status, "make console" in await before.text())
        (tmp_path / "console").mkdir()
        (tmp_path / "console" / "index.html").write_text("built")
        assert "built" == await (await client.get("/console/")).text()


def test_every_call_of_the_console_is_one_of_the_api() -> None:
    """Method and path, read from the module that makes them all."""
    paths = openapi.document()["paths"]
    calls = re.findall(r"'(GET|PUT|POST|DELETE)',\s*['`](/[^'`]*)['`]", CALLS.read_text())
    offered = {
        (method.upper(), re.sub(r"{\w+}", "{}", path))
        for path, methods in paths.items()
        for method in methods
    }

    assert len(calls) > 20
    assert [] == [
        each
        for each in ((method, re.sub(r"\${[^}]*}", "{}", path)) for method, path in calls)
        if each not in offered
    ]


async def test_kept_workflows_are_listed_with_their_json(runner: RunnerClient) -> None:
    """The one that was put last first."""
    put = {"name": "Orders", **ORDERS.model_dump(by_alias=True)} if not isinstance(ORDERS, dict) else ORDERS
    text = json.dumps({**put, "name": "Orders"})
    assert 200 == (await runner.call("PUT", "/v1/workflows/orders", data=text))[0]
    assert 200 == (await runner.call("PUT", "/v1/workflows/other", data=text))[0]
    _, reply = await runner.call("GET", "/v1/workflows")

    assert ["other", "orders"] == [each["id"] for each in reply["workflows"]]
    assert {
        "id": "orders",
        "name": "Orders",
        "ok": False,
        "nodes": 2,
        "links": 1,
        "refused": 1,
        "bytes": len(text.encode()),
    } == reply["workflows"][1]
    assert (200, json.loads(text)) == await runner.call("GET", "/v1/workflows/orders/content")
    assert 404 == (await runner.call("GET", "/v1/workflows/none/content"))[0]


async def test_types_are_listed_with_what_they_are_kinds_of_and_how_they_fit(runner: RunnerClient) -> None:
    """Judged from one side or the other; not from both."""
    _, plain = await runner.call("GET", "/v1/types")
    _, into = await runner.call("GET", "/v1/types", params={"source": "bool"})
    _, out = await runner.call("GET", "/v1/types", params={"target": "int"})
    verdicts = {each["name"]: each["verdict"] for each in into["types"]}

    assert {None} == {each["verdict"] for each in plain["types"]}
    assert ("number", "int") == tuple(
        each["parent"] for name in ("int", "bool") for each in plain["types"] if each["name"] == name
    )
    assert ("assignable", "assignable", "incompatible") == (
        verdicts["int"],
        verdicts["float"],
        verdicts["pandas.DataFrame"],
    )
    assert ["assignable"] == [each["verdict"] for each in out["types"] if each["name"] == "bool"]
    assert 400 == (await runner.call("GET", "/v1/types", params={"source": "int", "target": "int"}))[0]
    assert 422 == (await runner.call("GET", "/v1/types", params={"source": "list["}))[0]


def test_every_type_of_the_catalogue_is_readable_and_its_parent_is_in_it() -> None:
    """So that the list is a forest."""
    names = {name for _, group in GROUPS for name in group}

    assert names == {each.name for each in catalogue()}
    assert set() == {each.parent for each in catalogue() if each.parent} - names


async def test_a_sandbox_can_be_taken_out_of_use(runner: RunnerClient) -> None:
    """It is gone, and another one comes."""
    before = [each["id"] for each in await runner.sandboxes()]
    reply = await runner.call("POST", f"/v1/sandboxes/{before[0]}/retire")
    again = await runner.call("POST", "/v1/sandboxes/none/retire")

    assert (200, {"retired": before[0]}) == reply
    assert (404, "sandbox_unknown") == (again[0], again[1]["code"])
    assert before[0] not in [each["id"] for each in await runner.sandboxes()]


def test_settings_are_told_without_their_secrets(tmp_path: Path) -> None:
    """Nor is a password in an address; each says its unit and what it is for."""
    rows = {
        row.name: row
        for row in rows_of(
            Settings(
                token="a-secret-of-16-characters",
                data_dir=tmp_path,
                advisories_url="https://user:hidden@osv.example/",
            )
        )
    }
    told = json.dumps([row.model_dump(mode="json") for row in rows.values()])

    assert "a-secret-of" not in told
    assert "hidden" not in told
    assert (SET, None) == (rows["QFLOW_TOKEN"].value, rows["QFLOW_REDIS_URL"].value)
    assert (str(tmp_path), "path") == (rows["QFLOW_DATA_DIR"].value, rows["QFLOW_DATA_DIR"].unit)
    assert all(row.help and row.unit for row in rows.values())
