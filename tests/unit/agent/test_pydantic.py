"""Annotations of pydantic and annotated_types, as code with those packages in its layer has them.

The agent imports neither: it must read their objects as they are in the versions that people install.
"""

import json
from typing import Any

import pytest

from qflow_agent import wire
from qflow_agent.call import call
from qflow_agent.definition import load
from qflow_agent.problem import Problem

HEAD = (
    "from typing import Annotated, Iterator, Optional\nimport annotated_types as at\nimport pydantic\n"
    "from pydantic import BaseModel, Field, PositiveInt, StringConstraints\n"
    "class Order(BaseModel):\n    id: int\n    note: str = ''\n"
)


def run(code: str, item: dict[str, Any], validation: str = "strict") -> Any:
    """What the function's only item holds, or the code of the problem and its sentence."""
    define = wire.Define("pydantic", HEAD + code, "f", "item", "auto", validation)
    body = bytearray(json.dumps({"items": [{"json": item}], "args": []}).encode())
    try:
        (found,) = json.loads(call(load(define), body, "", "stop").payload)
    except Problem as problem:
        return problem.code, problem.detail
    return found["json"]


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "told"),
    [
        ("Annotated[int, Field(gt=0)]", 1, 0, "greater than 0"),
        ("Annotated[int, Field(ge=1, multiple_of=5)]", 5, 6, "a multiple of 5"),
        ("Annotated[str, Field(min_length=2, pattern='^a')]", "ab", "ba", "matches ^a"),
        ("Annotated[str, StringConstraints(max_length=2)]", "ab", "abc", "of length 2 or less"),
        ("Annotated[list[int], Field(max_length=1)]", [1], [1, 2], "of length 1 or less"),
        ("PositiveInt", 1, 0, "greater than 0"),
        ("pydantic.conint(lt=3)", 2, 3, "less than 3"),
        ("Annotated[int, at.Interval(ge=1, lt=4)]", 3, 4, "less than 4"),
        ("Annotated[str, at.Len(1, 2)]", "a", "abc", "of length 2 or less"),
        ("Annotated[int, at.Predicate(abs)]", 1, 0, "accepted by abs"),
    ],
)
def test_limits_are_kept(annotation: str, good: Any, bad: Any, told: str) -> None:
    """Arguments and results alike."""
    takes = f"def f(x: {annotation}): return {{'x': x}}"
    gives = f"def f(x) -> {annotation}: return x"

    assert run(takes, {"x": good}) == {"x": good}
    code, detail = run(takes, {"x": bad})
    assert code == "argument_type"
    assert told in detail
    code, detail = run(gives, {"x": bad})
    assert code == "result_type"
    assert told in detail


def test_a_model_is_a_result_of_its_own_annotation() -> None:
    """A dict is not, unless validation coerces; then the model's own rules decide."""
    assert run("def f(n) -> Order: return Order(id=n)", {"n": 1}) == {"id": 1, "note": ""}
    assert run("def f(n) -> Order: return {'id': n}", {"n": 1})[0] == "result_type"
    assert run("def f(n) -> Order: return {'id': n}", {"n": 1}, "coerce") == {"id": 1, "note": ""}
    code, detail = run("def f(n) -> Order: return {'id': n}", {"n": "x"}, "coerce")
    assert code == "result_type"
    assert "valid integer" in detail


def test_models_one_by_one() -> None:
    """What an iterator gives is checked when it comes."""
    code, detail = run("def f() -> Iterator[Order]:\n    yield Order(id=1)\n    yield {}", {})

    assert code == "result_type"
    assert "at [1]: expected Order" in detail


@pytest.mark.parametrize(
    ("annotation", "item", "told"),
    [
        (
            "Order",
            {"id": "x"},
            "at id: Input should be a valid integer, unable to parse string as an integer, got the string 'x'",
        ),
        ("Order", {}, "at id: Field required."),
        ("Order", {"id": "x", "note": 5}, "got the string 'x' (and 1 more)."),
        (
            "Cart",
            {"lines": [{"id": 1}, {"id": None}]},
            "at lines[1].id: Input should be a valid integer, got null.",
        ),
        ("Page[int]", {"rows": [1, "x"]}, "at rows[1]: Input should be a valid integer"),
        ("Checked", {"id": 0}, "Value error, ids begin with 1"),
        ("Broken", {"id": 0}, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_model_that_refuses_says_where_and_why(annotation: str, item: dict[str, Any], told: str) -> None:
    """In pydantic's words, and in the form that all others have: without its own page of text."""
    code, detail = run(
        "from typing import Generic, List, TypeVar\nT = TypeVar('T')\n"
        "class Cart(BaseModel):\n    lines: List[Order]\n"
        "class Page(BaseModel, Generic[T]):\n    rows: List[T]\n"
        "class Checked(Order):\n    @pydantic.model_validator(mode='after')\n    def _check(self):\n"
        "        if not self.id: raise ValueError('ids begin with 1')\n        return self\n"
        "class Broken(Order):\n    @pydantic.model_validator(mode='after')\n    def _check(self):\n        1 / self.id\n"
        f"def f(x: {annotation}): return 1",
        item,
    )

    assert code == "argument_type"
    assert told in detail
    assert "errors.pydantic.dev" not in detail
    assert "\n" not in detail
