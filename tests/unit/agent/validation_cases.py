"""What strict, coercing and absent validation make of arguments and of results."""

from dataclasses import replace
from typing import Any

from tests.unit.agent.cases import COLOUR, PAIR, POINT, Case, takes

HEAD = "import datetime, decimal, typing, uuid\nfrom typing import *\n"
ORDER = "class Order(TypedDict):\n    id: int\n    note: str\n"
SHOP = "class Line(TypedDict):\n    price: float\nclass Cart(TypedDict):\n    lines: List[Line]\n"
LIMITS = (
    "class Limit:\n    def __init__(self, **limits):\n        self.__dict__.update(limits)\n"
    "class Field:\n    def __init__(self, **limits):\n        self.metadata = [Limit(**limits)]\n"
)
TABLE = "class DataFrame:\n    def to_dict(self, orient): return [{'a': 1}]\n"


def lax(annotation: str, given: Any, shown: str | None, *, setup: str = "", **more: Any) -> Case:
    """A case for what a field becomes under "coerce"; a list is mapped, for it is no item's field."""
    options = {"validation": "coerce"}
    case = takes(annotation, given, shown, setup=setup, options=options, args=[{"x": given}], **more)
    return replace(case, name=f"coerce: {case.name}")


def gives(annotation: str, result: str, *values: Any, setup: str = "", **more: Any) -> Case:
    """A case for a result that fits what stands behind the arrow, or is made to fit."""
    options = more.pop("options", {})
    mode = options.get("validation", "strict")
    code = f"{HEAD}{setup}\ndef f() -> {annotation}:\n    return {result}\n"
    return Case(f"{mode}: -> {annotation} of {result}", code, values=list(values), options=options, **more)


def refused(annotation: str, result: str, expected: str, *, setup: str = "", **more: Any) -> Case:
    """A case for a result that does not fit; `expected` is what the sentence ends with."""
    options = more.pop("options", {})
    mode = options.get("validation", "strict")
    code = f"{HEAD}{setup}\ndef f() -> {annotation}:\n    return {result}\n"
    problem = {"code": "result_type", "category": "type", "detail": expected}
    problem |= more.pop("problem", {"item": 0})
    return Case(f"{mode}: -> {annotation} not of {result}", code, problem=problem, options=options, **more)


def coerced(annotation: str, result: str, *values: Any, setup: str = "") -> Case:
    return gives(annotation, result, *values, setup=setup, options={"validation": "coerce"})


COERCE = {"validation": "coerce"}

ARGUMENTS = [
    lax("int", "3", "3"),
    lax("int", " 3 ", "3"),
    lax("int", "3.0", "3"),
    lax("int", 3.0, "3"),
    lax("int", "3.5", None),
    lax("int", "three", None),
    lax("int", None, None),
    lax("int", True, "True"),
    lax("float", "3.5", "3.5"),
    lax("float", 3, "3.0"),
    lax("float", "", None),
    lax("bool", "true", "True"),
    lax("bool", "False", "False"),
    lax("bool", "yes", "True"),
    lax("bool", 0, "False"),
    lax("bool", "maybe", None),
    lax("bool", 2, None),
    lax("str", 3, "'3'"),
    lax("str", 3.5, "'3.5'"),
    lax("str", True, None),
    lax("str", None, None),
    lax("str", [1], None),
    lax("List[int]", "3", "[3]"),
    lax("List[int]", ["1", 2], "[1, 2]"),
    lax("List[str]", "a", "['a']"),
    lax("List[int]", None, None),
    lax("List[int]", ["a"], None),
    lax("Set[int]", "3", "{3}"),
    lax("Tuple[int, ...]", ["1"], "(1,)"),
    lax("Dict[str, int]", {"a": "1"}, "{'a': 1}"),
    lax("Dict[int, int]", {"1": "1"}, "{1: 1}"),
    lax("Optional[int]", "3", "3"),
    lax("Optional[int]", None, "None"),
    lax("Union[int, str]", "3", "'3'"),
    lax("Literal[1, 2]", "2", "2"),
    lax("Literal['a']", "A", "'a'"),
    lax("Literal[1, 2]", "3", None),
    lax("Colour", "RED", "<Colour.RED: 'red'>", setup=COLOUR),
    lax("Colour", "Red", "<Colour.RED: 'red'>", setup=COLOUR),
    lax("Size", "2", "<Size.L: 2>", setup="import enum\nclass Size(enum.Enum):\n    S = 1\n    L = 2\n"),
    lax("Colour", "pink", None, setup=COLOUR),
    lax(
        "datetime.datetime",
        0,
        "datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)",
        setup="import datetime",
    ),
    lax(
        "datetime.datetime",
        1772636767000,
        "datetime.datetime(2026, 3, 4, 15, 6, 7, tzinfo=datetime.timezone.utc)",
        setup="import datetime",
    ),
    lax("datetime.datetime", 1e30, None, setup="import datetime"),
    lax("datetime.date", "2026-02-03", "datetime.date(2026, 2, 3)", setup="import datetime"),
    lax("datetime.timedelta", "90", "datetime.timedelta(seconds=90)", setup="import datetime"),
    lax("Point", {"x": "1", "y": 2.0}, "Point(x=1, y=2)", setup=POINT),
    lax("Pair", {"left": "1", "right": 2}, "Pair(left=1, right='2')", setup=PAIR),
    takes("List[int]", 3, "[3]"),
    takes("List[int]", "3", None),
    # What the validation "coerce" would read is said so; what it would not is not.
    takes(
        "int", "12", None, problem={"hint": "change the annotation. The node's Validation 'coerce' reads it."}
    ),
    takes("Optional[float]", "3.5", None, problem={"hint": "Validation 'coerce' reads it."}),
    takes("bool", "yes", None, problem={"hint": "Validation 'coerce' reads it."}),
    takes("str", 3, None, problem={"hint": "Validation 'coerce' reads it."}),
    takes(
        "datetime.datetime",
        1764500000,
        None,
        setup="import datetime",
        problem={"hint": "Validation 'coerce' reads it."},
    ),
    takes(
        "List[int]",
        ["1", "x"],
        None,
        args=[{"x": ["1", "x"]}],
        problem={"hint": "Validation 'coerce' reads it.", "path": "[0]"},
    ),
    takes(
        "datetime.date",
        "30.11.2026",
        None,
        setup="import datetime",
        problem={"hint": "ISO form, as in 2026-11-30"},
    ),
    Case(
        "off takes what comes",
        "def f(x: int) -> int: return repr(x)",
        [{"x": "a"}],
        ["'a'"],
        options={"validation": "off"},
    ),
    Case(
        "coerce reaches every row",
        POINT + "from typing import List\ndef f(ps: List[Point]) -> int: return sum(p.x for p in ps)",
        [{"x": "1"}, {"x": "2"}],
        [3],
        options=COERCE,
    ),
]

RESULTS = [
    gives("int", "1", 1),
    gives("int", "True", True),
    gives("float", "1", 1),
    gives("float", "1.5", 1.5),
    gives("str", "'a'", "a"),
    gives("bool", "True", True),
    gives("None", "None", None),
    gives("Any", "1", 1),
    gives("object", "1", 1),
    gives("'Unheard'", "1", 1),
    gives("Optional[int]", "None", None),
    gives("Union[int, str]", "'a'", "a"),
    gives("'int | None'", "1", 1),
    gives("'list[int]'", "[1, 2]", 1, 2),
    gives("int | None", "None", None, since=(3, 10)),
    gives("list[int]", "[1]", 1, since=(3, 9)),
    gives("Literal['a', 'b']", "'a'", "a"),
    gives("dict", "{'a': 1}", {"a": 1}),
    gives("Dict[str, int]", "{'a': 1}", {"a": 1}),
    gives("Mapping[str, Any]", "{'a': 1}", {"a": 1}),
    gives("List[dict]", "[{'a': 1}, {'a': 2}]", {"a": 1}, {"a": 2}),
    gives("List[Dict[str, Any]]", "[{'a': 1}]", {"a": 1}),
    gives("Iterable[int]", "(1, 2)", 1, 2),
    gives("Sequence[int]", "(1, 2)", 1, 2),
    gives("Tuple[int, str]", "(1, 'a')", 1, "a"),
    gives("Tuple[int, ...]", "(1, 2)", 1, 2),
    gives("Set[int]", "{1}", 1),
    gives("Iterator[int]", "iter([1, 2])", 1, 2),
    gives("Generator[int, None, None]", "(n for n in [1, 2])", 1, 2),
    gives("datetime.date", "datetime.date(2026, 2, 3)", "2026-02-03"),
    gives("decimal.Decimal", "decimal.Decimal('1.10')", "1.10"),
    gives("Point", "Point(1)", {"x": 1, "y": 0}, setup=POINT),
    gives("List[Point]", "[Point(1)]", {"x": 1, "y": 0}, setup=POINT),
    gives("Pair", "Pair(1)", {"left": 1, "right": "r"}, setup=PAIR),
    gives("Colour", "Colour.RED", "red", setup=COLOUR),
    gives("Order", "{'id': 1, 'note': 'n'}", {"id": 1, "note": "n"}, setup=ORDER),
    gives("Order", "{'id': 1, 'note': 'n', 'more': 2}", {"id": 1, "note": "n", "more": 2}, setup=ORDER),
    gives("List[Order]", "[{'id': 1, 'note': ''}]", {"id": 1, "note": ""}, setup=ORDER),
    gives("UserId", "3", 3, setup="UserId = NewType('UserId', int)"),
    gives("T", "3", 3, setup="T = TypeVar('T')"),
    gives("'pd.DataFrame'", "DataFrame()", {"a": 1}, setup=TABLE),
    gives("DataFrame", "DataFrame()", {"a": 1}, setup=TABLE),
    gives("OrderedDict", "OrderedDict(a=1)", {"a": 1}, setup="from collections import OrderedDict"),
    gives("dict", "OrderedDict(a=1)", {"a": 1}, setup="from collections import OrderedDict"),
    gives("Proto", "1", 1, setup="class Proto(Protocol):\n    def go(self): ...\n"),
    gives("dict", "{'json': {'a': 1}}", {"a": 1}),
    refused(
        "int", "'3'", "The function 'f' (-> int) returned something else: expected int, got the string '3'."
    ),
    refused("int", "1.5", "expected int, got the number 1.5"),
    refused("str", "1", "expected str, got the number 1"),
    refused("bool", "1", "expected bool, got the number 1"),
    refused("int", "None", "expected int, got null"),
    refused("None", "1", "expected None, got the number 1"),
    refused("dict", "[{'a': 1}]", "expected dict, got a list of 1"),
    refused("List[dict]", "{'a': 1}", "expected List[dict], got an object with a"),
    refused(
        "List[dict]",
        "[{'a': 1}, 5]",
        "returned something else at [1]: expected dict, got the number 5",
        problem={"item": 0, "path": "[1]", "expected": "dict", "actual": "the number 5"},
    ),
    refused("Dict[str, int]", "{'a': 'b'}", "at a: expected int", problem={"path": "a"}),
    refused("Tuple[int, str]", "(1, 2)", "at [1]: expected str"),
    refused("Tuple[int, str]", "(1,)", "expected Tuple[int, str], got a tuple of 1"),
    refused("Set[int]", "[1]", "expected Set[int], got a list of 1"),
    refused("Union[int, str]", "1.5", "expected Union[int, str], got the number 1.5"),
    refused("Optional[Order]", "{'id': 1}", "at note", setup=ORDER),
    refused("Literal['a', 'b']", "'c'", "got the string 'c'"),
    refused("datetime.date", "'2026-02-03'", "expected datetime.date, got the string"),
    refused("Point", "{'x': 1}", "expected Point, got an object with x", setup=POINT),
    refused("Point", "object()", "expected Point, got a value of type object", setup=POINT),
    refused("Colour", "'red'", "expected Colour", setup=COLOUR),
    refused("Order", "{'id': 1}", "at note: the field is missing (the object has id)", setup=ORDER),
    refused("Order", "{'id': 'x', 'note': ''}", "at id: expected int, got the string 'x'", setup=ORDER),
    refused(
        "Cart",
        "{'lines': [{'price': 1}, {'price': 'x'}]}",
        "at lines[1].price: expected float",
        setup=SHOP,
        problem={"path": "lines[1].price"},
    ),
    refused("'pd.DataFrame'", "1", "expected pd.DataFrame"),
    refused("int", "(n for n in [1])", "got a generator", problem={"hint": "Iterator"}),
    refused("Iterator[int]", "(n for n in [1, 'a'])", "at [1]: expected int, got the string 'a'"),
    refused("Iterator[int]", "[1]", "expected Iterator[int], got a list of 1"),
    coerced("int", "'3'", 3),
    coerced("float", "'1.5'", 1.5),
    coerced("bool", "'true'", True),
    coerced("str", "3", "3"),
    coerced("Optional[int]", "'3'", 3),
    coerced("List[int]", "['1', 2]", 1, 2),
    coerced("List[int]", "3", 3),
    coerced("List[int]", "(n for n in '12')", 1, 2),
    coerced("Tuple[int, str]", "['1', 2]", 1, "2"),
    coerced("Set[int]", "['1', '1']", 1),
    coerced("Dict[str, int]", "{'a': '1'}", {"a": 1}),
    coerced("datetime.datetime", "'2026-02-03T04:05:06Z'", "2026-02-03T04:05:06+00:00"),
    coerced("Point", "{'x': '1'}", {"x": 1, "y": 0}, setup=POINT),
    coerced("List[Point]", "[Point(1), {'x': '2'}]", {"x": 1, "y": 0}, {"x": 2, "y": 0}, setup=POINT),
    coerced("Order", "{'id': '1', 'note': 2}", {"id": 1, "note": "2"}, setup=ORDER),
    coerced("Colour", "'RED'", "red", setup=COLOUR),
    coerced("Iterator[int]", "(n for n in ['1', 2])", 1, 2),
    coerced("decimal.Decimal", "19.99", "19.99"),
    refused("int", "'x'", "expected int, got the string 'x'", options=COERCE),
    refused("Iterator[int]", "(n for n in ['1', 'a'])", "at [1]: expected int", options=COERCE),
    refused("List[Point]", "[{'y': 1}]", "at [0].x: the field is missing", setup=POINT, options=COERCE),
    gives("int", "'3'", "3", options={"validation": "off"}),
    gives("Order", "{}", {}, setup=ORDER, options={"validation": "off"}),
    Case(
        "strict: a generator that goes wrong half way gives nothing of that item",
        "from typing import Iterator\ndef f(n) -> Iterator[int]:\n    yield n\n    yield 'x' if n == 2 else 0",
        [{"n": 1}, {"n": 2}, {"n": 3}],
        [1, 0, {"n": 2}, 3, 0],
        options={"on_error": "continue"},
        paired=[0, 0, 1, 2, 2],
    ),
    Case(
        "strict: the failing item's result",
        "def f(n) -> int: return n",
        [{"n": 1}, {"n": "x"}],
        problem={"code": "result_type", "item": 1, "hint": "change the annotation"},
    ),
    Case("strict: async def", "async def f() -> int: return 1", values=[1]),
    Case(
        "strict: async def that returns something else",
        "async def f() -> int: return 'a'",
        problem={"code": "result_type", "detail": "expected int"},
    ),
    Case(
        "strict: a coroutine that is returned",
        "from typing import Awaitable\nasync def _g(): return 'a'\ndef f() -> Awaitable[int]: return _g()",
        problem={"code": "result_type", "detail": "expected int"},
    ),
    Case(
        "strict: async generator",
        "from typing import AsyncIterator\nasync def f() -> AsyncIterator[int]:\n    yield 1\n    yield 2",
        values=[1, 2],
    ),
    Case(
        "strict: an endless async generator is stopped by its first wrong value",
        "from typing import AsyncIterator\nasync def f() -> AsyncIterator[int]:\n    while True:\n        yield 'a'",
        problem={"code": "result_type", "path": "[0]"},
    ),
    Case(
        "coerce: async generator",
        "from typing import AsyncGenerator\nasync def f() -> AsyncGenerator[int, None]:\n    yield '1'",
        values=[1],
        options=COERCE,
    ),
    Case(
        "strict: one call for all items",
        "from typing import List\ndef f(rows: List[dict]) -> List[dict]: return [*rows, 3]",
        [{"a": 1}],
        problem={"code": "result_type", "path": "[1]", "item": None},
    ),
    Case(
        "strict: annotations as text",
        "from __future__ import annotations\ndef f() -> dict[str, int] | None: return {'a': 'x'}",
        problem={"code": "result_type", "path": "a"},
    ),
    Case(
        "strict: a decorator that follows functools.wraps",
        "import functools\ndef deco(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a)\n    return w\n"
        "@deco\ndef f(n) -> int: return n",
        [{"n": "x"}],
        problem={"code": "result_type"},
        options={"function": "f"},
    ),
    Case(
        "strict: a class that cannot be asked for its instances",
        "class M(type):\n    def __instancecheck__(cls, it): raise TypeError\nclass A(metaclass=M): pass\n"
        "def f() -> A: return 1",
        values=[1],
    ),
]


def limit(spec: str, given: Any, shown: str | None, **more: Any) -> Case:
    """A case for a limit beside a type, on an argument."""
    return takes(spec, given, shown, setup=LIMITS, since=(3, 9), args=[{"x": given}], **more)


CONSTRAINTS = [
    limit("Annotated[int, Limit(gt=0)]", 1, "1"),
    limit(
        "Annotated[int, Limit(gt=0)]", 0, None, problem={"detail": "must be greater than 0, got the number 0"}
    ),
    limit("Annotated[int, Limit(ge=1, le=3)]", 3, "3"),
    limit("Annotated[int, Limit(ge=1, le=3)]", 4, None, problem={"detail": "at most 3"}),
    limit("Annotated[float, Limit(lt=1)]", 1, None, problem={"detail": "less than 1"}),
    limit("Annotated[int, Limit(multiple_of=5)]", 10, "10"),
    limit("Annotated[int, Limit(multiple_of=5)]", 11, None, problem={"detail": "a multiple of 5"}),
    limit("Annotated[float, Limit(multiple_of=0.1)]", 0.3, "0.3"),
    limit("Annotated[str, Limit(min_length=2, max_length=3)]", "abc", "'abc'"),
    limit("Annotated[str, Limit(min_length=2)]", "a", None, problem={"detail": "of length 2 or more"}),
    limit("Annotated[List[int], Limit(max_length=1)]", [1, 2], None),
    limit("Annotated[str, Limit(pattern='^a+$')]", "aa", "'aa'"),
    limit("Annotated[str, Limit(pattern='^a+$')]", "ab", None, problem={"detail": "matches ^a+$"}),
    limit("Annotated[int, Field(gt=0)]", 0, None),
    limit("Annotated[int, 'a remark', Limit(gt=None)]", 0, "0"),
    limit("Annotated[Optional[int], Limit(gt=0)]", None, "None"),
    limit("Optional[Annotated[int, Limit(gt=0)]]", 0, None),
    limit("List[Annotated[int, Limit(gt=0)]]", [1, 0], None, problem={"path": "[1]"}),
    limit("'Annotated[int, Limit(gt=0)]'", 0, None),
    Case(
        "a limit on a field",
        LIMITS + "from typing import Annotated\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n"
        "    n: Annotated[int, Limit(gt=0)]\ndef f(p: P): return p.n",
        [{"n": 0}],
        problem={"code": "argument_type", "path": "n", "detail": "greater than 0"},
        since=(3, 9),
    ),
    Case(
        "a predicate",
        "from typing import Annotated\nclass Predicate:\n    def __init__(self, func): self.func = func\n"
        "def _even(n): return n % 2 == 0\ndef f(x: Annotated[int, Predicate(_even)]): return x",
        [{"x": 3}],
        problem={"code": "argument_type", "detail": "accepted by _even"},
        since=(3, 9),
    ),
    Case(
        "a limit on a result",
        LIMITS + "from typing import Annotated\ndef f(n) -> Annotated[int, Limit(gt=0)]: return n",
        [{"n": 1}, {"n": 0}],
        problem={"code": "result_type", "item": 1, "detail": "must be greater than 0, got the number 0"},
        since=(3, 9),
    ),
    Case(
        "a limit after coercion",
        LIMITS + "from typing import Annotated\ndef f(n) -> Annotated[int, Limit(gt=0)]: return n",
        [{"n": "5"}],
        [5],
        since=(3, 9),
        options=COERCE,
    ),
    Case(
        "no limit when validation is off",
        LIMITS + "from typing import Annotated\ndef f(n: Annotated[int, Limit(gt=0)]): return n",
        [{"n": 0}],
        [0],
        since=(3, 9),
        options={"validation": "off"},
    ),
]

VALIDATION = [*ARGUMENTS, *RESULTS, *CONSTRAINTS]
