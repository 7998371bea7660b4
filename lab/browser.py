"""n8n's editor in a real Chromium, used as a person uses it."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which
from typing import Literal

from playwright.async_api import Locator, Page, ViewportSize, async_playwright
from playwright.async_api import TimeoutError as TooLate

from lab.errors import LabError
from lab.n8n_api import OWNER_EMAIL, OWNER_PASSWORD

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FADED_MS = 5_000
SIZE = ViewportSize(width=1440, height=900)
# What n8n lays over its editor and has nothing to do with the workflow.
CLUTTER = """
.el-notification, [data-test-id="push-connection-lost"], [data-test-id="banners"],
[data-test-id="assistant-button"], [data-test-id="ask-assistant-floating-button"], #ask-assistant-chat { display: none !important; }
*, *::before, *::after { caret-color: transparent !important; }
"""


class Editor:
    """A signed-in page of n8n's editor."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url

    async def sign_in(self) -> None:
        """Sign in as the lab's owner, by the form."""
        await self.page.goto(f"{self._url}/signin")
        await self.page.locator("input[type=email]").fill(OWNER_EMAIL)
        await self.page.locator("input[type=password]").fill(OWNER_PASSWORD)
        await self.page.locator("form button, [data-test-id=form-submit-button]").first.click()
        await self.page.wait_for_url(lambda url: "/signin" not in url)

    async def open_workflow(self, workflow: str) -> None:
        """Open a workflow by its id, and wait until all its nodes are drawn."""
        await self.page.goto(f"{self._url}/workflow/{workflow}")
        await self.canvas_nodes.first.wait_for()

    @property
    def canvas_nodes(self) -> Locator:
        return self.page.locator('[data-test-id="canvas-node"]')

    def canvas_node(self, name: str) -> Locator:
        return self.page.locator(f'[data-test-id="canvas-node"][data-node-name="{name}"]')

    async def open_node(self, name: str) -> None:
        """Open a node's panel, as by a double click."""
        await self.canvas_node(name).dblclick()
        await self.panel.wait_for()

    async def close_node(self) -> None:
        """As a person does, who presses the key again: a dialog over the panel that is fading away takes the first."""
        await self.page.keyboard.press("Escape")
        try:
            await self.panel.wait_for(state="hidden", timeout=FADED_MS)
        except TooLate:
            await self.page.keyboard.press("Escape")
            await self.panel.wait_for(state="hidden")

    @property
    def panel(self) -> Locator:
        """The open node: input, parameters, output."""
        return self.page.locator('[data-test-id="ndv"]')

    async def write_code(self, code: str) -> None:
        """Replace the code of the open node, in the dialog that a click on it opens."""
        await self.panel.locator(".readonly-code").first.click()
        dialog = self.page.get_by_role("dialog").filter(has_text="Edit Python Code")
        await dialog.locator(".cm-content").click()
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.insert_text(code)
        # An offer to complete the last word would take the first click.
        await self.page.keyboard.press("ArrowLeft")
        await dialog.locator(".el-dialog__headerbtn").click()
        await dialog.wait_for(state="hidden")

    def parameter(self, name: str) -> Locator:
        """The input of one parameter of the open node, also of one argument."""
        return self.panel.locator(f'[data-test-id="parameter-input-{name}"]')

    async def choose(self, parameter: str, option: str) -> None:
        """Choose the option that begins with a text, in a list of the open node."""
        await self.parameter(parameter).click()
        await self.page.get_by_role("option").filter(has_text=re.compile(f"^{re.escape(option)}")).click()

    @property
    def arguments(self) -> Locator:
        """The labels of the arguments' fields in the open node."""
        return self.panel.locator(
            '[data-test-id="mapping-fields-container"] label[for^=value] > :first-child .n8n-text'
        )

    def wire_label(self, node: str, side: Literal["input", "output"]) -> Locator:
        """What stands on the wire before or after a node of the canvas."""
        return self.page.locator(f'[data-test-id="canvas-node-{side}-handle"][data-node-name="{node}"]')

    @property
    def output(self) -> Locator:
        """The output side of the open node."""
        return self.page.locator('[data-test-id="output-panel"]')

    async def execute_step(self) -> None:
        """Click "Execute step" of the open node."""
        await self.page.locator('[data-test-id="node-execute-button"]').click()

    async def listen(self) -> None:
        """Click "Execute workflow" of a workflow with a webhook; returns when the test webhook is there."""
        async with self.page.expect_response(lambda response: response.url.endswith("/run")) as answered:
            await self.page.locator('[data-test-id="execute-workflow-button"]').click()
        await (await answered.value).finished()

    def succeeded(self, name: str) -> Locator:
        """The mark of success on a node of the canvas."""
        return (
            self.canvas_node(name)
            .locator(
                '[data-test-id="canvas-node-status-mark-success"], [data-test-id="canvas-node-status-success"]'
            )
            .first
        )

    async def fit(self) -> None:
        """Zoom so that the whole workflow is seen."""
        await self.page.locator('[data-test-id="zoom-to-fit"]').click()

    async def tidy(self) -> None:
        """Take away what covers the editor, for a picture."""
        await self.page.add_style_tag(content=CLUTTER)

    async def screenshot(self, path: Path) -> None:
        """A picture of the window, at twice its size in pixels."""
        path.parent.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=path, animations="disabled")


@asynccontextmanager
async def editor(url: str) -> AsyncGenerator[Editor]:
    """Chromium with n8n's editor, signed in; closed again at the end."""
    program = which("chromium")
    if program is None:
        raise LabError("There is no chromium on PATH: run scripts/browser.sh")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            page = await browser.new_page(viewport=SIZE, device_scale_factor=2, color_scheme="light")
            page.set_default_timeout(30_000)
            found = Editor(page, url)
            await found.sign_in()
            yield found
        finally:
            await browser.close()
