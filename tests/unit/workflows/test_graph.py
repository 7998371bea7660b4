"""Which Qflow node feeds which, read from n8n's workflow JSON."""

import pytest

from qflow_runner.workflows.graph import Graph, Workflow
from tests.unit.workflows.build import other, qflow, workflow

CODE = "def f(item: dict) -> dict:\n    return item\n"


def links(nodes: dict, *wires: tuple) -> list[tuple[str, str, tuple[str, ...]]]:
    graph = Graph.of(Workflow.model_validate(workflow(nodes, *wires)))
    return [(link.source, link.target, link.path) for link in graph.links()]


def test_a_wire_between_two_qflow_nodes_is_a_link() -> None:
    """From node to node, with nothing in between."""
    assert [("a", "b", ())] == links({"a": qflow(CODE), "b": qflow(CODE)}, ("a", "b"))


@pytest.mark.parametrize(
    "between",
    [
        other("noOp"),
        other("if"),
        other("filter"),
        other("wait"),
        other("splitInBatches"),
        other("merge"),
        other("merge", mode="append"),
        {**other("set"), "disabled": True},
        {**qflow(CODE), "disabled": True},
    ],
)
def test_nodes_that_hand_items_on_are_looked_through(between: dict) -> None:
    """Also a disabled node, which n8n steps over."""
    found = links({"a": qflow(CODE), "x": between, "b": qflow(CODE)}, ("a", "x"), ("x", "b"))

    assert [("a", "b", ("x",))] == found


@pytest.mark.parametrize(
    "between",
    [other("set"), other("code"), other("merge", mode="combine"), other("removeDuplicates", operation="x")],
)
def test_nodes_that_may_change_items_end_the_view(between: dict) -> None:
    """What they give is not known."""
    assert [] == links({"a": qflow(CODE), "x": between, "b": qflow(CODE)}, ("a", "x"), ("x", "b"))


def test_a_loop_ends_and_is_itself_a_link() -> None:
    """A node that feeds itself through a loop meets its own result."""
    nodes = {"loop": other("splitInBatches"), "a": qflow(CODE), "end": qflow(CODE)}

    found = links(nodes, ("loop", "a", 1), ("a", "loop"), ("loop", "end", 0))

    assert {("a", "a", ("loop",)), ("a", "end", ("loop",))} == set(found)


def test_every_output_and_input_is_its_own_link() -> None:
    """The indexes are those of the two ends."""
    data = workflow({"a": qflow(CODE), "b": qflow(CODE)}, ("a", "b", 1, 0))
    graph = Graph.of(Workflow.model_validate(data))

    assert [(1, 0)] == [(link.output, link.input) for link in graph.links()]


@pytest.mark.parametrize(
    "connections",
    [
        [],
        {"a": []},
        {"a": {"main": None}},
        {"a": {"main": [None, [None, {"node": 5}]]}},
        {"a": {"ai_tool": [[{"node": "b", "type": "ai_tool", "index": 0}]]}},
        {"gone": {"main": [[{"node": "b", "type": "main", "index": 0}]]}},
        {"a": {"main": [[{"node": "gone", "type": "main", "index": 0}]]}},
    ],
)
def test_odd_connections_are_no_links(connections: object) -> None:
    """Empty, broken, of another kind, or to a node that is not there."""
    data = workflow({"a": qflow(CODE), "b": qflow(CODE)}) | {"connections": connections}

    assert [] == Graph.of(Workflow.model_validate(data)).links()
