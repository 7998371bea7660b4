"""Every page in both themes and at both widths: readable for all, no wider than the window; pictures when asked for."""

from itertools import pairwise
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from lab.console import NARROW, WIDE, Theme, console
from lab.runner import Runner
from tests.e2e.console.conftest import Api

PAGES = {
    "executions": "executions",
    "execution": "executions/shown-2?workflow=shown",
    "studio": "studio",
    "workflows": "workflows",
    "workflow": "workflows/shown",
    "sandboxes": "sandboxes",
    "errors": "errors",
    "audit": "audit",
    "settings": "settings",
    "missing": "no/such/page",
}
CODE = {
    "Orders": (
        "import time\n\ndef orders() -> list[dict]:\n    time.sleep(0.12)\n    print('12 orders')\n"
        "    return [{'customer': f'c-{n}', 'amount': 10.0 + n} for n in range(12)]\n"
    ),
    "Price": (
        "import time\n\ndef price(amount: float, rate: float = 0.2) -> float:\n    time.sleep(0.01)\n"
        "    return round(amount * (1 + rate), 2)\n"
    ),
    "Label": (
        "def _name(order: dict) -> str:\n    return order['customer']['name']\n\n"
        "def label(order: dict) -> str:\n    return f'for {_name(order)}'\n"
    ),
}


@pytest.fixture(scope="module", name="filled")
async def _filled(api: Api) -> None:
    """Something to see on every page."""
    nodes = [
        {
            "id": name,
            "name": name,
            "type": "n8n-nodes-qflow.qflowPython",
            "position": [260 * at, 0],
            "parameters": {"code": code},
        }
        for at, (name, code) in enumerate(CODE.items(), 1)
    ]
    start = {"id": "s", "name": "Every hour", "type": "n8n-nodes-base.scheduleTrigger", "position": [0, 0]}
    names = ["Every hour", *CODE]
    connections = {
        first: {"main": [[{"node": second, "type": "main", "index": 0}]]} for first, second in pairwise(names)
    }
    await api.call(
        "PUT",
        "/v1/workflows/shown",
        json={"name": "Prices and labels", "nodes": [start, *nodes], "connections": connections},
    )
    for n in range(1, 3):
        at = {"execution": f"shown-{n}", "workflow": "shown"}
        orders = (await api.run(CODE["Orders"], node="Orders", **at))["items"]
        await api.run(CODE["Price"], [each["json"] for each in orders], node="Price", **at)
        await api.run(CODE["Label"], [orders[0]["json"]], node="Label", **at)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["wide", "narrow"])
async def test_every_page_is_accessible_and_fits(
    runner: Runner, browser: Browser, width: str, theme: Theme, picture: Path | None
) -> None:
    """No serious violation that axe knows of, nothing from elsewhere, and no policy was broken."""
    size = WIDE if width == "wide" else NARROW
    async with console(browser, runner.url, size=size, theme=theme) as page:
        await page.open()
        assert [] == await page.serious()
        await page.sign_in(runner.token)
        for name, path in PAGES.items():
            await page.open(path)
            await page.page.wait_for_load_state("domcontentloaded")
            await expect(page.page.locator("main h1, main .empty").first).to_be_visible()
            await page.settled()
            if picture is not None and name != "missing":
                await page.picture(picture / f"console-{name}-{width}-{theme}.png")
            assert (name, [], False) == (name, await page.serious(), await page.overflows())
        assert {runner.url.removeprefix("http://")} == page.heard.hosts
        assert [] == page.heard.errors


async def test_the_theme_follows_the_system_until_one_is_chosen(runner: Runner, browser: Browser) -> None:
    """And the choice is remembered."""
    async with console(browser, runner.url, theme="dark") as page:
        await page.open()
        await page.sign_in(runner.token)
        html = page.page.locator("html")
        await expect(html).to_have_class("dark")
        await page.page.emulate_media(color_scheme="light")
        await expect(html).not_to_have_class("dark")
        await page.page.get_by_role("button", name="Dark", exact=True).click()
        await page.page.reload()
        await expect(html).to_have_class("dark")


async def test_the_keyboard_reaches_everything(runner: Runner, browser: Browser) -> None:
    """From signing in to a run: without a pointer."""
    async with console(browser, runner.url) as page:
        keys = page.page.keyboard
        await page.open("studio")
        await page.page.get_by_label("Token").focus()
        await keys.insert_text(runner.token)
        await keys.press("Enter")
        await expect(page.title).to_have_text("Studio")
        await page.page.get_by_role("button", name="Test run").focus()
        await keys.press("Enter")
        await expect(page.page.get_by_role("region", name="Items as a table")).to_contain_text("gross")
        await page.page.get_by_role("tab", name="Table").focus()
        await keys.press("ArrowRight")
        await expect(page.page.get_by_label("Items as JSON")).to_be_visible()


async def test_the_first_page_is_small(runner: Runner, browser: Browser) -> None:
    """What is loaded until the list of executions is there, as it comes over the line."""
    async with console(browser, runner.url) as page:
        await page.open("executions")
        await page.sign_in(runner.token)
        await page.settled()
        loaded = await page.page.evaluate(
            "() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
            ".filter(each => each.name.includes('/console/')).reduce((sum, each) => sum + each.transferSize, 0)"
        )

        assert 300_000 > loaded > 20_000
