"""The hook file and the editor extension, in an n8n of their own: what people see of links, and what is refused."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Locator, Page, expect

from lab import cache, parts
from lab.browser import Editor, editor
from lab.cache import ROOT, VERSIONS
from lab.errors import RequestFailedError
from lab.hooks import with_hooks
from lab.n8n import N8n
from lab.n8n_api import N8nApi
from lab.parts import Parts
from lab.processes import free_ports
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE, Node, Workflow, node, pinned, qflow
from qflow_runner.n8n_files import EXTENSION_URL, editor_files

ORDERS = '''
from typing import TypedDict


class Order(TypedDict):
    item: str
    price: float


def orders() -> list[Order]:
    """The orders of today."""
    return [Order(item="lamp", price=30.0)]
'''
TOTAL = '''
from typing import TypedDict


class Order(TypedDict):
    item: str
    price: float


def total(orders: list[Order]) -> float:
    """What they cost together."""
    return sum(order["price"] for order in orders)
'''
PRICE = '''
def with_tax(price: float, rate: float = 0.19) -> float:
    """A price with tax."""
    return round(price * (1 + rate), 2)
'''
AGES = '''
def mean_age(age: int) -> int:
    """Takes a field that no order has."""
    return age
'''
DEADLINE_S = 30
REFUSED = re.compile(r"'Orders' gives .*'Ages' takes")


@pytest.fixture(scope="module", name="checked")
async def _checked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """n8n with the hook file and the extension. Nothing here runs code, so the runner needs no container."""
    await parts.install()
    folder = tmp_path_factory.mktemp("links")
    runner = await Runner.start(folder / "runner", "process", port=free_ports(1)[0])
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
async def _canvas(checked: Parts) -> AsyncIterator["Canvas"]:
    await cache.run_script("browser.sh")
    async with editor(checked.n8n.url) as opened:
        yield Canvas(opened)


@pytest.fixture(scope="module", name="pictures")
def _pictures() -> Path:
    """The pictures of the documentation are renewed when QFLOW_SCREENSHOTS=1."""
    wanted = os.environ.get("QFLOW_SCREENSHOTS") == "1"
    return ROOT / "docs" / "images" if wanted else ROOT / "build" / "screenshots"


class Canvas:
    """The open workflow in the editor, its links among other things."""

    def __init__(self, opened: Editor) -> None:
        self.editor = opened
        self.page = opened.page

    async def open(self, workflow: Workflow) -> None:
        await self.editor.open_workflow(workflow["id"])
        await self.editor.fit()

    async def go(self, path: str) -> None:
        """Go to another page of the editor without loading it anew, as its own links do."""
        await self.page.evaluate(
            "path => document.querySelector('#app').__vue_app__.config.globalProperties.$router.push(path)",
            path,
        )

    def edge(self, source: str, target: str) -> Locator:
        return self.page.locator(
            f'.vue-flow__edge:has([data-source-node-name="{source}"][data-target-node-name="{target}"])'
        )

    def handle(self, name: str, side: str) -> Locator:
        return self.page.locator(f'[data-test-id="canvas-node-{side}-handle"][data-node-name="{name}"]').first

    async def draw(self, source: str, target: str) -> None:
        """Draw a link by hand: press on the source's output, move, let go on the target's input."""
        start, end = self.handle(source, "output"), self.handle(target, "input")
        x, y = await _middle(start)
        await self.page.mouse.move(x, y)
        await self.page.mouse.down()
        x, y = await _middle(end)
        await self.page.mouse.move(x - 40, y + 10, steps=8)
        await self.page.mouse.move(x, y, steps=4)
        async with self.page.expect_response(lambda response: response.url.endswith("/qflow/check")):
            await self.page.mouse.up()

    async def verdict(self, source: str, target: str) -> str:
        """What the colour of a link says, by the colours that the extension has put into the page."""
        path = self.edge(source, target).locator("path.vue-flow__edge-path")
        return await path.evaluate(
            """path => {
                const colour = name => {
                    const probe = document.body.appendChild(document.createElement('i'));
                    probe.style.color = `var(--qflow-${name}, transparent)`;
                    const found = getComputedStyle(probe).color;
                    probe.remove();
                    return found;
                };
                const names = ['assignable', 'convertible', 'unchecked', 'incompatible'];
                return names.find(name => colour(name) === getComputedStyle(path).stroke) ?? '';
            }"""
        )

    async def until(self, source: str, target: str, verdict: str) -> None:
        """Wait until a link has the colour of a verdict; "" is n8n's own colour."""
        await expect(self.edge(source, target)).to_be_attached()
        await _until(lambda: self.verdict(source, target), verdict)

    async def hover(self, source: str, target: str) -> Locator:
        """Point at the middle of a link; what is explained there."""
        path = self.edge(source, target).locator("path.vue-flow__edge-path")
        x, y = await path.evaluate(
            """path => {
                const middle = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
                return [middle.x, middle.y];
            }"""
        )
        await self.page.mouse.move(x, y - 60)
        await self.page.mouse.move(x, y, steps=6)
        return self.page.locator(".qflow-tooltip")

    @property
    def refusal(self) -> Locator:
        return self.page.get_by_role("alert").filter(has_text="taken away")

    @property
    def notice(self) -> Locator:
        return self.page.get_by_role("status").filter(has_text="Links are not checked")

    async def wires(self) -> dict[str, list[str]]:
        """Who feeds whom, as the editor would save it."""
        return await self.page.evaluate(
            """() => {
                const stores = document.querySelector('#app').__vue_app__.config.globalProperties.$pinia._s;
                const id = location.pathname.split('/')[2];
                const wires = stores.get(`workflowDocuments/${id}@latest`).connectionsBySourceNode;
                const fed = Object.entries(wires).map(([name, { main }]) => [name, main.flat().map(each => each.node)]);
                return Object.fromEntries(fed.filter(([, names]) => names.length > 0));
            }"""
        )


async def _middle(handle: Locator) -> tuple[float, float]:
    box = await handle.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def _until(look: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """Wait until a look shows what is wanted: the page has no event for the colours of its lines."""
    seen = await look()
    try:
        async with asyncio.timeout(DEADLINE_S):
            while seen != wanted:
                await asyncio.sleep(0.05)
                seen = await look()
    except TimeoutError:
        assert wanted == seen


def at(one: Node, x: int, y: int) -> Node:
    return {**one, "position": [x, y]}


def workflow(name: str, *links: tuple[str, str]) -> Workflow:
    """Start, Orders, Wait (which hands items on), Total, With tax, Ages: linked as told."""
    nodes = [
        at(node("Start", "manualTrigger"), 0, 0),
        at(qflow("Orders", ORDERS), 220, 0),
        at(node("Wait", "wait", version=1.1), 560, -160),
        at(qflow("Total", TOTAL), 900, -160),
        at(qflow("With tax", PRICE), 900, 40),
        at(qflow("Ages", AGES), 480, 200),
    ]
    connections: dict[str, Any] = {}
    for source, target in (("Start", "Orders"), *links):
        main = connections.setdefault(source, {"main": [[]]})["main"]
        main[0].append({"node": target, "type": "main", "index": 0})
    return {"name": name, "nodes": nodes, "connections": connections, "settings": {}, "pinData": {}}


BAD = ("Orders", "Ages")
GOOD = (("Orders", "Wait"), ("Wait", "Total"), ("Orders", "With tax"))


def webhook(saved: Workflow) -> Workflow:
    """The same, begun by a webhook, so that it may be published."""
    hook = node(
        "Start", "webhook", {"path": saved["name"], "httpMethod": "POST"}, version=2, webhookId=saved["name"]
    )
    return pinned({**saved, "nodes": [hook, *saved["nodes"][1:]]}, "Start", [{}])


async def refused(call: Any) -> RequestFailedError:
    with pytest.raises(RequestFailedError) as caught:
        await call
    return caught.value


async def test_a_link_has_the_colour_of_its_verdict_and_explains_it(
    checked: Parts, canvas: Canvas, pictures: Path
) -> None:
    """Also along a node that hands items on. What leads to or from other nodes keeps n8n's colour."""
    good = workflow("Good links", *GOOD)
    good["nodes"] = [one for one in good["nodes"] if one["name"] != "Ages"]
    await canvas.open(await checked.save(good))

    await canvas.until("Orders", "With tax", "assignable")
    assert "assignable" == await canvas.verdict("Orders", "Wait")
    assert "assignable" == await canvas.verdict("Wait", "Total")
    assert "" == await canvas.verdict("Start", "Orders")

    tooltip = await canvas.hover("Wait", "Total")
    await expect(tooltip).to_contain_text("orders: list[Order]")
    await expect(tooltip).to_contain_text("by way of Wait")
    await expect(await canvas.hover("Orders", "With tax")).to_contain_text("price: float")
    await canvas.editor.tidy()
    await expect(canvas.page.locator('[data-test-id="canvas-edge-toolbar"]')).to_have_count(1)
    await canvas.editor.screenshot(pictures / "links-good.png")


async def test_a_link_that_cannot_work_is_taken_away_as_it_is_drawn(
    checked: Parts, canvas: Canvas, pictures: Path
) -> None:
    """It is said why, and what would fit. Undo and redo end as one expects: without the link."""
    await canvas.open(await checked.save(workflow("A bad link", *GOOD[:2])))
    await canvas.until("Wait", "Total", "assignable")
    before = await canvas.wires()

    await canvas.draw(*BAD)

    await expect(canvas.refusal).to_contain_text(REFUSED)
    await expect(canvas.refusal).to_contain_text("With tax")
    assert before == await canvas.wires()
    await expect(canvas.edge(*BAD)).to_have_count(0)
    await canvas.editor.tidy()
    await canvas.editor.screenshot(pictures / "links-refused.png")

    await canvas.refusal.get_by_role("button", name="Close").click()
    await expect(canvas.refusal).to_be_hidden()
    await canvas.page.keyboard.press("Control+z")
    await canvas.page.keyboard.press("Control+Shift+z")
    await expect(canvas.refusal).to_contain_text(REFUSED)
    await _until(canvas.wires, before)
    await expect(canvas.edge(*BAD)).to_have_count(0)

    await canvas.refusal.get_by_role("button", name="Link to 'With tax'").click()
    await canvas.until("Orders", "With tax", "assignable")
    await expect(canvas.refusal).to_be_hidden()


async def test_a_link_that_was_there_before_is_red_and_stays(checked: Parts, canvas: Canvas) -> None:
    """Its node carries the reason. Deleting it and undoing that brings it back."""
    await canvas.open(await checked.save(workflow("An old bad link", BAD)))

    await canvas.until(*BAD, "incompatible")
    await expect(await canvas.hover(*BAD)).to_contain_text(REFUSED)
    await expect(canvas.editor.canvas_node("Ages").locator('[data-test-id="node-issues"]')).to_be_visible()
    await expect(canvas.editor.canvas_node("Total").locator('[data-test-id="node-issues"]')).to_be_hidden()

    await canvas.page.locator('[data-test-id="delete-connection-button"]').click()
    await expect(canvas.edge(*BAD)).to_have_count(0)
    await canvas.page.keyboard.press("Control+z")

    await canvas.until(*BAD, "incompatible")
    await expect(canvas.refusal).to_be_hidden()


async def test_colours_follow_what_people_change(checked: Parts, canvas: Canvas) -> None:
    """Another function in a node, then another workflow in the same page, and back."""
    first = await checked.save(workflow("Changing", *GOOD))
    second = await checked.save(workflow("Another one", BAD))
    await canvas.open(first)
    await canvas.until("Orders", "With tax", "assignable")

    await canvas.editor.open_node("With tax")
    await canvas.editor.write_code(AGES)
    await canvas.editor.close_node()
    await canvas.until("Orders", "With tax", "incompatible")
    assert "assignable" == await canvas.verdict("Wait", "Total")

    await canvas.go(f"/workflow/{second['id']}")
    await canvas.until(*BAD, "incompatible")
    await canvas.go(f"/workflow/{first['id']}")
    await canvas.until("Wait", "Total", "assignable")


async def test_pasted_links_stay_as_they_were(checked: Parts, canvas: Canvas) -> None:
    """Only what is drawn is taken away: a pasted bad link is red, for its nodes belong together."""
    await canvas.open(await checked.save(workflow("To be copied", BAD)))
    await canvas.until(*BAD, "incompatible")
    await canvas.page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    await canvas.page.locator(".vue-flow__pane").click(position={"x": 10, "y": 400})
    await canvas.page.keyboard.press("Control+a")
    await canvas.page.keyboard.press("Control+c")
    await canvas.page.get_by_text("Copied to clipboard").wait_for()
    await canvas.page.keyboard.press("Control+v")

    await canvas.until("Orders1", "Ages1", "incompatible")
    await canvas.until(*BAD, "incompatible")
    await expect(canvas.refusal).to_be_hidden()


async def test_publishing_and_running_are_refused_and_saving_never_is(checked: Parts) -> None:
    """With the sentence of the check, for whoever asks n8n. The same workflow without the link is published."""
    api = checked.n8n.api
    saved = await checked.save(webhook(workflow("refused-flow", BAD)))

    publishing = await refused(api.activate(saved))
    assert 400 == publishing.status
    assert REFUSED.search(publishing.body)

    if VERSIONS["N8N_VERSION"].startswith("2.39."):  # it asks once the execution has begun, which fails then
        run = await api.run_step(saved, "Ages")
        assert "error" == run.status
        assert REFUSED.search(str(run.error))
    else:
        running = await refused(api.start_step(saved, "Ages"))
        assert 422 == running.status
        assert REFUSED.search(running.body)

    saved = await api.update_workflow({**saved, "name": "refused-flow, saved again"})
    assert "refused-flow, saved again" == saved["name"]
    mended = await api.update_workflow({**saved, "connections": webhook(workflow("x", *GOOD))["connections"]})
    await api.activate(mended)


async def test_a_workflow_without_qflow_nodes_is_never_refused(checked: Parts) -> None:
    api = checked.n8n.api
    plain = {**workflow("plain"), "connections": {}}
    plain["nodes"] = [at(node("Start", "webhook", {"path": "plain"}, version=2, webhookId="plain"), 0, 0)]

    await api.activate(await api.create_workflow(plain))


async def test_only_who_is_signed_in_may_ask(checked: Parts) -> None:
    """The script is for everybody, the check is not, and neither tells the token."""
    url = checked.n8n.url
    body = workflow("asked", BAD)

    async with aiohttp.ClientSession() as stranger:
        async with stranger.get(url + EXTENSION_URL) as response:
            assert (200, "text/javascript") == (response.status, response.content_type)
            assert checked.runner.token not in await response.text()
        for cookie in ({}, {"Cookie": "n8n-auth=forged"}):
            async with stranger.post(f"{url}/rest/qflow/check", json=body, headers=cookie) as response:
                assert 401 == response.status
    checked_links = await _ask(checked.n8n.api, body)
    assert ["incompatible"] == [link["verdict"] for link in checked_links["links"]]


async def _ask(api: N8nApi, body: Workflow) -> Any:
    async with api._http.post(f"{api.url}/rest/qflow/check", json=body) as response:
        assert 200 == response.status
        return await response.json()


async def test_while_the_runner_is_away_people_work_and_are_told(
    checked: Parts, canvas: Canvas, tmp_path: Path
) -> None:
    """Publishing works, nothing is coloured or taken away; when the runner is back, links are checked again."""
    api, runner = checked.n8n.api, checked.runner
    port = int(runner.url.rpartition(":")[2])
    saved = await checked.save(webhook(workflow("away-flow", BAD)))
    await runner.stop()
    try:
        await api.activate(saved)
        await canvas.open(saved)
        await expect(canvas.notice).to_be_visible()
        await canvas.until(*BAD, "")
        await expect(canvas.editor.canvas_node("Ages").locator('[data-test-id="node-issues"]')).to_be_hidden()
    finally:
        again = await Runner.start(tmp_path, "process", port=port, token=runner.token)
    try:
        await canvas.until(*BAD, "incompatible")
        await expect(canvas.notice).to_be_hidden()
    finally:
        await again.stop()


STRANGE = {
    "no store at all": "undefined",
    "no document": "{}",
    "another form": "{ workflowDocumentStore: { nodes: {}, on() {} } }",
    "a form that fails at once": """{ get workflowDocumentStore() { throw new Error('moved') } }""",
    "a form that fails later": """{ workflowDocumentStore: {
        allNodes: [{ id: 'a', name: 'A', type: 'x.qflowPython' }], connectionsBySourceNode: { A: { main: 7 } },
        onNodesChange() {}, onConnectionsChange() {}, removeConnection() {} } }""",
}


@pytest.mark.parametrize("inside", STRANGE.values(), ids=list(STRANGE))
async def test_in_an_editor_with_other_internals_nothing_happens(canvas: Canvas, inside: str) -> None:
    """No error, no message, no request, nothing left in the page."""
    browser = canvas.page.context.browser
    assert browser is not None
    page = await browser.new_page()
    try:
        await _strange_editor(page, inside)
    finally:
        await page.close()


async def _strange_editor(page: Page, inside: str) -> None:
    script = (editor_files() / "qflow-editor.js").read_text()
    html = "<!doctype html><title>n8n</title><script src=/qflow.js></script><body><div id=app></div>"
    said: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url) if "/check" in request.url else None)
    await page.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html"))
    await page.route("**/qflow.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    await page.goto("http://127.0.0.1:9/workflow/abc")
    before = await page.content()

    await page.evaluate(
        f"""async () => {{
            document.querySelector('#app').__vue_app__ = {{ config: {{ globalProperties: {{ $other: 1 }} }} }};
            const store = {inside};
            for (const group of Object.values(window.n8nExternalHooks))
                for (const listeners of Object.values(group))
                    for (const listener of listeners) await listener(store, {{}});
            await new Promise(resolve => setTimeout(resolve, 600));
        }}"""
    )

    assert ([], []) == (said, asked)
    assert before == await page.content()
