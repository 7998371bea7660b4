"""What a run of a workflow does, and what stands in the way, known before anything runs."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.errors import WorkflowNotRunnable
from qflow_runner.workflows import Workflow
from qflow_runner.workflows.plan import Given, plan
from qflow_runner.workflows.requests import _OPTIONS, definition_of, feeds_only_qflow
from qflow_runner.workflows.steps import Plan
from tests.unit.workflows.build import other, qflow, workflow

CODE = "def f(x: int = 0) -> int:\n    return x\n"
OPTIONS = Path(__file__).parents[3] / "n8n-nodes-qflow/nodes/QflowPython/panel/options.ts"


def planned(
    made: dict[str, Any], given: Given | None = None, only: list[str] | None = None, **more: Any
) -> Plan:
    return plan(Workflow.model_validate({**made, **more}), given, only)


def refused(
    made: dict[str, Any], given: Given | None = None, only: list[str] | None = None, **more: Any
) -> str:
    with pytest.raises(WorkflowNotRunnable) as caught:
        planned(made, given, only, **more)
    return caught.value.detail


def test_nodes_are_ordered_by_their_links() -> None:
    """Not by where they stand in the file."""
    made = workflow(
        {"C": qflow(CODE), "B": qflow(CODE), "T": other("manualTrigger"), "A": qflow(CODE)},
        ("T", "A"),
        ("A", "B"),
        ("B", "C"),
    )
    found = planned(made)

    assert ["T", "A", "B", "C"] == list(found.steps)
    assert {"A": (), "B": ("A",), "C": ("B",)} == found.parents


def test_nodes_that_are_not_needed_are_left_alone() -> None:
    """What follows the last Qflow node, and what no chosen node needs, may be anything."""
    made = workflow(
        {
            "A": qflow(CODE),
            "B": qflow(CODE),
            "C": qflow(CODE),
            "Web": other("httpRequest"),
            "Mail": other("emailSend"),
        },
        ("A", "B"),
        ("Web", "C"),
        ("B", "Mail"),
    )

    assert ["A", "B"] == planned(made, only=["B"]).jobs
    assert ["A"] == planned(made, only=["A", "A"]).jobs
    assert "'Web'" in refused(made)


def test_parents_are_found_through_nodes_that_hand_on() -> None:
    """Also through a merge, and a disabled node."""
    made = workflow(
        {
            "A": qflow(CODE),
            "B": qflow(CODE),
            "No": other("noOp"),
            "Off": {**qflow("raise SystemExit"), "disabled": True},
            "M": other("merge"),
            "C": qflow(CODE),
        },
        ("A", "No"),
        ("No", "M"),
        ("B", "Off"),
        ("Off", "M", 0, 1),
        ("M", "C"),
    )

    assert ("A", "B") == planned(made).parents["C"]


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("if", {}),
        ("switch", {}),
        ("filter", {}),
        ("set", {}),
        ("code", {}),
        ("merge", {"mode": "combine"}),
        ("splitInBatches", {}),
    ],
)
def test_what_only_n8n_runs_is_refused_with_its_name(kind: str, parameters: dict[str, Any]) -> None:
    """And says that its data can be pinned; pinned, it gives that."""
    made = workflow(
        {"T": other("manualTrigger"), "Other one": other(kind, **parameters), "A": qflow(CODE)},
        ("T", "Other one"),
        ("Other one", "A"),
    )
    detail = refused(made)

    assert "'Other one'" in detail
    assert "pin" in detail
    pinned = planned(made, pinData={"Other one": [{"json": {"x": 1}}, {"x": 2}]})
    assert [{"json": {"x": 1}}, {"json": {"x": 2}}] == pinned.steps["Other one"].given
    given = planned(made, {"Other one": [{"json": {"x": 3}}]}, pinData={"Other one": [{"x": 2}]})
    assert [{"json": {"x": 3}}] == given.steps["Other one"].given


def test_a_trigger_with_data_has_to_be_pinned_or_given() -> None:
    """One that brings nothing gives one empty item."""
    made = workflow({"Hook": other("webhook"), "A": qflow(CODE)}, ("Hook", "A"))
    manual = workflow({"T": other("manualTrigger"), "A": qflow(CODE)}, ("T", "A"))
    items = [{"json": {"x": 1}}]

    assert "'Hook'" in refused(made)
    assert items == planned(made, items).steps["Hook"].given
    assert items == planned(manual, items).steps["T"].given
    assert [{"json": {}}] == planned(manual).steps["T"].given


def test_items_by_name_are_what_a_qflow_node_takes() -> None:
    """Then nothing before it is needed."""
    made = workflow({"Hook": other("webhook"), "A": qflow(CODE), "B": qflow(CODE)}, ("Hook", "A"), ("A", "B"))
    found = planned(made, {"B": [{"json": {"x": 1}}]}, ["B"])

    assert ["B"] == list(found.steps)
    assert [{"json": {"x": 1}}] == found.steps["B"].given
    assert "'Z'" in refused(made, {"Z": []})


def test_items_for_a_start_that_is_not_needed_are_refused() -> None:
    """They would go nowhere."""
    made = workflow({"No": other("noOp"), "A": qflow(CODE), "X": other("set")}, ("X", "A"), ("No", "X"))

    assert "start" in refused(made, [{"json": {}}], pinData={"X": [{"x": 1}]})


def test_a_circle_is_refused_with_its_nodes() -> None:
    """However what follows it hangs on it."""
    made = workflow({name: qflow(CODE) for name in "ABCD"}, ("A", "B"), ("B", "C"), ("C", "B"), ("C", "D"))
    detail = refused(made)

    assert {"'B'", "'C'"} == set(re.findall(r"'\w'", detail))
    assert "loop" in detail


def test_a_loop_over_items_is_refused_as_such() -> None:
    """n8n runs it round by round."""
    made = workflow(
        {"T": other("manualTrigger"), "Loop": other("splitInBatches"), "A": qflow(CODE)},
        ("T", "Loop"),
        ("Loop", "A", 1),
        ("A", "Loop"),
    )

    assert "'Loop' is a loop" in refused(made)


def test_nodes_that_cannot_be_chosen() -> None:
    """Unknown, not Qflow's, disabled; and a workflow without any."""
    made = workflow({"A": qflow(CODE), "N": other("noOp"), "Off": {**qflow(CODE), "disabled": True}})

    for name in ("Z", "N", "Off"):
        assert f"'{name}'" in refused(made, only=[name])
    assert "no Qflow node" in refused(workflow({"N": other("noOp")}))
    twice = workflow({"A": qflow(CODE)})
    assert "same name" in refused({**twice, "nodes": twice["nodes"] * 2})


def test_all_reasons_are_told_at_once() -> None:
    """A person corrects them in one go."""
    made = workflow(
        {
            "Web": other("httpRequest"),
            "A": qflow(CODE, args={"x": "={{ $json.x.toFixed() }}"}),
            "B": qflow(CODE, requirements="={{ $vars.packages }}"),
            "C": qflow(" "),
            "D": qflow("", source="saved", savedName={"mode": "list", "value": "=x"}),
        },
        ("Web", "A"),
    )
    detail = refused(made)

    for said in (
        "'Web'",
        "'A' has an expression in 'x'",
        "'B' has an expression in 'requirements'",
        "'C'",
        "'D'",
    ):
        assert said in detail


@pytest.mark.parametrize("pinned", [[1], [None], [{"json": {}, "binary": {"a": {"id": "filesystem-v2:x"}}}]])
def test_pinned_data_that_is_none(pinned: list[Any]) -> None:
    """What is no item, or is a file that only n8n has."""
    made = workflow({"X": other("set"), "A": qflow(CODE)}, ("X", "A"))

    assert "pinned data of 'X'" in refused(made, pinData={"X": pinned})


def test_a_node_asks_for_what_the_n8n_node_asks_for() -> None:
    """Defaults are the node's own, not the runner's."""
    made = workflow(
        {
            "A": qflow(
                CODE,
                function="f(x: int = 0) -> int",
                requirements="pandas>=2\n\n# why\n attrs ",
                options={
                    "network": "a.org:443, b.org:25",
                    "timeout": 5,
                    "cache": 60,
                    "referenceScope": "runner",
                    "useSecrets": True,
                },
            ),
            "S": qflow("x", mode="script", function="left over", args={"x": 1}),
            "V": {
                "type": "n8n-nodes-qflow.qflowPython",
                "parameters": {
                    "source": "saved",
                    "code": "left over",
                    "savedName": {"mode": "list", "value": "Invoice"},
                    "savedVersion": "2",
                    "output": "items",
                },
            },
        }
    )
    steps = planned(made).steps

    assert {
        "code": CODE,
        "function": "f",
        "requirements": ["pandas>=2", "attrs"],
        "python": "3.12",
        "mode": "auto",
        "output": "auto",
        "validation": "strict",
        "timeout_s": 5,
        "cache_ttl_s": 60,
        "reference_scope": "runner",
        "egress": ["a.org:443", "b.org:25"],
    } == definition_of(steps["A"].node)
    assert "function" not in definition_of(steps["S"].node)
    assert not steps["S"].job.arguments.constant  # pyright: ignore[reportOptionalMemberAccess]
    assert {"saved": {"name": "Invoice", "version": 2}, "output": "items"} == definition_of(steps["V"].node)


def test_every_option_of_the_node_is_known() -> None:
    """An option that is added to the panel has to mean something here too."""
    named = re.findall(r"^\t\t\tname: '(\w+)',$", OPTIONS.read_text(), re.MULTILINE)

    assert len(named) > 5
    assert set(named) - {"useSecrets"} == set(_OPTIONS)


def test_references_are_kept_for_qflow_nodes_alone() -> None:
    """Through disabled nodes, as the n8n node sees it."""
    made = workflow(
        {
            "A": qflow(CODE),
            "Off": {**other("set"), "disabled": True},
            "B": qflow(CODE),
            "No": other("noOp"),
        },
        ("A", "Off"),
        ("Off", "B"),
        ("B", "No"),
    )
    found = planned(made)

    assert feeds_only_qflow(found.graph, found.steps["A"].node)
    assert not feeds_only_qflow(found.graph, found.steps["B"].node)


def test_ways_that_multiply_are_refused() -> None:
    """Two links between two nodes are two runs of the second, then four of the third; a merge makes one of them."""
    names = [f"N{n}" for n in range(12)]
    twice = [(a, b) for a, b in pairwise(names) for _ in range(2)]
    nodes = {name: qflow(CODE) for name in names}
    merged = [wire for a, b in pairwise(names) for wire in ((a, f"M{b}"), (a, f"M{b}", 0, 1), (f"M{b}", b))]

    assert "'N10' would run more than 1000 times" in refused(workflow(nodes, *twice))
    merges = {f"M{name}": other("merge") for name in names[1:]}
    assert 12 == len(planned(workflow(nodes | merges, *merged)).jobs)


def test_links_have_a_bound() -> None:
    """Of what one run follows."""
    made = workflow({"A": qflow(CODE), "B": qflow(CODE)}, *[("A", "B")] * 20_001)

    assert "20001 links" in refused(made)


def test_a_long_chain_is_planned() -> None:
    """No depth of recursion bounds it."""
    made = workflow(
        {f"N{n}": qflow(CODE) for n in range(1_000)}, *[(f"N{n}", f"N{n + 1}") for n in range(999)]
    )

    assert 1_000 == len(planned(made).jobs)
