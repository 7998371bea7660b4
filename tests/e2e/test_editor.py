"""n8n's editor in a real browser, used as a person uses it."""

import os
from pathlib import Path

import pytest

from lab.browser import Editor
from lab.cache import ROOT
from lab.n8n_api import N8nApi
from lab.parts import Parts
from lab.workflows import example, webhooks, with_new_hooks

ORDER = {"customer": "Ada Lovelace", "item": "punched cards", "quantity": 250, "price": 0.08}
PYTHON = "Write the invoice"


@pytest.fixture(scope="session", name="pictures")
def _pictures() -> Path:
    """The pictures of the documentation are renewed when QFLOW_SCREENSHOTS=1."""
    wanted = os.environ.get("QFLOW_SCREENSHOTS") == "1"
    return ROOT / "docs" / "images" if wanted else ROOT / "build" / "screenshots"


async def test_a_person_runs_the_quickstart_and_then_one_step_of_it(
    parts: Parts, api: N8nApi, editor: Editor, pictures: Path
) -> None:
    """The workflow runs from the canvas, and "Execute step" in the open node shows what it returned and printed."""
    workflow = await parts.save(with_new_hooks(example("quickstart")))
    await editor.open_workflow(workflow["id"])
    await editor.listen()
    status, _ = await api.webhook(webhooks(workflow)[0][0], ORDER, test=True)
    assert status == 200
    await editor.succeeded("Answer").wait_for()
    await editor.tidy()
    await editor.fit()
    await editor.screenshot(pictures / "canvas.png")

    await editor.open_node(PYTHON)
    await editor.execute_step()

    await editor.output.get_by_text("250 x punched cards").first.wait_for()
    await editor.output.get_by_text("Ada Lovelace buys 250 of punched cards").first.wait_for()
    await editor.screenshot(pictures / "node.png")
    await editor.close_node()
