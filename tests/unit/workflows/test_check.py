"""Links between Qflow nodes, judged by the code of both."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from qflow_runner.analysis import Analyzer
from qflow_runner.workflows import Check, Checker, Workflow
from qflow_runner.workflows.form import check_form, sarif
from tests.unit.workflows.build import qflow, workflow

ORDER = """
from dataclasses import dataclass
from pathlib import Path

@dataclass
class Order:
    item: str
    price: float
    quantity: int = 1

@dataclass
class Tagged:
    tags: list[str]

@dataclass
class Filed:
    doc: Path
    n: int
"""


@pytest.fixture(scope="module")
async def checker() -> AsyncIterator[Checker]:
    analyzer = Analyzer()
    await analyzer.open()
    yield Checker(analyzer, "3.12")
    await analyzer.close()


def function(takes: str, gives: str = "None", prelude: str = "") -> str:
    return f"{prelude}\ndef f({takes}) -> {gives}: ...\n"


async def checked(checker: Checker, source: dict[str, Any], target: dict[str, Any]) -> Check:
    data = workflow({"source": source, "target": target}, ("source", "target"))
    return await checker.check(Workflow.model_validate(data))


CASES = [
    # what the source returns, what the target takes, its other parameters, the verdict
    ("int", "n: int", {}, "assignable"),
    ("int", "n: float", {}, "assignable"),
    ("int", "n: str", {}, "incompatible"),
    ("str", "when: datetime.datetime", {}, "convertible"),
    ("list[int]", "n: int", {}, "assignable"),
    ("Iterator[int]", "n: int", {}, "assignable"),
    ("list[int]", "ns: list[int]", {}, "assignable"),
    ("list[str]", "ns: list[int]", {}, "incompatible"),
    ("int", "ns: list[int]", {}, "assignable"),
    ("list[dict]", "rows: pandas.DataFrame", {}, "convertible"),
    ("pandas.DataFrame", "rows: pandas.DataFrame", {}, "assignable"),
    ("pandas.DataFrame", "rows: list[dict]", {}, "convertible"),
    ("Order", "order: Order", {}, "assignable"),
    ("Order", "order: dict", {}, "convertible"),
    ("Order", "item: str", {}, "assignable"),
    ("Order", "item: str, price: float", {}, "assignable"),
    ("Order", "item: str, weight: float", {}, "incompatible"),
    ("Order", "item: str, weight: float = 1.0", {}, "assignable"),
    ("Order", "item: int", {}, "incompatible"),
    ("dict", "n: int", {}, "unchecked"),
    ("dict", "item: dict", {}, "assignable"),
    ("int", "item: dict", {}, "assignable"),
    ("Any", "n: int", {}, "unchecked"),
    ("Order", "n: int", {"args": {"n": "={{ $json.quantity }}"}}, "assignable"),
    ("Order", "n: int", {"args": {"n": "={{ $json.item }}"}}, "incompatible"),
    ("Order", "n: int", {"args": {"n": '={{ $json["weight"] }}'}}, "incompatible"),
    ("Order", "n: int", {"args": {"n": "={{ $json.quantity * 2 }}"}}, "assignable"),
    ("Order", "n: int", {"args": {"n": 5}}, "assignable"),
    ("int", "n: str", {"options": {"validation": "off"}}, "unchecked"),
    ("str", "n: int", {"options": {"validation": "coerce"}}, "unchecked"),
    ("int", "ns: list[int]", {"mode": "item"}, "incompatible"),
    # In a call for all items, many plain values are the field of each.
    ("Order", "price: list[float]", {}, "assignable"),
    ("list[Order]", "price: list[float]", {}, "assignable"),
    ("Order", "price: list[float], item: list[str]", {}, "assignable"),
    ("Order", "price: list[str]", {}, "incompatible"),
    ("Order", "weight: list[float]", {}, "incompatible"),
    ("Order", "price: list[float], weight: list[float]", {}, "incompatible"),
    ("Order", "price: set[float] | None", {}, "assignable"),
    ("dict", "price: list[float]", {}, "unchecked"),
    ("dict", "rows: list[dict], price: list[float] = []", {}, "assignable"),
    ("Order", "rows: list[Order], price: list[float] = []", {}, "assignable"),
    ("Order", "rows: list[Order], item: list[float] = []", {}, "incompatible"),
    ("Tagged", "tags: list[str]", {}, "unchecked"),
    ("Tagged", "tags: list[list[str]]", {}, "assignable"),
    # A file lies beside the fields of its item: for whoever takes one, and for nobody else.
    ("bytes", "doc: bytes", {}, "assignable"),
    ("bytes", "doc: Path", {}, "assignable"),
    ("Path", "doc: bytes", {}, "assignable"),
    ("Path", "doc: bytes | None", {}, "assignable"),
    ("Path", "doc: str", {}, "incompatible"),
    ("Path", "doc: str = 'x'", {}, "assignable"),
    ("Path", "doc: int", {}, "incompatible"),
    ("Path", "item: dict", {}, "assignable"),
    ("list[Path]", "doc: bytes", {}, "assignable"),
    ("TextIO", "doc: bytes", {}, "assignable"),
    ("BinaryIO", "doc: str", {}, "incompatible"),
    ("IO[bytes]", "doc: Path", {}, "assignable"),
    ("Filed", "doc: bytes", {}, "assignable"),
    ("Filed", "doc: str", {}, "incompatible"),
    ("Filed", "n: int", {}, "assignable"),
    ("Filed", "n: int, doc: str = ''", {}, "assignable"),
]


@pytest.mark.parametrize(("gives", "takes", "parameters", "verdict"), CASES)
async def test_verdicts(
    checker: Checker, gives: str, takes: str, parameters: dict[str, Any], verdict: str
) -> None:
    """A link is judged by what the run would do with the value."""
    prelude = f"import datetime, pandas\nfrom typing import IO, Any, BinaryIO, Iterator, TextIO\n{ORDER}"

    check = await checked(
        checker,
        qflow(function("x: int", gives, prelude)),
        qflow(function(takes, "None", prelude), **parameters),
    )

    judgement = check.links[0].verdict.judgement
    assert verdict == judgement.verdict, judgement
    assert (verdict != "incompatible") == check.ok
    if verdict == "incompatible":
        assert judgement.reason
        assert judgement.suggestion


async def test_a_refusal_names_nodes_types_and_reason(checker: Checker) -> None:
    """The sentence stands alone: a person reads it in n8n."""
    check = await checked(checker, qflow(function("x: int", "str")), qflow(function("n: int")))

    sentence = check.refused[0].sentence
    assert sentence.startswith("'source' gives str, but 'target' takes 'n: int': ")


async def test_what_comes_by_itself_is_not_judged(checker: Checker) -> None:
    """The link is held against the first parameter that an item fills."""
    source = qflow("def f() -> int: ...\n")
    head = "from qflow import Context, File\n"
    fine = await checked(checker, source, qflow(head + "def g(ctx: Context, photo: File, n: int): ...\n"))
    wrong = await checked(checker, source, qflow(head + "def g(ctx: Context, photo: File, n: str): ...\n"))

    assert [link.verdict.judgement.verdict for link in (*fine.links, *wrong.links)] == [
        "assignable",
        "incompatible",
    ]


async def test_the_function_that_the_node_names_is_judged(checker: Checker) -> None:
    """By its name, also out of a whole signature."""
    code = "def a(x: int) -> int: ...\ndef b(x: int) -> str: ...\n"
    for name, ok in (("a", True), ("b", False), ("b(x: int) -> str", False)):
        check = await checked(checker, qflow(code, function=name), qflow(function("n: int")))
        assert ok == check.ok


async def test_scripts_are_unchecked(checker: Checker) -> None:
    """A body has no types."""
    check = await checked(checker, qflow("return _items\n"), qflow(function("n: int")))

    assert ["unchecked"] == [each.verdict.judgement.verdict for each in check.links]


async def test_what_would_fit_is_suggested(checker: Checker) -> None:
    """Functions of the workflow that take what the refused source gives."""
    nodes = {
        "source": qflow(function("x: int", "str")),
        "target": qflow(
            "def wrong(n: int) -> int: ...\ndef right(text: str) -> int: ...\n", function="wrong"
        ),
    }
    check = await checker.check(Workflow.model_validate(workflow(nodes, ("source", "target"))))

    assert ["right"] == [each.function for each in check.suggestions]


async def test_code_that_does_not_parse_is_a_finding_and_no_verdict(checker: Checker) -> None:
    """The link is unchecked, and the node carries the error with its line."""
    check = await checked(checker, qflow("def f(:\n"), qflow(function("n: int")))

    assert ["unchecked"] == [each.verdict.judgement.verdict for each in check.links]
    assert [1] == [finding.line for node in check.nodes for finding in node.findings]


async def test_the_forms_say_the_same(checker: Checker) -> None:
    """JSON for the node, SARIF for code hosts."""
    check = await checked(checker, qflow(function("x: int", "str")), qflow(function("n: int")))
    form, report = check_form(check), sarif(check, "w.json", "1")

    assert (False, "incompatible", "id-source", "id-target", []) == (
        form["ok"],
        *(form["links"][0][name] for name in ("verdict", "from_id", "to_id", "path")),
    )
    assert [("link-incompatible", "error")] == [
        (result["ruleId"], result["level"]) for result in report["runs"][0]["results"]
    ]


async def test_an_inferred_result_is_judged_and_a_guessed_parameter_is_not_held_against_it(
    checker: Checker,
) -> None:
    """What a function returns follows from its code; a default only hints at what a parameter takes."""
    source = qflow("def f(x: int):\n    return 'text'\n")

    annotated = await checked(checker, source, qflow(function("n: int")))
    guessed = await checked(
        checker, qflow(function("x: int", "float")), qflow("def g(rate=1) -> None: ...\n")
    )

    assert ["incompatible"] == [each.verdict.judgement.verdict for each in annotated.links]
    assert ["unchecked"] == [each.verdict.judgement.verdict for each in guessed.links]


async def test_many_nodes_without_annotations_do_not_hold_up_a_check(checker: Checker) -> None:
    """What cannot be inferred in time is unchecked, and the check answers."""
    nodes = {f"n{number}": qflow(f"def f(x):\n    return x, {number}\n") for number in range(60)}
    data = workflow(nodes, *((f"n{number}", f"n{number + 1}") for number in range(59)))

    async with asyncio.timeout(5):
        check = await checker.check(Workflow.model_validate(data))

    assert 59 == len(check.links)
    assert check.ok
