"""Each example in n8n's editor, run from the canvas as a person does: it is green to its end, and makes a picture."""

import os
from pathlib import Path

import pytest
from playwright.async_api import FloatRect

from lab.browser import Editor
from lab.cache import ROOT
from lab.parts import Parts
from lab.workflows import Workflow, example, with_new_hooks
from tests.e2e.services import Services, with_credentials

SHOWN = {
    "sales-report": "Report",
    "thumbnails": "",
    "model": "",
    "scraping": "Reviews",
    "postgres-report": "Summarise",
    "ai-agent": "Adviser",
    "migration": "Compare",
    "orders-typed": "",
}
"""Of each example the node at its end; empty where that is its last Qflow node."""
REACHING = {"scraping", "postgres-report"}
DONE_MS = 240_000
CONTROLS = """
[data-test-id="canvas-controls"], .vue-flow__controls, [data-test-id="execute-workflow-button"],
[data-test-id="radio-button-workflow"], [data-test-id*="node-creator-plus-button"], [class*="nodeButtonsWrapper"],
[class*="executionButtons"] { visibility: hidden !important; }
"""
AROUND = """() => {
    const boxes = [...document.querySelectorAll('.vue-flow__node')].map(each => each.getBoundingClientRect());
    const left = Math.min(...boxes.map(each => each.left)) - 40;
    const top = Math.min(...boxes.map(each => each.top)) - 24;
    const right = Math.max(...boxes.map(each => each.right)) + 90;
    const bottom = Math.max(...boxes.map(each => each.bottom)) + 64;
    return [Math.max(left, 0), Math.max(top, 0), right - left, bottom - top];
}"""


@pytest.fixture(scope="session", name="pictures")
def _pictures() -> Path:
    """The pictures of the documentation are renewed when QFLOW_SCREENSHOTS=1."""
    wanted = os.environ.get("QFLOW_SCREENSHOTS") == "1"
    return (ROOT / "docs" / "images" if wanted else ROOT / "build" / "screenshots") / "examples"


@pytest.mark.parametrize("name", [each for each in SHOWN if each not in REACHING])
async def test_an_example_runs_from_the_canvas(
    name: str, parts: Parts, services: Services, editor: Editor, pictures: Path
) -> None:
    """With nothing prepared."""
    await _run(name, parts, services, editor, pictures)


@pytest.mark.parametrize("name", sorted(REACHING))
async def test_an_example_that_reaches_services_runs_from_the_canvas(
    name: str, reaching: Parts, services: Services, editor: Editor, pictures: Path
) -> None:
    """The administrator allows them, and its nodes list them."""
    await _run(name, reaching, services, editor, pictures)


async def test_the_refused_example_is_shown_with_its_types(
    parts: Parts, editor: Editor, pictures: Path
) -> None:
    """What each wire carries stands on it."""
    workflow = await parts.save(example("orders-refused"))
    await editor.open_workflow(workflow["id"])
    nodes = [each["name"] for each in workflow["nodes"] if each["type"].endswith("qflowPython")]
    assert nodes
    for each in nodes:
        await editor.wire_label(each, "output").first.wait_for()
    await _picture(editor, pictures / "orders-refused.png")


async def _run(name: str, parts: Parts, services: Services, editor: Editor, pictures: Path) -> None:
    made = await with_credentials(
        parts.n8n.api, services, with_new_hooks(services.example(name)), services.secrets(name)
    )
    workflow = await parts.save(made)
    await editor.open_workflow(workflow["id"])
    await editor.page.locator('[data-test-id="execute-workflow-button"]').first.click()
    await editor.succeeded(SHOWN[name] or _last(workflow)).wait_for(timeout=DONE_MS)
    await _picture(editor, pictures / f"{name}.png")


async def _picture(editor: Editor, path: Path) -> None:
    """The nodes and what is written about them, at their size on the screen."""
    await editor.tidy()
    await editor.fit()
    await editor.page.add_style_tag(content=CONTROLS)
    await editor.page.wait_for_timeout(600)  # the canvas glides into place
    x, y, width, height = await editor.page.evaluate(AROUND)
    path.parent.mkdir(parents=True, exist_ok=True)
    clip: FloatRect = {"x": x, "y": y, "width": width, "height": height}
    picture = await editor.page.screenshot(path=path, animations="disabled", scale="css", clip=clip)
    assert len(picture) > 10_000


def _last(workflow: Workflow) -> str:
    """The last Qflow node that is fed, in the order in which they stand on the canvas."""
    nodes = [each for each in workflow["nodes"] if each["type"].endswith("qflowPython")]
    return max(nodes, key=lambda each: each["position"][0])["name"]
