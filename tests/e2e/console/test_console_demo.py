"""The demo's console: what a person sees first, with the demo's own executions and workflows in it."""

import asyncio
import os
import re
import signal
import sys

from playwright.async_api import Browser, expect

from lab.cache import ROOT
from lab.console import console

READY_S = 300
ENDED_S = 60


async def test_the_demo_opens_on_a_console_with_its_executions(browser: Browser) -> None:
    """With the address and the token that it prints, as somebody copies them."""
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lab.demo",
        cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert demo.stdout is not None
    try:
        said = ""
        async with asyncio.timeout(READY_S):
            while "Ctrl-C" not in said:
                line = await demo.stdout.readline()
                assert line, said
                said += line.decode()
        address = re.search(r"its console\s+(http://[^/\s]+)/console", said)
        token = re.search(r"token\s+(\S+)", said)
        assert address, said
        assert token, said
        async with console(browser, address[1]) as page:
            await page.open("executions")
            await page.sign_in(token[1])
            await expect(page.page.get_by_role("main")).to_contain_text("Qflow quickstart")
            await page.go("Workflows")
            await expect(page.page.get_by_role("main")).to_contain_text("Qflow: a sales report with a chart")
            assert [] == page.heard.errors
    finally:
        demo.send_signal(signal.SIGINT)
        assert 0 == await asyncio.wait_for(demo.wait(), ENDED_S)
