"""Writing a function in n8n: its fields in the panel, its types on the wires, "Execute step" as its test."""

import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from playwright.async_api import expect

from lab.browser import Editor
from lab.cache import ROOT
from lab.n8n_api import N8nApi
from lab.parts import Parts
from lab.workflows import QFLOW_NODE, Workflow, chain, example, node, pinned, qflow, with_new_hooks

INVOICE = dedent(
    '''
    from dataclasses import dataclass
    from typing import Literal


    @dataclass
    class Order:
        item: str
        quantity: int
        price: float


    @dataclass
    class Invoice:
        text: str
        total: float


    def invoice(
        order: Order, vat: float = 0.19, rounded: bool = True, style: Literal["short", "long"] = "short"
    ) -> Invoice:
        """The invoice of one order."""
        total = order.quantity * order.price * (1 + vat)
        text = order.item if style == "short" else f"{order.quantity} x {order.item}"
        return Invoice(text, round(total, 2) if rounded else total)


    def weight(order: Order) -> float:
        """What an order weighs."""
        return order.quantity * 1.5
    '''
).lstrip()
ORDER = {"item": "lamp", "quantity": 3, "price": 10.0}


@pytest.fixture(scope="session", name="pictures")
def _pictures() -> Path:
    """The pictures of the documentation are renewed when QFLOW_SCREENSHOTS=1."""
    wanted = os.environ.get("QFLOW_SCREENSHOTS") == "1"
    return ROOT / "docs" / "images" if wanted else ROOT / "build" / "screenshots"


def new_node(name: str, parameters: Mapping[str, Any] | None = None) -> Workflow:
    """Start (an order pinned) → a Qflow node as it is dropped, but for `parameters`."""
    nodes = [node("Start", "manualTrigger"), node(name, QFLOW_NODE, parameters)]
    return pinned(chain("Writing a function", nodes), "Start", [ORDER])


async def open_node(parts: Parts, editor: Editor, workflow: Workflow, name: str) -> Workflow:
    saved = await parts.save(workflow)
    await editor.open_workflow(saved["id"])
    await editor.tidy()
    await editor.open_node(name)
    return saved


async def test_a_new_node_works_as_it_is_dropped(parts: Parts, api: N8nApi) -> None:
    """The example of a node that nobody has touched runs on any item."""
    saved = await parts.save(new_node("Python"))

    execution = await api.run_step(saved, "Python")

    assert execution.values("Python") == [{"fields": 3, "names": "item, quantity, price"}]


async def test_a_person_writes_a_function_chooses_it_and_tests_it(
    parts: Parts, editor: Editor, pictures: Path
) -> None:
    """Its parameters become typed fields; "Execute step" runs it on pinned data with what the fields say."""
    await open_node(parts, editor, new_node("Write the invoice"), "Write the invoice")
    await expect(editor.arguments).to_have_text(["item: dict, required"])

    await editor.write_code(INVOICE)
    await expect(editor.panel.get_by_text("The code has several functions")).to_be_visible()
    await editor.choose("function", "invoice(")

    await expect(editor.arguments).to_have_text(
        [
            "order: Order, required",
            "vat: float = 0.19",
            "rounded: bool = True",
            'style: Literal["short", "long"] = "short"',
        ]
    )
    await editor.parameter("vat").locator("input").fill("0.07")
    await editor.choose("style", "long")
    await editor.execute_step()
    await expect(editor.output.get_by_text("3 x lamp").first).to_be_visible()
    await expect(editor.output.get_by_text("32.1").first).to_be_visible()

    await editor.parameter("function").scroll_into_view_if_needed()
    await editor.screenshot(pictures / "panel.png")
    await editor.close_node()


async def test_fields_follow_the_code_until_a_value_is_given_and_values_are_never_lost(
    parts: Parts, editor: Editor
) -> None:
    """A changed signature shows at once where nothing is filled in, else when the node is opened anew."""
    await open_node(parts, editor, new_node("Python"), "Python")
    await editor.write_code("def f(rate: float, days: int = 2) -> float: ...")
    await expect(editor.arguments).to_have_text(["rate: float, required", "days: int = 2"])
    rate = editor.parameter("rate").locator("input")
    await rate.fill("0.5")
    await rate.press("Tab")

    await editor.write_code("def f(rate: float, name: str, days: int = 2) -> float: ...")
    await expect(rate).to_have_value("0.5")
    await editor.close_node()
    await editor.open_node("Python")

    await expect(editor.arguments).to_have_text(
        ["rate: float, required", "name: str, required", "days: int = 2"]
    )
    await expect(rate).to_have_value("0.5")
    await editor.close_node()


async def test_arguments_that_a_workflow_brings_stay_when_its_node_is_opened(
    parts: Parts, api: N8nApi, editor: Editor
) -> None:
    """A workflow that was written by hand loses nothing in the editor."""
    saved = await open_node(parts, editor, with_new_hooks(example("quickstart")), "Write the invoice")

    await expect(editor.arguments).to_have_text(["order: Order, required", "vat: float = 0.19"])
    await expect(editor.parameter("order")).to_contain_text("$json.body")
    await expect(editor.parameter("vat").locator("input")).to_have_value("0.19")
    await editor.close_node()
    kept = await api.call("GET", f"/rest/workflows/{saved['id']}")
    [parameters] = [one["parameters"] for one in kept["nodes"] if one["type"] == QFLOW_NODE]
    assert parameters["arguments"]["value"] == {"order": "={{ $json.body }}", "vat": 0.19}


async def test_a_mistake_in_the_code_shows_with_line_and_column(parts: Parts, editor: Editor) -> None:
    """Code that Python cannot read is told in the panel, before anything runs."""
    workflow = new_node("Python", {"code": "def f(a: int) -> int:\n    return (a\n"})

    await open_node(parts, editor, workflow, "Python")

    await expect(editor.parameter("function").locator("input")).to_have_value("The code cannot be read")
    await expect(editor.panel.get_by_text("Line 2, column 12:")).to_be_visible()
    await editor.close_node()


async def test_a_runner_that_is_away_is_a_sentence_in_the_panel(
    parts: Parts, api: N8nApi, editor: Editor
) -> None:
    """The list of functions says which runner does not answer; the rest of the panel can be used."""
    away = {"url": "http://127.0.0.1:9", "token": "none"}
    credential = await api.create_credential("Away", "qflowApi", away)
    workflow = new_node("Python")
    workflow["nodes"][1]["credentials"] = {"qflowApi": credential}
    saved = await api.create_workflow(workflow)
    await editor.open_workflow(saved["id"])
    await editor.open_node("Python")

    issue = editor.panel.locator('[data-test-id="parameter-issues"]').first
    await issue.hover()

    await expect(
        editor.page.get_by_text("The Qflow runner at http://127.0.0.1:9 does not answer").first
    ).to_be_visible()
    await editor.close_node()


async def test_types_stand_on_the_wires(parts: Parts, editor: Editor, pictures: Path) -> None:
    """Each wire shows the parameter that it feeds and the type that comes out; a subtitle the signature."""
    shared = dedent(INVOICE.split("def invoice")[0])
    nodes = [
        node("Start", "manualTrigger"),
        qflow(
            "Read the order",
            f"{shared}def read(item: str, quantity: int) -> Order:\n    return Order(item, quantity, 10.0)\n",
        ),
        qflow("Write the invoice", INVOICE),
        qflow(
            "Write a line",
            f'{shared}def line(invoice: Invoice) -> str:\n    return f"{{invoice.text}}: {{invoice.total}}"\n',
        ),
    ]
    nodes[2]["parameters"]["function"] = "invoice(order: Order) -> Invoice"
    workflow = chain("Types on the wires", nodes)
    for index, one in enumerate(workflow["nodes"]):
        one["position"] = [300 * index, 0]
    saved = await parts.save(pinned(workflow, "Start", [ORDER]))

    await editor.open_workflow(saved["id"])

    await expect(editor.wire_label("Read the order", "input")).to_have_text("item: str")
    await expect(editor.wire_label("Read the order", "output")).to_have_text("Order")
    await expect(editor.wire_label("Write the invoice", "input")).to_have_text("order: Order")
    await expect(editor.wire_label("Write the invoice", "output")).to_have_text("Invoice")
    await expect(editor.wire_label("Write a line", "input")).to_have_text("invoice: Invoice")
    await expect(editor.canvas_node("Write a line")).to_contain_text("line(invoice: Invoice) -> str")
    await editor.tidy()
    await editor.fit()
    await editor.screenshot(pictures / "wires.png")


async def test_a_link_that_cannot_work_is_refused_before_any_code_runs(parts: Parts, api: N8nApi) -> None:
    """Without hook and extension, the node itself compares with the node before it."""
    nodes = [
        node("Start", "manualTrigger"),
        qflow("Name", "def name(item: str) -> str:\n    return item\n"),
        # Its code fails as soon as it is run.
        qflow("Double", 'raise RuntimeError("too late")\n\ndef double(n: int) -> int:\n    return 2 * n\n'),
    ]
    saved = await parts.save(pinned(chain("A bad link", nodes), "Start", [ORDER]))

    execution = await api.run_step(saved, "Double")

    assert execution.status == "error"
    assert execution.error is not None
    assert 'The link from "Name" cannot work' in execution.error["message"]
    assert execution.error["description"]


async def test_validation_off_runs_a_link_that_the_check_would_refuse(parts: Parts, api: N8nApi) -> None:
    """Whoever turns validation off is not held up."""
    nodes = [
        node("Start", "manualTrigger"),
        qflow("Name", "def name(item: str) -> str:\n    return item\n"),
        qflow("Double", "def double(n: int) -> int:\n    return 2 * n\n"),
    ]
    nodes[2]["parameters"]["options"] = {"validation": "off"}
    saved = await parts.save(pinned(chain("A bad link", nodes), "Start", [ORDER]))

    execution = await api.run_step(saved, "Double")

    assert execution.values("Double") == [{"value": "lamplamp"}]


async def test_a_script_runs_without_a_function_and_without_arguments(parts: Parts, api: N8nApi) -> None:
    """With "Run" set to Script the node needs nothing but the code."""
    code = 'return [{"json": {"item": one["json"]["item"].upper()}} for one in _items]\n'
    saved = await parts.save(new_node("Python", {"code": code, "mode": "script"}))

    execution = await api.run_step(saved, "Python")

    assert execution.values("Python") == [{"item": "LAMP"}]
