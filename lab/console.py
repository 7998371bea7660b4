"""The runner's console in a real Chromium, used as a person uses it, with an ear for what a page must not do."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    ViewportSize,
    async_playwright,
)

from lab.browser import FLAGS
from lab.errors import LabError

ROOT = Path(__file__).parents[1]
AXE = ROOT / "runner" / "console" / "node_modules" / "axe-core" / "axe.min.js"
WIDE, NARROW = ViewportSize(width=1280, height=860), ViewportSize(width=390, height=844)
Theme = Literal["light", "dark"]


@dataclass
class Heard:
    """What went wrong in a page, and where it asked for something."""

    errors: list[str] = field(default_factory=list[str])
    hosts: set[str] = field(default_factory=set[str])


class Console:
    """A page of the console."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.heard = Heard()
        self._url = url
        page.on("pageerror", lambda error: self.heard.errors.append(f"uncaught: {error}"))
        page.on("console", self._said)
        page.on("request", self._asked)

    async def open(self, path: str = "") -> None:
        await self.page.goto(f"{self._url}/console/{path}")

    async def sign_in(self, token: str) -> None:
        """By the form. Returns when a page is seen."""
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()
        await (
            self.page.get_by_role("navigation", name="Pages")
            .or_(self.page.get_by_role("button", name="Open the menu"))
            .first.wait_for()
        )

    async def go(self, page: str) -> None:
        """By the menu, which is closed where there is little room."""
        menu = self.page.get_by_role("button", name="Open the menu")
        if await menu.is_visible():
            await menu.click()
        await (
            self.page.get_by_role("navigation", name="Pages")
            .get_by_role("link", name=page, exact=True)
            .click()
        )

    @property
    def title(self) -> Locator:
        return self.page.get_by_role("heading", level=1)

    def editor(self, label: str) -> Locator:
        return self.page.get_by_role("textbox", name=label)

    async def write(self, label: str, code: str) -> None:
        """Replace what stands in an editor."""
        await self.editor(label).click()
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.insert_text(code)
        await self.page.keyboard.press("Escape")

    async def settled(self) -> None:
        """Until what the page asked for is there. Its stream of events never ends, so the network is never idle."""
        await self.page.wait_for_function(
            """() => {
                const [now, seen] = [performance.getEntriesByType('resource').length, window.qflowSeen ?? [0, 0]];
                if (now !== seen[0]) window.qflowSeen = [now, performance.now()];
                return now === seen[0] && performance.now() - seen[1] > 400;
            }""",
            polling=100,
        )

    async def open_list(self, label: str) -> None:
        """Open a list of options. What is chosen now lies over the input, so the click is for what is around both."""
        box = self.page.get_by_role("combobox", name=label, exact=True)
        await box.locator("xpath=ancestor::*[contains(@class, 'el-select__wrapper')]").click()

    async def choose(self, label: str, option: str) -> None:
        await self.open_list(label)
        options = self.page.get_by_role("listbox", name=label, exact=True)
        await options.get_by_role("option", name=option, exact=True).click()

    async def serious(self) -> list[str]:
        """What axe calls a serious or critical violation on the page as it is: rule, and the first place."""
        # As text and not as an element, which the page's policy would refuse.
        await self.page.evaluate(AXE.read_text())
        found: list[dict[str, Any]] = await self.page.evaluate(
            "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
        )
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:200]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]

    async def overflows(self) -> bool:
        """Whether the page is wider than the window."""
        return await self.page.evaluate(
            "() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"
        )

    async def picture(self, path: Path, *, whole: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=path, animations="disabled", full_page=whole)

    def _said(self, said: ConsoleMessage) -> None:
        # An answer of the API that is no 200 is an answer all the same; the browser calls it an error.
        if said.type == "error" and not said.text.startswith("Failed to load resource: the server responded"):
            self.heard.errors.append(said.text)

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"}:
            self.heard.hosts.add(parts.netloc)


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    program = which("chromium")
    if program is None:
        raise LabError("There is no chromium on PATH: run scripts/browser.sh")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def console(
    browser: Browser, url: str, *, size: ViewportSize = WIDE, theme: Theme = "light", scale: float = 1
) -> AsyncGenerator[Console]:
    """A page in a context of its own: no other page's token is in it."""
    context = await browser.new_context(
        viewport=size, color_scheme=theme, device_scale_factor=scale, reduced_motion="reduce"
    )
    try:
        page = await context.new_page()
        page.set_default_timeout(20_000)
        yield Console(page, url)
    finally:
        await context.close()
