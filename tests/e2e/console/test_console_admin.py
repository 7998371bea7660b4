"""What an administrator looks after: sandboxes, failures, settings, tokens, the audit log."""

from playwright.async_api import Browser, expect

from lab.console import Console, console
from lab.runner import Runner
from tests.e2e.console.conftest import Api


async def test_a_sandbox_is_recycled(page: Console, api: Api) -> None:
    """After a question; it is gone from the list."""
    await api.run("def f() -> int:\n    return 1\n", workflow="recycled", execution="r-1")
    await page.go("Sandboxes")
    row = page.page.get_by_role("table", name="Sandboxes").get_by_role("row").filter(has_text="recycled")
    await expect(row).to_contain_text("MB")
    await row.get_by_role("button", name="Recycle").click()
    await page.page.get_by_role("dialog").get_by_role("button", name="Recycle").click()

    await expect(row).to_have_count(0)


async def test_failures_are_counted_by_category_node_and_time(page: Console, api: Api) -> None:
    """And lead to the execution that failed last."""
    for n in range(2):
        await api.run(
            "def f() -> int:\n    return 1 // 0\n", node="Divider", execution=f"e-{n}", workflow="errors"
        )
    await page.go("Errors")

    kinds = page.page.get_by_role("table", name="Kinds of failures")
    kind = kinds.get_by_role("row").filter(has_text="Divider")
    await expect(kind).to_contain_text("ZeroDivisionError")
    await expect(page.page.get_by_role("region", name="By category")).to_contain_text("user code")
    row = page.page.get_by_role("region", name="By node").get_by_role("listitem").filter(has_text="Divider")
    await expect(row).to_contain_text("2")
    await row.get_by_role("link").click()
    await expect(page.title).to_have_text("e-1")


async def test_settings_are_found_and_hold_no_secret(page: Console, runner: Runner) -> None:
    """Of the token only that it is set."""
    await page.go("Settings")
    await page.page.get_by_label("Find a setting").fill("qflow_token")
    table = page.page.get_by_role("table", name="Settings")

    await expect(table).to_contain_text("(set)")
    assert runner.token not in await page.page.content()


async def test_a_token_is_made_shown_once_and_revoked(
    page: Console, runner: Runner, browser: Browser
) -> None:
    """And the audit log says who did it."""
    await page.go("Settings")
    await page.page.get_by_role("button", name="New token").click()
    dialog = page.page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Night shift")
    await dialog.get_by_text("read –").click()
    await dialog.get_by_role("button", name="Make it").click()
    token = (await dialog.get_by_label("The new token").inner_text()).strip()
    await dialog.get_by_role("button", name="Done").click()
    async with console(browser, runner.url) as other:
        await other.open("executions")
        await other.sign_in(token)
        await expect(other.title).to_have_text("Executions")

    row = page.page.get_by_role("table", name="Tokens").get_by_role("row").filter(has_text="Night shift")
    await row.get_by_role("button", name="Revoke").click()
    await page.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(row).to_contain_text("revoked")
    await page.go("Audit")
    await page.page.get_by_label("Action").fill("token")
    await expect(page.page.get_by_role("table", name="Audit log")).to_contain_text("token.create")
    assert token not in await page.page.content()
