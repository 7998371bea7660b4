"""Definitions that the runner keeps by name, chosen in the node."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import pytest
from playwright.async_api import expect
from yarl import URL

from lab.browser import Editor
from lab.cache import ROOT
from lab.n8n_api import Execution
from lab.parts import Parts
from lab.runner import Runner
from lab.workflows import QFLOW_NODE, Workflow, chain, node, pinned

ORDER = {"item": "lamp", "quantity": 3, "price": 10.0}
TOTAL = """
    def total(quantity: int, price: float, vat: float = {vat}) -> float:
        return round(quantity * price * (1 + vat), 2)
"""


@pytest.fixture(scope="session", name="pictures")
def _pictures() -> Path:
    """The pictures of the documentation are renewed when QFLOW_SCREENSHOTS=1."""
    wanted = os.environ.get("QFLOW_SCREENSHOTS") == "1"
    return ROOT / "docs" / "images" if wanted else ROOT / "build" / "screenshots"


@pytest.fixture(name="name")
def _name() -> str:
    """A name that no other test saves."""
    return f"pricing/total {uuid4().hex[:8]}"


async def save(runner: Runner, name: str, code: str, **more: Any) -> int:
    """Save code under a name; the version that it is."""
    headers = {"Authorization": f"Bearer {runner.token}"}
    address = URL(f"{runner.url}/v1/saved/{quote(name, safe='')}", encoded=True)
    body = {"code": dedent(code).lstrip(), **more}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.put(address, json=body) as response,
    ):
        assert response.status == 200, await response.text()
        return (await response.json())["version"]


def using(name: str, more: Mapping[str, Any] | None = None) -> Workflow:
    """Start (an order pinned) → a node with a saved definition."""
    located = {"__rl": True, "mode": "list", "value": name}
    parameters = {"source": "saved", "savedName": located, **(more or {})}
    nodes = [node("Start", "manualTrigger"), node("Total", QFLOW_NODE, parameters)]
    return pinned(chain("A saved definition", nodes), "Start", [ORDER])


async def run(parts: Parts, workflow: Workflow) -> Execution:
    return await parts.n8n.api.run_step(await parts.save(workflow), "Total")


async def test_a_saved_definition_runs_by_its_name(parts: Parts, runner: Runner, name: str) -> None:
    await save(runner, name, TOTAL.format(vat=0.5))

    execution = await run(parts, using(name))

    assert execution.values("Total") == [{"value": 45.0}]


async def test_arguments_of_the_node_go_to_the_saved_function(
    parts: Parts, runner: Runner, name: str
) -> None:
    await save(runner, name, TOTAL.format(vat=0.5))
    arguments = {"mappingMode": "defineBelow", "value": {"vat": "={{ $json.quantity - 3 }}"}, "schema": []}

    execution = await run(parts, using(name, {"arguments": arguments}))

    assert execution.values("Total") == [{"value": 30.0}]


async def test_a_new_version_is_taken_up_within_seconds_and_a_pinned_one_stays(
    parts: Parts, runner: Runner, name: str
) -> None:
    first = await save(runner, name, TOTAL.format(vat=0.5))
    newest = await parts.save(using(name))
    pinned_one = await parts.save(using(name, {"savedVersion": str(first)}))
    api = parts.n8n.api
    assert (await api.run_step(newest, "Total")).values("Total") == [{"value": 45.0}]

    assert await save(runner, name, TOTAL.format(vat=1.0)) == first + 1

    async with asyncio.timeout(20):
        while (await api.run_step(newest, "Total")).values("Total") != [{"value": 60.0}]:
            await asyncio.sleep(0.5)
    assert (await api.run_step(pinned_one, "Total")).values("Total") == [{"value": 45.0}]


async def test_a_name_that_nothing_is_saved_under_is_a_sentence_on_the_node(parts: Parts, name: str) -> None:
    execution = await run(parts, using(name))

    assert execution.error is not None
    assert name in execution.error["message"]
    assert execution.error["description"]


async def test_a_person_chooses_a_saved_definition_and_sees_its_fields_and_types(
    parts: Parts, runner: Runner, editor: Editor, pictures: Path
) -> None:
    """The list is searched by name; function, arguments and wires are those of the saved code."""
    name = "invoice/sum"
    await save(runner, name, TOTAL.format(vat=0.19))
    nodes = [node("Start", "manualTrigger"), node("Total", QFLOW_NODE)]
    workflow = pinned(chain("Choose a definition", nodes), "Start", [ORDER])
    saved = await parts.save(workflow)
    await editor.open_workflow(saved["id"])
    await editor.tidy()
    await editor.open_node("Total")

    await editor.choose("source", "Saved Definition")
    await editor.parameter("savedName").locator("input").last.click()
    await editor.page.locator('[data-test-id="rlc-search"]').fill(name)
    await editor.page.locator('[data-test-id="rlc-item"]').filter(has_text=name).click()

    await expect(editor.arguments).to_have_text(
        ["quantity: int, required", "price: float, required", "vat: float = 0.19"]
    )
    await editor.execute_step()
    await expect(editor.output.get_by_text("35.7").first).to_be_visible(timeout=30_000)
    await editor.screenshot(pictures / "saved.png")
    await editor.close_node()
    await expect(editor.wire_label("Total", "input")).to_have_text("quantity: int")
    await expect(editor.wire_label("Total", "output")).to_contain_text("float")
    await expect(editor.canvas_node("Total")).to_contain_text("total(quantity: int, price: float")
