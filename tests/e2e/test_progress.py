"""How far a run is, beneath its node on n8n's canvas: while packages are installed, and while code tells of itself."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Locator, expect

from lab import cache, parts
from lab.browser import Editor, editor
from lab.cache import ROOT
from lab.hooks import with_hooks
from lab.n8n import N8n
from lab.parts import Parts
from lab.processes import free_ports
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE, Node, Workflow, node, qflow
from tests.unit.layers.wheels import Index, served

LARGE = 3 << 20
PRICES = """
# /// script
# dependencies = ["numpy", "pandas", "tzdata"]
# ///


def prices(n: int = 3) -> int:
    import pandas

    return n
"""
FIT = """
from qflow import Context


def fit(ctx: Context) -> str:
    ctx.progress(0.4, "fitting")
    with open({door!r}) as door:
        ctx.progress(None, door.readline().strip())
        return door.readline().strip()
"""


class Held(Index):
    """Tells of one package only when it is let, and then sends the rest of its wheel only when it is let again."""

    def __init__(self, directory: Path, name: str) -> None:
        super().__init__(directory)
        self.name = name
        self.listed = asyncio.Event()
        self.sent = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name == self.name:
            await self.listed.wait()
        if name.startswith(f"{self.name}-") and request.method == "GET" and "Range" not in request.headers:
            return await self._in_two_parts(request, (self.directory / name).read_bytes())
        return await super().answer(request)

    async def _in_two_parts(self, request: web.Request, content: bytes) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Length": str(len(content))})
        await reply.prepare(request)
        await reply.write(content[: LARGE // 2])
        await self.sent.wait()
        await reply.write(content[LARGE // 2 :])
        return reply


@pytest.fixture(scope="module", name="index")
async def _index(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Held]:
    folder = tmp_path_factory.mktemp("index")
    async with served(Held(folder, "pandas")) as index:
        for name, version in (("numpy", "2.3.1"), ("pandas", "2.3.0"), ("tzdata", "2025.2")):
            index.wheel(
                name, version, files={f"{name}/__init__.py": "", f"{name}/data.bin": os.urandom(LARGE)}
            )
        yield index


@pytest.fixture(scope="module", name="watched")
async def _watched(tmp_path_factory: pytest.TempPathFactory, index: Held) -> AsyncIterator[Parts]:
    """n8n with the hook file and the extension, and a runner that has installed nothing yet."""
    await parts.install()
    folder = tmp_path_factory.mktemp("progress")
    env = {"QFLOW_INDEX_URL": index.url}
    runner = await Runner.start(folder / "runner", "process", port=free_ports(1)[0], env=env)
    try:
        n8n = await N8n.start(folder / "n8n", env=with_hooks(folder / "hooks", runner))
        try:
            credential = await n8n.api.create_credential("Qflow runner", CREDENTIAL_TYPE, runner.credential)
            yield Parts(runner, n8n, credential)
        finally:
            await n8n.stop()
    finally:
        await runner.stop()


@pytest.fixture(scope="module", name="canvas")
async def _canvas(watched: Parts) -> AsyncIterator[Editor]:
    await cache.run_script("browser.sh")
    async with editor(watched.n8n.url) as opened:
        yield opened


@pytest.fixture(scope="module", name="pictures")
def _pictures() -> Path:
    """The pictures of the documentation are renewed when QFLOW_SCREENSHOTS=1."""
    wanted = os.environ.get("QFLOW_SCREENSHOTS") == "1"
    return ROOT / "docs" / "images" if wanted else ROOT / "build" / "screenshots"


def workflow(name: str, *nodes: Node) -> Workflow:
    """Started by hand, one node after the other."""
    every = [node("Start", "manualTrigger"), *nodes]
    for at, one in enumerate(every):
        one["position"] = [220 * at, 0]
    connections = {
        before["name"]: {"main": [[{"node": after["name"], "type": "main", "index": 0}]]}
        for before, after in itertools.pairwise(every)
    }
    return {"name": name, "nodes": every, "connections": connections, "settings": {}, "pinData": {}}


async def execute(canvas: Editor, saved: Workflow) -> None:
    await canvas.open_workflow(saved["id"])
    await canvas.fit()
    await canvas.page.locator('[data-test-id="execute-workflow-button"]').click()


def badge(canvas: Editor, name: str) -> Locator:
    return canvas.canvas_node(name).locator(".qflow-progress")


async def pushed(door: Path, line: str) -> None:
    """Write into the pipe that a node waits at."""

    def push() -> None:
        with door.open("a") as file:
            file.write(line)

    await asyncio.wait_for(asyncio.to_thread(push), 30)


async def test_what_is_installed_for_a_node_is_shown_while_it_lasts(
    watched: Parts, canvas: Editor, index: Held, pictures: Path
) -> None:
    """Its phase, its package and how many of them; gone when the node has ended."""
    nodes = (qflow("Prices", PRICES), qflow("Double", "def double(value: int) -> int:\n    return value * 2"))
    await execute(canvas, await watched.save(workflow("Packages", *nodes)))
    shown = badge(canvas, "Prices")
    try:
        await expect(shown).to_have_text("choosing versions")
        index.listed.set()
        await expect(shown).to_have_text("downloading pandas 2.3.0 · 2 of 3")
        await expect(canvas.page.locator(".qflow-said")).to_contain_text("Prices: downloading pandas")
        await expect(badge(canvas, "Double")).to_have_count(0)
        name = canvas.canvas_node("Prices").get_by_text("Prices", exact=True).last
        label, box = await name.bounding_box(), await shown.bounding_box()
        assert label is not None
        assert box is not None
        assert box["y"] >= label["y"] + label["height"], "the name of the node stays in sight"
        await canvas.tidy()
        await canvas.screenshot(pictures / "progress.png")
        await canvas.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        await canvas.screenshot(ROOT / "build" / "screenshots" / "progress-dark.png")
        still = shown.locator("i")
        assert "0s" == await still.evaluate("bar => getComputedStyle(bar, '::before').transitionDuration")
        await canvas.page.emulate_media(color_scheme="light", reduced_motion=None)
    finally:
        index.listed.set()
        index.sent.set()

    await expect(canvas.succeeded("Double")).to_be_visible(timeout=60_000)
    await expect(canvas.page.locator(".qflow-progress")).to_have_count(0)


async def test_what_code_tells_of_itself_is_shown(watched: Parts, canvas: Editor, tmp_path: Path) -> None:
    """A part of the whole as a bar, and its text; where the page comes late, what was told last."""
    door = tmp_path / "door"
    os.mkfifo(door)
    saved = await watched.save(workflow("Own progress", qflow("Fit", FIT.format(door=str(door)))))
    await execute(canvas, saved)
    shown = badge(canvas, "Fit")

    await expect(shown).to_have_text("40 % fitting")
    done = shown.locator("i")
    assert "40%" == await done.evaluate("bar => getComputedStyle(bar).getPropertyValue('--qflow-done')")
    await pushed(door, "<b>late</b>\ndone\n")

    await expect(canvas.succeeded("Fit")).to_be_visible()
    await expect(canvas.page.locator(".qflow-progress")).to_have_count(0)


async def test_only_those_who_may_see_an_execution_hear_of_it(watched: Parts, tmp_path: Path) -> None:
    """n8n is asked: a stranger, and one that does not exist, are refused."""
    door = tmp_path / "door"
    os.mkfifo(door)
    api = watched.n8n.api
    saved = await watched.save(workflow("Watched", qflow("Fit", FIT.format(door=str(door)))))
    execution = await api.start_step(saved, "Fit")
    route = f"{api.url}/rest/qflow/executions"
    try:
        async with aiohttp.ClientSession() as stranger:
            for headers in ({}, {"Cookie": "n8n-auth=made.up.token"}):
                async with stranger.get(f"{route}/{execution}/events", headers=headers) as response:
                    assert response.status in {401, 404}
        for missing in ("999999", "..%2f..", "x" * 80):
            async with api._http.get(f"{route}/{missing}/events") as response:
                assert 404 == response.status, missing
        seen = b""
        async with api._http.get(f"{route}/{execution}/events") as response:
            assert 200 == response.status
            assert "text/event-stream" == response.content_type
            async with asyncio.timeout(30):
                while b"fitting" not in seen:
                    seen += await response.content.readany()
        about = json.loads(seen.partition(b"data: ")[2].split(b"\n")[0])
        assert (execution, "Fit") == (about["execution"], about["node"])
    finally:
        await pushed(door, "late\ndone\n")
        await api.finished(execution)


async def test_without_a_runner_nothing_is_shown(watched: Parts, canvas: Editor, tmp_path: Path) -> None:
    """No message about it either: what a run says of a runner that is away is enough."""
    said: list[str] = []
    canvas.page.on("pageerror", lambda error: said.append(str(error)))
    saved = await watched.save(workflow("Away", qflow("Fit", FIT.format(door=str(tmp_path / "none")))))
    await watched.runner.stop()
    await execute(canvas, saved)

    await expect(
        canvas.canvas_node("Fit").locator('[data-test-id="node-issues"], [class*="error"]').first
    ).to_be_visible()
    await expect(canvas.page.locator(".qflow-progress")).to_have_count(0)
    assert [] == said
