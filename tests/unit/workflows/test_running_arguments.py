"""Arguments of a node without n8n: what is written, and expressions that lead into the item."""

import json
from typing import Any

import pytest

from qflow_runner.workflows.arguments import Unfollowed, read_arguments
from qflow_runner.workflows.graph import Node

ITEMS = [
    {"json": {"a": {"b": [1, {"c": "x"}]}, "net price": 2.5, "text": "a😀", "null": None}},
    {"json": {"a": 3}},
]


def node(values: dict[str, Any], schema: list[Any] | None = None, **parameters: Any) -> Node:
    mapper = {"mappingMode": "defineBelow", "value": values, "schema": schema or []}
    return Node(name="A", type="x.qflowPython", parameters={"arguments": mapper, **parameters})


def encoded(value: Any, kind: str = "", *, once: bool = False) -> list[Any]:
    made = node({"p": value}, [{"id": "p", "type": kind}])
    return json.loads(read_arguments(made).encoded(ITEMS, once=once))


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (1, "", 1),
        (True, "boolean", True),
        ("1", "number", 1),
        ("1", "string", "1"),
        ("1", "options", "1"),
        ("[1, 2]", "", [1, 2]),
        ('"x"', "", '"x"'),
        ("NaN", "", "NaN"),
        ("plain", "", "plain"),
        ("[" * 100_000, "", "[" * 100_000),
        ({"a": [1]}, "", {"a": [1]}),
        ("=plain", "", "plain"),
        ("=12", "", 12),
        ("=12", "string", "12"),
        ("={{ 12 }}", "string", 12),
        ('={{ {"a": 1} }}', "", {"a": 1}),
    ],
)
def test_what_is_the_same_for_all_items(value: Any, kind: str, found: Any) -> None:
    """One entry; text is JSON where its field is not for text."""
    assert [{"p": found}] == encoded(value, kind)


def test_all_digits_of_a_number_are_kept() -> None:
    """Python reads a long one, which JavaScript could not."""
    digits = "12345678901234567890.10"

    assert digits in read_arguments(node({"p": digits})).encoded(None, once=False)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("={{ $json }}", [ITEMS[0]["json"], ITEMS[1]["json"]]),
        ("={{$json.a}}", [{"b": [1, {"c": "x"}]}, 3]),
        ("={{ $json.a.b[1].c }}", ["x", None]),
        ("={{ $json?.a?.b.length }}", [2, None]),
        ('={{ $json["net price"] }}', [2.5, None]),
        ("={{ $json['net price'] }}", [2.5, None]),
        ("={{ $json.text.length }}", [3, None]),
        ("={{ $json.a.b[7] }}", [None, None]),
    ],
)
def test_a_path_is_followed_for_each_item(value: str, found: list[Any]) -> None:
    """What is not there leaves the argument out, as undefined does in n8n."""
    assert [{} if each is None else {"p": each} for each in found] == encoded(value)
    assert 1 == len(encoded(value, once=True))


def test_null_is_a_value() -> None:
    """Not the same as what is missing."""
    assert [{"p": None}, {}] == encoded("={{ $json.null }}")


def test_empty_fields_and_scripts_have_no_arguments() -> None:
    """They are left to the item, or to the default."""
    assert "[]" == read_arguments(node({"a": "", "b": None})).encoded(ITEMS, once=False)
    assert "[]" == read_arguments(node({"a": 1}, mode="script")).encoded(ITEMS, once=False)
    assert "[]" == read_arguments(Node(name="A", type="q", parameters={"arguments": 1})).encoded(
        [], once=False
    )


@pytest.mark.parametrize(
    "value",
    [
        "={{ $json.a + 1 }}",
        "={{ $('B').item.json.x }}",
        "=Hello {{ $json.a }}",
        "={{ $json.a }}{{ $json.a }}",
        "={{ $now }}",
        "={{ $json[$json.a] }}",
        "={{ constructor.constructor('return process')() }}",
        "={{",
        ["={{ $json.a }}"],
    ],
)
def test_what_only_n8n_evaluates_is_refused(value: Any) -> None:
    """With the node and the parameter. Nothing of it is run."""
    with pytest.raises(Unfollowed) as caught:
        read_arguments(node({"rate": value}))
    assert "'A' has an expression in 'rate'" in str(caught.value)
