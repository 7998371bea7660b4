"""The node in n8n: how items reach a function, how results, prints and errors come back."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.n8n_api import Execution, N8nApi
from lab.parts import Parts
from lab.workflows import Workflow, chain, node, pinned, qflow

Json = Mapping[str, Any]

PEOPLE = [{"name": "Ada", "born": 1815}, {"name": "Grace", "born": 1906}, {"name": "Guido", "born": 1956}]


def workflow_of(code: str, items: Sequence[Json], arguments: Json | None = None, **settings: Any) -> Workflow:
    """Start (its items pinned) → Python."""
    nodes = [node("Start", "manualTrigger"), qflow("Python", code, arguments, **settings)]
    return pinned(chain("Test of the node", nodes), "Start", items)


async def run(parts: Parts, workflow: Workflow) -> Execution:
    """Save it, and press "Execute step" of its Python node."""
    return await parts.n8n.api.run_step(await parts.save(workflow), "Python")


async def test_the_package_loads_under_its_published_name(api: N8nApi) -> None:
    """n8n knows the node by the name that exported workflows carry."""
    assert "n8n-nodes-qflow.qflowPython" in await api.node_types()


async def test_a_function_of_fields_is_called_once_per_item(parts: Parts) -> None:
    """Parameters are filled from the item's fields; each result is paired with its item, in order."""
    code = """
        def greet(name: str, born: int) -> str:
            return f"{name}, {born}"
    """

    execution = await run(parts, workflow_of(code, PEOPLE))

    assert execution.output("Python") == [
        {"json": {"value": "Ada, 1815"}, "pairedItem": {"item": 0}},
        {"json": {"value": "Grace, 1906"}, "pairedItem": {"item": 1}},
        {"json": {"value": "Guido, 1956"}, "pairedItem": {"item": 2}},
    ]


async def test_expressions_of_the_node_are_evaluated_for_each_item(parts: Parts) -> None:
    """An argument mapped in the node goes before a field of the same name."""
    code = """
        def age(born: int, year: int) -> dict:
            return {"age": year - born}
    """
    arguments = {"year": "={{ $json.born + 50 + $itemIndex }}"}

    execution = await run(parts, workflow_of(code, PEOPLE, arguments))

    assert execution.values("Python") == [{"age": 50}, {"age": 51}, {"age": 52}]


async def test_printed_text_is_shown_as_a_hint_of_the_output(parts: Parts) -> None:
    """print() reaches the person who looks at the node's output."""
    code = """
        def greet(name: str) -> str:
            print(f"hello {name}")
            return name
    """

    execution = await run(parts, workflow_of(code, PEOPLE))

    hints = "\n".join(execution.hints("Python"))
    assert "hello Ada" in hints
    assert "hello Guido" in hints


async def test_a_failing_item_ends_the_execution_with_the_users_traceback(parts: Parts) -> None:
    """The error names the item, and shows the line of the user's code; nothing of Qflow's own."""
    code = """
        def check(name: str) -> str:
            if name == "Grace":
                raise ValueError(f"no {name} here")
            return name
    """

    execution = await run(parts, workflow_of(code, PEOPLE))

    assert execution.status == "error"
    assert execution.error is not None
    told = f"{execution.error.get('message')}\n{execution.error.get('description')}"
    assert "no Grace here" in told
    assert 'raise ValueError(f"no {name} here")' in told
    assert "qflow_agent" not in told
    assert execution.error["context"]["itemIndex"] == 1


async def test_a_wrong_type_names_the_parameter_and_what_was_found(parts: Parts) -> None:
    """The function is not called with a value that its annotation excludes."""
    code = """
        def double(n: int) -> int:
            return n * 2
    """

    execution = await run(parts, workflow_of(code, [{"n": "many"}]))

    assert execution.status == "error"
    assert execution.error is not None
    told = f"{execution.error.get('message')}\n{execution.error.get('description')}"
    assert "n" in told.split() or "`n`" in told or "'n'" in told
    assert "int" in told


async def test_continue_on_fail_keeps_failing_items_in_place(parts: Parts) -> None:
    """With "Continue" each failing item carries its error, and the items around it their results."""
    code = """
        def half(n: int) -> dict:
            if n % 2:
                raise ValueError(f"{n} is odd")
            return {"half": n // 2}
    """
    items = [{"n": 2}, {"n": 3}, {"n": 4}]

    execution = await run(parts, workflow_of(code, items, onError="continueRegularOutput"))

    assert execution.status == "success"
    first, second, third = execution.output("Python")
    assert (first["json"], first["pairedItem"]) == ({"half": 1}, {"item": 0})
    assert "3 is odd" in str(second["json"]["error"])
    assert second["pairedItem"] == {"item": 1}
    assert (third["json"], third["pairedItem"]) == ({"half": 2}, {"item": 2})


async def test_items_cross_several_nodes_with_their_origin(parts: Parts, api: N8nApi) -> None:
    """n8n can follow an item back through Qflow nodes: `$('Start').item` works after two of them."""
    code = """
        def step(name: str) -> dict:
            return {"name": name.upper()}
    """
    last = node(
        "End", "set", {"mode": "raw", "jsonOutput": "={{ { born: $('Start').item.json.born } }}"}, version=3.4
    )
    nodes = [node("Start", "manualTrigger"), qflow("Python", code), qflow("Again", code), last]
    workflow = await parts.save(pinned(chain("Origins", nodes), "Start", PEOPLE))

    execution = await api.run_step(workflow, "End")

    assert execution.values("End") == [{"born": 1815}, {"born": 1906}, {"born": 1956}]
