"""Classes with type variables: their fields hold what the annotation says that the variables stand for."""

from typing import Any

from tests.unit.agent.cases import Case

HEAD = (
    "from dataclasses import dataclass, field\nfrom typing import *\n"
    "T = TypeVar('T')\nU = TypeVar('U')\nB = TypeVar('B', bound=int)\n"
)
PAGE = "@dataclass\nclass Page(Generic[T]):\n    rows: List[T]\n    first: Optional[T] = None\n"
NAMED = "class Row(NamedTuple, Generic[T]):\n    rows: List[T]\n"
TYPED = "class Row(TypedDict, Generic[T]):\n    rows: List[T]\n"


def fits(annotation: str, given: Any, setup: str = PAGE, **more: Any) -> Case:
    """The item is the parameter, whole."""
    code = f"{HEAD}{setup}\ndef f(x: {annotation}) -> int:\n    return 1\n"
    return Case(f"{annotation} of {given!r} in {setup!r}", code, [given], [1], **more)


def refused(annotation: str, given: Any, path: str, expected: str, setup: str = PAGE, **more: Any) -> Case:
    code = f"{HEAD}{setup}\ndef f(x: {annotation}) -> int:\n    return 1\n"
    problem = {"code": "argument_type", "path": path} | ({"expected": expected} if expected else {})
    return Case(f"{annotation} not of {given!r} in {setup!r}", code, [given], problem=problem, **more)


GENERICS = [
    fits("Page[int]", {"rows": [1, 2], "first": 1}),
    refused("Page[int]", {"rows": ["1"]}, "rows[0]", "int"),
    refused("Page[int]", {"rows": [], "first": "1"}, "first", ""),
    fits("Page[str]", {"rows": ["1"]}),
    refused("Page[Optional[str]]", {"rows": [None, 1]}, "rows[1]", ""),
    refused("Page[List[int]]", {"rows": [[1], ["x"]]}, "rows[1][0]", "int"),
    refused("Page[Page[int]]", {"rows": [{"rows": ["x"]}]}, "rows[0].rows[0]", "int"),
    refused("'Page[int]'", {"rows": ["1"]}, "rows[0]", "int"),
    # Nothing is known of a variable that nothing stands for.
    fits("Page", {"rows": [1, "x", None]}),
    fits("Page[Any]", {"rows": [1, "x", None]}),
    # A variable that is bound.
    refused("Row", {"n": "x"}, "n", "", "@dataclass\nclass Row(Generic[B]):\n    n: B\n"),
    # Two variables, in another order than the fields.
    fits("Pair[int, str]", {"b": "x", "a": 1}, "@dataclass\nclass Pair(Generic[T, U]):\n    b: U\n    a: T\n"),
    refused(
        "Pair[int, str]", {"b": 1, "a": 1}, "b", "str", "@dataclass\nclass Pair(Generic[T, U]):\n    b: U\n    a: T\n"
    ),
    # What a base says, said anew by the class below it.
    refused("Ints", {"rows": ["x"], "n": 1}, "rows[0]", "int", PAGE + "@dataclass\nclass Ints(Page[int]):\n    n: int = 0\n"),
    refused(
        "Lists[int]", {"rows": [["x"]]}, "rows[0][0]", "int",
        PAGE + "@dataclass\nclass Lists(Page[List[U]], Generic[U]):\n    n: int = 0\n",
    ),
    fits("Plain", {"rows": ["x", 1]}, PAGE + "@dataclass\nclass Plain(Page):\n    n: int = 0\n"),
    refused(
        "Below", {"rows": ["x"]}, "rows[0]", "int",
        PAGE + "@dataclass\nclass Ints(Page[int]):\n    n: int = 0\n@dataclass\nclass Below(Ints):\n    m: int = 0\n",
    ),
    # A class that mentions itself.
    refused(
        "Tree[int]", {"value": 1, "below": [{"value": "x", "below": []}]}, "below[0].value", "int",
        "@dataclass\nclass Tree(Generic[T]):\n    value: T\n    below: 'List[Tree[T]]'\n",
    ),
    # Fields as text.
    refused(
        "Page[int]", {"rows": ["x"]}, "rows[0]", "int", "@dataclass\nclass Page(Generic[T]):\n    rows: 'List[T]'\n"
    ),
    refused("Row[int]", {"rows": ["x"]}, "rows[0]", "int", NAMED, since=(3, 11)),
    refused("Row[int]", {"rows": ["x"]}, "rows[0]", "int", TYPED, since=(3, 11)),
    refused(
        "More", {"rows": ["x"], "n": 1}, "rows[0]", "int", TYPED + "class More(Row[int]):\n    n: int\n", since=(3, 11)
    ),
    refused(
        "Row[int]", {"rows": ["x"]}, "rows[0]", "int",
        "class Row(TypedDict, Generic[T]):\n    rows: Required[List[T]]\n    n: NotRequired[T]\n", since=(3, 11),
    ),
    # The variables of Python 3.12, also where the fields are text.
    refused(
        "Page[int]", {"rows": ["x"]}, "rows[0]", "int", "@dataclass\nclass Page[V]:\n    rows: list[V]\n", since=(3, 12)
    ),
    refused(
        "Page[int]", {"rows": ["x"]}, "rows[0]", "int", "@dataclass\nclass Page[V]:\n    rows: 'list[V]'\n", since=(3, 12)
    ),
    # Several types for one variable are not held to anything.
    fits("Row[int, str]", {"n": "x"}, "@dataclass\nclass Row[*V]:\n    n: tuple[*V]\n", since=(3, 12), args=[{"x": {"n": [1, "x"]}}]),
    fits("Tuple[int, Unpack[Tuple[str, ...]]]", {"a": 1}, "", since=(3, 11), args=[{"x": [1, "x", "y"]}]),
    fits("tuple[int, *tuple[str, ...]]", {"a": 1}, "", since=(3, 11), args=[{"x": [1, "x", "y"]}]),
    Case(
        "a tuple of a number of elements that is not said", "def f() -> tuple[int, *tuple[str, ...]]: return 1, 'x', 'y'\n",
        [{}], [1, "x", "y"], since=(3, 11),
    ),
    # A result.
    Case(
        "a generic TypedDict that is returned", HEAD + TYPED + "def f() -> Row[int]: return {'rows': ['x']}\n", [{}],
        problem={"code": "result_type", "path": "rows[0]", "expected": "int"}, since=(3, 11),
    ),
    Case(
        "two of one generic TypedDict", HEAD + TYPED
        + "def f(x: Row[str]) -> Row[int]: return {'rows': [len(each) for each in x['rows']]}\n",
        [{"rows": ["a", "bc"]}], [{"rows": [1, 2]}], since=(3, 11),
    ),
]  # fmt: skip
