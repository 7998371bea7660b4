"""Workflows: brought in, drawn, judged while they are drawn, and run."""

import json

from playwright.async_api import expect

from lab.console import Console
from tests.e2e.console.conftest import Api


def _node(name: str, code: str, x: int, y: int = 0) -> dict[str, object]:
    return {
        "id": name.lower(),
        "name": name,
        "type": "n8n-nodes-qflow.qflowPython",
        "position": [x, y],
        "parameters": {"code": code},
    }


PRICES = {
    "name": "Prices",
    "nodes": [
        {
            "id": "t",
            "name": "Start",
            "type": "n8n-nodes-base.manualTrigger",
            "position": [0, 0],
            "parameters": {},
        },
        _node("Amount", "def amount() -> int:\n    print('asked')\n    return 21\n", 220),
        _node("Double", "def double(value: float) -> float:\n    return value * 2\n", 440),
        _node("Shout", "def shout(value: str) -> str:\n    return value.upper()\n", 440, 160),
    ],
    "connections": {"Start": {"main": [[{"node": "Amount", "type": "main", "index": 0}]]}},
}


async def test_a_workflow_is_pasted_linked_and_run(page: Console, api: Api) -> None:
    """A link that does not fit is refused with the reason, one that fits is kept."""
    await page.go("Workflows")
    await page.page.get_by_role("button", name="Import").click()
    dialog = page.page.get_by_role("dialog")
    await dialog.get_by_label("In n8n").fill(json.dumps(PRICES))
    await dialog.get_by_label("Id;").fill("prices")
    await dialog.get_by_role("button", name="Import").click()
    await expect(page.title).to_have_text("Prices")
    await expect(page.page.locator(".vue-flow__node")).to_have_count(4)

    await page.choose("Link from", "Amount")
    await page.choose("Link to", "Shout")
    await page.page.get_by_role("button", name="Link", exact=True).click()
    await expect(page.page.get_by_role("alert")).to_contain_text("int cannot become str")
    await expect(page.page.locator(".vue-flow__edge")).to_have_count(1)

    await page.choose("Link to", "Double")
    await page.page.get_by_role("button", name="Link", exact=True).click()
    await expect(page.page.locator(".vue-flow__edge.verdict-assignable")).to_have_count(1)
    kept = await api.call("GET", "/v1/workflows/prices/content")
    assert [[{"node": "Double", "type": "main", "index": 0}]] == kept["connections"]["Amount"]["main"]

    await page.page.get_by_role("button", name="Run its Python nodes").click()
    run = page.page.get_by_role("region", name="Run the workflow")
    await run.get_by_text("Double").click()
    await expect(run.get_by_role("region", name="Items as a table").last).to_contain_text("42")
    await run.get_by_role("link", name="See the execution").click()
    await expect(page.page.get_by_role("listitem").filter(has_text="Double")).to_contain_text("ok")


async def test_a_link_is_drawn_with_the_pointer_and_taken_away(page: Console, api: Api) -> None:
    """As in n8n: from the right side of one node to the left side of another."""
    await api.call("PUT", "/v1/workflows/drawing", json=PRICES)
    await page.open("workflows/drawing")
    source = page.page.locator('.vue-flow__node[data-id="Amount"] .vue-flow__handle.source')
    target = page.page.locator('.vue-flow__node[data-id="Double"] .vue-flow__handle.target')
    await source.wait_for()
    await page.page.wait_for_function("() => document.querySelectorAll('.vue-flow__edge').length === 1")
    await source.drag_to(target)

    await expect(page.page.locator(".vue-flow__edge.verdict-assignable")).to_have_count(1)
    links = page.page.get_by_role("region", name="Links")
    await (
        links.get_by_role("listitem")
        .filter(has_text="Amount → Double")
        .get_by_role("button", name="Remove")
        .click()
    )
    await expect(page.page.locator(".vue-flow__edge")).to_have_count(1)


async def test_a_node_shows_its_code_and_opens_in_the_studio(page: Console, api: Api) -> None:
    """By a click, and by the keyboard."""
    await api.call("PUT", "/v1/workflows/looked-at", json=PRICES)
    await page.open("workflows/looked-at")
    await page.page.locator('.vue-flow__node[data-id="Shout"]').focus()
    await page.page.keyboard.press("Enter")
    await expect(page.page.get_by_role("region", name="Node Shout")).to_contain_text("value.upper()")

    await page.page.get_by_role("button", name="Open in the Studio").click()
    await expect(page.editor("Python code")).to_contain_text("def shout")
