"""What ran: the list while it grows, one execution in full, and a run made again."""

import asyncio
import re

from playwright.async_api import expect

from lab.console import Console
from tests.e2e.console.conftest import Api

FAILING = """def _helper(order):
    return order["customer"]["name"]

def label(order: dict) -> str:
    print("labelling")
    return "for " + _helper(order)
"""
SLOW = """import time
from qflow import Context

def count(context: Context) -> int:
    for n in range(1, 6):
        context.progress(n / 5, f"step {n} of 5")
        print("printed", n, "<b>")
        time.sleep(0.7)
    return n
"""


async def test_a_run_is_seen_while_it_runs_and_after_it(page: Console, api: Api) -> None:
    """Without loading anything again: its progress, and then its record."""
    async with asyncio.TaskGroup() as group:
        group.create_task(api.run(SLOW, node="Slow", execution="live-1", workflow="live"))
        row = page.page.get_by_role("row").filter(has_text="live-1")
        await expect(row).to_contain_text("running")
        await expect(row).to_contain_text(re.compile("step [2-5] of 5"))
        await row.get_by_role("link").click()
        await expect(page.page.get_by_role("region", name="Now")).to_contain_text("step 4 of 5")
        await expect(page.page.get_by_role("log", name="what Slow prints")).to_contain_text("printed 4 <b>")

    await expect(page.page.get_by_role("listitem").filter(has_text="Slow")).to_contain_text("ok")
    await expect(page.page.get_by_role("region", name="Now")).to_have_count(0)


async def test_a_failure_is_marked_in_the_code_and_the_run_made_again(page: Console, api: Api) -> None:
    """With the lines that it went through; edited, the same items give a result."""
    await api.run(FAILING, [{"id": 1}], node="Label", execution="failed-1", workflow="orders")
    await page.open("executions/failed-1?workflow=orders")

    await expect(page.page.get_by_role("alert")).to_contain_text("customer")
    await expect(page.page.locator(".cm-failed")).to_have_text('    return order["customer"]["name"]')
    await expect(page.page.locator(".cm-passed")).to_have_text('    return "for " + _helper(order)')
    await expect(page.page.get_by_role("log")).to_contain_text("labelling")

    await page.write("Code of the run", FAILING.replace('order["customer"]["name"]', 'str(order["id"])'))
    await page.page.get_by_role("button", name="Run again, edited").click()
    await expect(page.page.get_by_role("region", name="Items as a table")).to_contain_text("for 1")


async def test_what_code_prints_is_text(page: Console, api: Api) -> None:
    """Markup does nothing, control characters are seen, and of a long log only a part is in the page."""
    code = (
        "def f() -> int:\n"
        "    print('<img src=x onerror=alert(1)><b>bold</b> \\x1b[31mred \\u202e')\n"
        "    print('y' * 5000)\n"
        "    for n in range(1500): print(n)\n"
        "    return 1\n"
    )
    await api.run(code, node="Loud<script>alert(2)</script>", execution="loud<b>", workflow="logs")
    await page.open("executions?workflow=logs")
    await page.page.get_by_role("link", name="loud<b>").click()

    log = page.page.get_by_role("log")
    await expect(log).to_contain_text("<img src=x onerror=alert(1)><b>bold</b> ␛[31mred <U+202E>")
    await expect(log).to_contain_text("more characters")
    assert 100 > await log.locator(".line").count()
    await log.evaluate("element => element.scrollTo(0, element.scrollHeight)")
    await expect(log.locator(".line").last).to_contain_text("1499")
    assert 0 == await page.page.locator("img[src=x]").count()


async def test_the_list_is_filtered_and_the_filter_is_in_the_address(page: Console, api: Api) -> None:
    """So that a view can be sent."""
    await api.run("def f() -> int:\n    return 1\n", execution="good-1", workflow="filtered")
    await api.run("def f() -> int:\n    return 1 // 0\n", execution="bad-1", workflow="filtered")
    await page.open("executions?workflow=filtered")
    rows = page.page.get_by_role("table", name="Executions").locator("tbody tr")
    await expect(rows).to_have_count(2)

    await page.choose("Outcome", "Failed")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("bad-1")
    assert "outcome=failed" in page.page.url


async def test_an_execution_is_seen_as_its_workflows_graph(page: Console, api: Api) -> None:
    """With the state of every node that ran."""
    code = "def one() -> int:\n    return 1\n"
    node = {"name": "One", "type": "n8n-nodes-qflow.qflowPython", "parameters": {"code": code}}
    await api.call(
        "PUT",
        "/v1/workflows/drawn",
        json={"nodes": [{**node, "position": [0, 0]}, {**node, "name": "Two", "position": [300, 0]}]},
    )
    await api.run(code, node="One", execution="drawn-1", workflow="drawn")
    await page.open("executions/drawn-1?workflow=drawn")
    await page.page.get_by_role("tab", name="Graph").click()

    nodes = page.page.locator(".vue-flow__node")
    await expect(nodes).to_have_count(2)
    await expect(page.page.locator('.vue-flow__node[data-id="One"]')).to_contain_text("ok")
