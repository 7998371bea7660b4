"""Who may look: signing in, being refused, and coming back to the same place."""

from playwright.async_api import Browser, expect

from lab.console import Console, console
from lab.runner import Runner
from tests.e2e.console.conftest import Api


async def test_a_wrong_token_is_refused_with_a_sentence(runner: Runner, browser: Browser) -> None:
    """And nothing of the runner is seen before."""
    async with console(browser, runner.url) as page:
        await page.open("settings")
        await page.page.get_by_label("Token").fill("wrong-token-of-nobody")
        await page.page.get_by_role("button", name="Sign in").click()

        await expect(page.page.get_by_role("alert")).to_contain_text("The token is missing or wrong")
        await expect(page.page.get_by_role("navigation", name="Pages")).to_have_count(0)


async def test_the_token_stays_in_the_tab(page: Console, runner: Runner) -> None:
    """Not in what outlives it, and not in the address."""
    kept = await page.page.evaluate(
        "() => [JSON.stringify(localStorage), document.cookie, location.href].join()"
    )

    assert runner.token not in kept
    assert runner.token == await page.page.evaluate("() => sessionStorage.getItem('qflow.token')")


async def test_signing_out_forgets_it(page: Console) -> None:
    """The next page asks for a token again."""
    await page.page.get_by_role("button", name="Sign out").click()

    await expect(page.page.get_by_label("Token")).to_be_visible()
    assert None is await page.page.evaluate("() => sessionStorage.getItem('qflow.token')")


async def test_after_signing_in_the_page_is_the_one_that_was_asked_for(
    runner: Runner, browser: Browser
) -> None:
    """An address can be sent to somebody who is not signed in."""
    async with console(browser, runner.url) as page:
        await page.open("sandboxes")
        await page.sign_in(runner.token)

        await expect(page.title).to_have_text("Sandboxes and layers")


async def test_a_token_that_is_revoked_ends_the_session_and_keeps_the_place(
    runner: Runner, browser: Browser, api: Api
) -> None:
    """Signed in again, the person is where they were, and what they wrote is there."""
    made = await api.call(
        "POST", "/v1/tokens", json={"name": "for a while", "scopes": ["run", "edit", "read"]}
    )
    async with console(browser, runner.url) as page:
        await page.open("studio")
        await page.sign_in(made["token"])
        await page.write("Python code", "def mine(a: int) -> int:\n    return a\n")
        await api.call("DELETE", f"/v1/tokens/{made['id']}")
        await page.page.get_by_role("button", name="Test run").click()

        await expect(page.page.get_by_role("status")).to_contain_text("does not take this token any more")
        assert page.page.url.endswith("/console/studio")
        await page.sign_in(runner.token)
        await expect(page.title).to_have_text("Studio")
        await expect(page.editor("Python code")).to_contain_text("def mine")


async def test_a_token_without_a_scope_is_told_so(runner: Runner, browser: Browser, api: Api) -> None:
    """The page says which scope is missing, and the others work."""
    made = await api.call("POST", "/v1/tokens", json={"name": "reader", "scopes": ["read"]})
    async with console(browser, runner.url) as page:
        await page.open("settings")
        await page.sign_in(made["token"])

        await expect(page.page.get_by_role("alert").first).to_contain_text("admin")
        await page.go("Executions")
        await expect(page.title).to_have_text("Executions")
