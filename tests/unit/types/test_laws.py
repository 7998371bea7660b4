"""Laws that hold for all types, and agreement with what the sandbox does with values."""

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflow_agent.kinds import Mismatch
from qflow_agent.typing_kinds import KindMaker
from qflow_agent.values import Refused, simplify
from qflow_runner.types import ClassInfo, FieldInfo, Scope, Type, TypeSyntax, judge, parse, show
from qflow_runner.types.forms import ANY, NONE, union
from tests.unit.types.scope import SCOPE

SIMPLE = ["int", "float", "bool", "str", "bytes", "None", "datetime", "date", "Decimal", "UUID", "Path"]
OWN = sorted(SCOPE.classes)
ALIASES = ["Numbers", "Nested", "Maybe"]


def texts(names: list[str]) -> st.SearchStrategy[str]:
    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            inner.map("list[{}]".format),
            inner.map("set[{}]".format),
            inner.map("Iterable[{}]".format),
            inner.map("tuple[{}, ...]".format),
            inner.map("dict[str, {}]".format),
            inner.map("{} | None".format),
            pair.map(lambda two: f"{two[0]} | {two[1]}"),
            pair.map(lambda two: f"tuple[{two[0]}, {two[1]}]"),
            pair.map(lambda two: f"Callable[[{two[0]}], {two[1]}]"),
        )

    return st.recursive(st.sampled_from(names), grown, max_leaves=5)


def known(names: list[str]) -> st.SearchStrategy[Type]:
    return texts(names).map(lambda text: parse(text, SCOPE))


PLAIN = known(SIMPLE)
EVERY = known(SIMPLE + OWN + ALIASES + ["Any", "object", "pandas.DataFrame", "Unheard"])


@given(EVERY)
def test_everything_flows_into_itself(a: Type) -> None:
    """Reflexive."""
    assert judge(a, a).verdict == "assignable"


CHAIN = [
    parse(text, SCOPE)
    for name in [
        "bool",
        "int",
        "float",
        "complex",
        "str",
        "datetime",
        "date",
        "Dog",
        "Animal",
        "Level",
        "Order",
        "BigOrder",
    ]
    for text in [
        name,
        f"{name} | None",
        f"list[{name}]",
        f"Sequence[{name}]",
        f"Iterable[{name}]",
        f"int | {name}",
    ]
] + [
    parse(text, SCOPE)
    for text in ("None", "object", "number", "Literal[1]", "Literal['a']", "Literal['a', 1]")
]


def test_assignable_is_transitive() -> None:
    """What fits in two steps fits in one, where nothing is Any."""
    fits = {a: [b for b in CHAIN if judge(a, b).verdict == "assignable"] for a in CHAIN}

    assert [] == [
        (show(a), show(b), show(c)) for a in CHAIN for b in fits[a] for c in fits[b] if c not in fits[a]
    ]


@given(EVERY, EVERY)
def test_a_type_flows_into_a_union_with_it(a: Type, b: Type) -> None:
    """On either side."""
    assert judge(a, union([a, b])).verdict == "assignable"
    assert judge(a, union([b, a])).verdict == "assignable"


@given(PLAIN, PLAIN, PLAIN)
def test_a_union_fits_where_all_its_members_fit(a: Type, b: Type, c: Type) -> None:
    """And is refused where one of them is."""
    both = {judge(a, c).verdict, judge(b, c).verdict}

    assert ("incompatible" in both) == (judge(union([a, b]), c).verdict == "incompatible")


@given(EVERY, EVERY)
def test_optional_takes_what_the_type_takes(a: Type, b: Type) -> None:
    """A None beside it refuses nothing."""
    if judge(a, b).verdict != "incompatible":
        assert judge(a, union([b, NONE])).verdict != "incompatible"


@given(EVERY, EVERY)
def test_a_refusal_says_why_and_what_to_do(a: Type, b: Type) -> None:
    """And a plain fit needs no words."""
    judgement = judge(a, b)

    assert (judgement.verdict == "incompatible") == bool(judgement.suggestion)
    assert (judgement.verdict == "assignable") == (judgement.reason == "")


@given(EVERY)
def test_any_takes_all_and_tells_nothing(a: Type) -> None:
    """Into Any everything fits; out of it, only Any and object are certain."""
    assert judge(a, ANY).verdict == "assignable"
    assert judge(ANY, a).verdict in {"unchecked", "assignable"}


@given(texts([*SIMPLE, "Any", "pandas.DataFrame"]))
def test_what_is_shown_reads_the_same(text: str) -> None:
    """A type survives being written out."""
    assert parse(text) == parse(show(parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5_000,
        "list[" * 5_000 + "int" + "]" * 5_000,
        "(" * 3_000 + "int" + ")" * 3_000,
        " | ".join(f"T{number}" for number in range(3_000)),
        f"Literal[{', '.join(map(str, range(3_000)))}]",
        f"tuple[{', '.join(['int'] * 3_000)}]",
        "a" + ".b" * 4_000,
        "not " * 3_000 + "x",
        "int\x00",
        "int[",
        "\ud800",
        "lambda: 0",
        "int()",
        "3",
        "{}",
    ],
)
def test_hostile_text_ends_at_once(text: str) -> None:
    """As a type that is not known, or a clear refusal; never an exception of ours."""
    try:
        found = parse(text)
    except TypeSyntax as error:
        found = ANY if error.detail else None

    assert found is not None
    assert show(found)
    assert {judge(found, parse("int")).verdict, judge(parse("int"), found).verdict}


# A value for each type, as the code of the node before would return it.
VALUES: dict[str, Callable[[], Any]] = {
    "int": lambda: 3,
    "float": lambda: 2.5,
    "bool": lambda: True,
    "str": lambda: "text",
    "None": lambda: None,
    "datetime": lambda: datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC),
    "date": lambda: datetime.date(2024, 5, 6),
    "time": lambda: datetime.time(7, 8),
    "list[int]": lambda: [1, 2],
    "list[str]": lambda: ["a"],
    "set[int]": lambda: {1, 2},
    "tuple[int, ...]": lambda: (1, 2),
    "dict[str, int]": lambda: {"a": 1},
    "dict[str, str]": lambda: {"a": "b"},
    "list[dict[str, int]]": lambda: [{"a": 1}],
}
SCOPE_AT_RUN_TIME = {"datetime": datetime.datetime, "date": datetime.date, "time": datetime.time}


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=_simple))


def _simple(value: Any) -> Any:
    try:
        return simplify(value)
    except Refused as refusal:
        raise TypeError(str(refusal)) from None


@pytest.mark.parametrize("source", VALUES)
@pytest.mark.parametrize("target", VALUES)
def test_the_sandbox_agrees(source: str, target: str) -> None:
    """What fits or converts is accepted at run time, and what is refused is refused there too."""
    verdict = judge(parse(source), parse(target)).verdict
    kind = KindMaker().make(target, SCOPE_AT_RUN_TIME)
    try:
        kind.apply(as_json(VALUES[source]()))
        accepted = True
    except Mismatch:
        accepted = False

    # Whether a text is a date is for its value to say.
    if source == "str" and verdict == "convertible":
        return
    assert accepted == (verdict != "incompatible"), (verdict, source, target)


def _mutual(count: int) -> Scope:
    """Classes that all mention each other."""
    names = [f"K{number}" for number in range(count)]
    fields = tuple(FieldInfo(name.lower(), f"list[{name}]", required=True) for name in names)
    return Scope(classes={name: ClassInfo(name, "dataclass", fields=fields) for name in names})


@pytest.mark.timeout(5)
def test_large_types_are_left_to_the_run() -> None:
    """Wide unions, aliases that double, and classes that all mention each other come to an end."""
    ints = " | ".join(f"Literal[{number}]" for number in range(150))
    texts_ = " | ".join(f"list[Literal['{number}']]" for number in range(150))
    assert judge(parse(ints), parse(texts_)).verdict

    doubling = Scope(aliases={"A0": "int", **{f"A{n}": f"tuple[A{n - 1}, A{n - 1}]" for n in range(1, 30)}})
    strings = Scope(aliases={"A0": "str", **{f"A{n}": f"tuple[A{n - 1}, A{n - 1}]" for n in range(1, 30)}})
    assert judge(parse("A29", doubling), parse("A29", strings)).verdict

    assert judge(parse("K0", _mutual(12)), parse("K0", _mutual(13))).verdict


def test_quotes_are_no_difference_between_enums() -> None:
    """An enum's values are compared as values."""
    single = Scope(classes={"C": ClassInfo("C", "enum", bases=("Enum",), values=("'r'", "'g'"))})
    double = Scope(classes={"C": ClassInfo("C", "enum", bases=("Enum",), values=('"r"', '"g"'))})

    assert judge(parse("C", single), parse("C", double)).verdict == "convertible"
    assert judge(parse('Literal["r"]'), parse("C", double)).verdict == "convertible"
    assert judge(parse("C", double), parse("Literal['g', 'r']")).verdict == "convertible"


def test_the_arguments_of_a_generic_class_reach_its_fields() -> None:
    """Also inside another type."""
    box = ClassInfo("Box", "dataclass", fields=(FieldInfo("l", "list[T]", required=True),), parameters=("T",))
    scope = Scope(classes={"Box": box}, variables={"T": ""})
    other = Scope(
        classes={"Tin": ClassInfo("Tin", "dataclass", fields=(FieldInfo("l", "list[int]", required=True),))}
    )

    assert judge(parse("Box[int]", scope), parse("Tin", other)).verdict == "convertible"
    assert judge(parse("Box[str]", scope), parse("Tin", other)).verdict == "incompatible"


def test_mixed_values_fit_fields_of_either_kind() -> None:
    """A dict of text and numbers is what most items are."""
    scope = Scope(
        classes={
            "Line": ClassInfo(
                "Line",
                "dataclass",
                fields=(FieldInfo("n", "str", required=True), FieldInfo("q", "int", required=True)),
            )
        }
    )
    assert judge(parse("dict[str, int | str]"), parse("Line", scope)).verdict == "convertible"
