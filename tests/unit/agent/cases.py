"""What the agent makes of code and items: one table, run on every Python that the machine has."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """`values` are the json of the items that come back; of {"value": …} only what it holds.

    `problem` are members that the problem has; of its texts it is enough that they contain what is given.
    """

    name: str
    code: str
    items: list[Any] = field(default_factory=lambda: [{}])
    values: list[Any] | None = None
    problem: dict[str, Any] | None = None
    args: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    paired: list[Any] | None = None
    hint: str = ""
    since: tuple[int, int] = (3, 8)
    options: dict[str, Any] = field(default_factory=dict[str, Any])


def returns(expression: str, *values: Any, setup: str = "", **more: Any) -> Case:
    """A case for what one result becomes."""
    code = f"{setup}\ndef f():\n    return {expression}\n"
    return Case(more.pop("name", expression), code, values=list(values), **more)


def takes(annotation: str, given: Any, shown: str | None, *, setup: str = "", **more: Any) -> Case:
    """A case for what a field becomes when a parameter is annotated: its repr, or None where it is refused."""
    code = (
        f"import typing\nfrom typing import *\n{setup}\ndef f(x: {annotation}) -> str:\n    return repr(x)\n"
    )
    name = f"{annotation} of {given!r}"
    if shown is None:
        wrong = {"code": "argument_type", "category": "type", "parameter": "x", "item": 0}
        return Case(name, code, [{"x": given}], problem=wrong | more.pop("problem", {}), **more)
    return Case(name, code, [{"x": given}], values=[shown], **more)


POINT = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n    y: int = 0\n"
PAIR = "from typing import NamedTuple\nclass Pair(NamedTuple):\n    left: int\n    right: str = 'r'\n"
COLOUR = "import enum\nclass Colour(enum.Enum):\n    RED = 'red'\n    BLUE = 'blue'\n"

BINDING = [
    Case("a field by the parameter's name", "def f(a, b): return a + b", [{"a": 1, "b": 2}], [3]),
    Case("a default where there is no field", "def f(a, b=5): return a + b", [{"a": 1}], [6]),
    Case("a field before the default", "def f(a, b=5): return a + b", [{"a": 1, "b": 2}], [3]),
    Case("a mapped value before the field", "def f(a): return a", [{"a": 1}], [9], args=[{"a": 9}]),
    Case("mapped values per item", "def f(a): return a", [{}, {}], [1, 2], args=[{"a": 1}, {"a": 2}]),
    Case("an item that is asked for whole", "def f(item: dict): return len(item)", [{"p": 1, "q": 2}], [2]),
    Case(
        "all items for a list",
        "from typing import List\ndef f(rows: List[dict]): return len(rows)",
        [{}] * 3,
        [3],
    ),
    Case("an item as a dataclass", POINT + "def f(p: Point): return p.x + p.y", [{"x": 1, "y": 2}], [3]),
    Case(
        "rows as dataclasses",
        POINT + "from typing import List\ndef f(ps: List[Point]): return sum(p.x for p in ps)",
        [{"x": 1}, {"x": 2}],
        [3],
    ),
    Case("once per item, in order", "def f(n): return n * 2", [{"n": 1}, {"n": 2}], [2, 4], paired=[0, 1]),
    Case("mode all", "def f(rows): return len(rows)", [{}] * 4, [4], options={"mode": "all"}),
    Case("keyword only", "def f(*, a): return a", [{"a": 1}], [1]),
    Case("no items at all", "def f(a): return a", [], []),
    Case("no parameters", "def f(): return 1", [{}, {}], [1, 1]),
    Case(
        "nothing fills a parameter",
        "def f(price: float, rate: float): return price * rate",
        [{"price": 1.0, "name": "x"}],
        problem={"code": "argument_missing", "category": "type", "parameter": "rate", "hint": "price, name"},
    ),
    Case(
        "a mapped name that is no parameter",
        "def f(total): return total",
        args=[{"totl": 1}],
        problem={"code": "argument_unknown", "parameter": "totl", "hint": "Did you mean 'total'?"},
    ),
]

PRICES = [{"price": 1.5, "n": 1}, {"price": 2.5, "n": 3}]

COLUMNS = [
    Case(
        "a field of all items",
        "from typing import *\ndef f(price: List[float]): return sum(price)",
        PRICES,
        [4.0],
    ),
    Case(
        "two fields of all items",
        "from typing import *\ndef f(price: Sequence[float], n: Tuple[int, ...]): return [sum(price), len(n)]",
        PRICES,
        [4.0, 2],
    ),
    Case(
        "a field of all items beside one of the first",
        "from typing import *\ndef f(price: List[float], n: int): return sum(price) * n",
        PRICES,
        [4.0],
    ),
    Case(
        "a field of all items before a default",
        "from typing import *\ndef f(price: List[float], n: List[int] = ()): return len(n)",
        PRICES,
        [2],
    ),
    Case(
        "a field that holds a list",
        "from typing import *\ndef f(x: List[int]): return sum(x)",
        [{"x": [1, 2]}],
        [3],
    ),
    Case(
        "a list of lists",
        "from typing import *\ndef f(x: List[List[int]]): return len(x)",
        [{"x": [1, 2]}, {"x": [3]}],
        [2],
    ),
    Case(
        "all values",
        "from typing import *\ndef f(x: List[int]): return sum(x)",
        [{"value": 1}, {"value": 2}],
        [3],
    ),
    Case("a set", "from typing import *\ndef f(n: Set[str]): return len(n)", [{"n": "a"}, {"n": "a"}], [1]),
    Case(
        "rows go before a field",
        "from typing import *\ndef f(n: List[dict]): return n[0]['n']",
        [{"n": 7}],
        [7],
    ),
    Case(
        "a field that does not fit in one item",
        "from typing import *\ndef f(price: List[float]): return sum(price)",
        [*PRICES, {"price": "free"}],
        problem={
            "code": "argument_type",
            "item": 2,
            "parameter": "price",
            "detail": "expected float, got the string 'free'",
        },
    ),
    Case(
        "a list in a field that does not fit",
        "from typing import *\ndef f(x: List[int]): return sum(x)",
        [{"x": [1, "two"]}],
        problem={"code": "argument_type", "path": "[1]", "detail": "expected int, got the string 'two'"},
    ),
    Case(
        "a field that one item lacks",
        "from typing import *\ndef f(price: List[float]): return sum(price)",
        [*PRICES, {"n": 1}],
        problem={"code": "argument_type", "item": 0, "hint": "the mode 'item'"},
    ),
    Case(
        "a field of all items, unchecked",
        "from typing import *\ndef f(n: List[int]): return len(n)",
        [{"n": "a"}, {"n": "b"}],
        [2],
        options={"validation": "off"},
    ),
]

FUNCTIONS = [
    Case("the only function", "def anything(): return 1", values=[1]),
    Case("main among many", "def a(): return 1\ndef main(): return 2", values=[2]),
    Case("the named one", "def a(): return 1\ndef b(): return 2", values=[2], options={"function": "b"}),
    Case("helpers begin with _", "def _h(): return 2\ndef f(): return _h()", values=[2]),
    Case(
        "imported functions do not count",
        "from os.path import join\ndef f(): return join('a', 'b')",
        values=["a/b"],
    ),
    Case("none", "x = 1", problem={"code": "function_none", "category": "user_code"}),
    Case(
        "too many", "def a(): pass\ndef b(): pass", problem={"code": "function_ambiguous", "detail": "a, b"}
    ),
    Case(
        "missing",
        "def good(): pass",
        problem={"code": "function_missing", "hint": "good"},
        options={"function": "god"},
    ),
    Case(
        "async", "import asyncio\nasync def f(a):\n    await asyncio.sleep(0)\n    return a", [{"a": 4}], [4]
    ),
    Case("async generator", "async def f():\n    yield 1\n    yield 2", values=[1, 2]),
]

ARGUMENTS = [
    takes("int", 3, "3"),
    takes("int", "3", None, problem={"detail": "expected int, got the string '3'"}),
    takes("int", True, "True"),
    takes("int", 3.5, None),
    takes("float", 3, "3.0"),
    takes("float", "x", None),
    takes("str", "a", "'a'"),
    takes("str", 1, None),
    takes("bool", True, "True"),
    takes("bool", 1, None),
    takes("Optional[int]", None, "None"),
    takes("int", None, None),
    takes("Union[int, str]", "a", "'a'"),
    takes("Union[int, str]", [], None),
    takes("Literal['a', 'b']", "a", "'a'"),
    takes("Literal['a', 'b']", "c", None),
    takes("Any", [1, "a"], "{'x': [1, 'a']}"),
    takes("object", {"a": 1}, "{'x': {'a': 1}}"),
    takes("List[int]", [1, 2], "[1, 2]", args=[{"x": [1, 2]}]),
    takes("Dict[str, int]", {"a": 1}, "{'a': 1}", args=[{"x": {"a": 1}}]),
    takes("Tuple[int, str]", [1, "a"], "(1, 'a')", args=[{"x": [1, "a"]}]),
    takes("Set[int]", [1, 1], "{1}", args=[{"x": [1, 1]}]),
    takes("datetime.date", "2026-02-03", "datetime.date(2026, 2, 3)", setup="import datetime"),
    takes(
        "datetime.datetime",
        "2026-02-03T04:05:06",
        "datetime.datetime(2026, 2, 3, 4, 5, 6)",
        setup="import datetime",
    ),
    takes("datetime.date", "yesterday", None, setup="import datetime"),
    takes("Decimal", "1.10", "Decimal('1.10')", setup="from decimal import Decimal"),
    takes(
        "UUID",
        "12345678123456781234567812345678",
        "UUID('12345678-1234-5678-1234-567812345678')",
        setup="from uuid import UUID",
    ),
    takes("Path", "a/b", "PosixPath('a/b')", setup="from pathlib import Path"),
    takes("Colour", "red", "<Colour.RED: 'red'>", setup=COLOUR),
    takes("Colour", "pink", None, setup=COLOUR),
    takes("Point", {"x": 1, "y": 2}, "Point(x=1, y=2)", setup=POINT, args=[{"x": {"x": 1, "y": 2}}]),
    takes("Pair", {"left": 1}, "Pair(left=1, right='r')", setup=PAIR, args=[{"x": {"left": 1}}]),
    takes("'int'", 3, "3"),
    takes("'int | None'", None, "None"),
    takes("'list[int]'", [1], "[1]", args=[{"x": [1]}]),
    takes("int | None", 3, "3", since=(3, 10)),
    takes("list[int]", [1], "[1]", args=[{"x": [1]}], since=(3, 9)),
    takes("Unheard", 3, "3", setup="Unheard = 'no.such.Type'"),
]

RESULTS = [
    returns("{'a': 1}", {"a": 1}),
    returns("{'json': {'a': 1}}", {"a": 1}),
    returns("{'json': {'json': {'a': 1}}}", {"json": {"a": 1}}),
    returns("{'json': 1}", {"json": 1}),
    returns("[{'json': {'a': 1}}, {'a': 2}, {'json': {'json': {}}}]", {"a": 1}, {"a": 2}, {"json": {}}),
    returns("[{'json': {'a': 1}, 'binary': {}}, {'json': 3}]", {"a": 1}, {"json": 3}),
    returns("1", 1),
    returns("'text'", "text"),
    returns("None", None),
    returns("True", True),
    returns("[1, 'a', {'b': 2}]", 1, "a", {"b": 2}),
    returns("(1, 2)", 1, 2),
    returns("{3, 1, 2}", 1, 2, 3),
    returns("[]"),
    returns("(n * n for n in range(3))", 0, 1, 4),
    returns("[[1, 2], [3]]", [1, 2], [3]),
    returns("Point(1, 2)", {"x": 1, "y": 2}, setup=POINT),
    returns("[Point(1)]", {"x": 1, "y": 0}, setup=POINT, name="a dataclass in a list"),
    returns("Pair(1)", {"left": 1, "right": "r"}, setup=PAIR),
    returns("Colour.RED", "red", setup=COLOUR),
    returns("datetime.date(2026, 2, 3)", "2026-02-03", setup="import datetime"),
    returns(
        "{'at': datetime.datetime(2026, 2, 3, 4)}", {"at": "2026-02-03T04:00:00"}, setup="import datetime"
    ),
    returns("datetime.timedelta(minutes=2)", 120.0, setup="import datetime"),
    returns("Decimal('1.10')", "1.10", setup="from decimal import Decimal"),
    returns("UUID(int=1)", "00000000-0000-0000-0000-000000000001", setup="from uuid import UUID"),
    returns("PurePath('a')", "a", setup="from pathlib import PurePath"),
    returns("float('nan')", None),
    returns("{'x': float('inf')}", {"x": None}),
    returns("2**53 - 1", 2**53 - 1),
    returns("2**63", str(2**63), hint="JavaScript"),
    returns("{1: 'a', None: 'b'}", {"1": "a", "null": "b"}),
    returns("{'text': '\\ud800'}", {"text": "\ufffd"}, name="half a surrogate pair"),
    returns("{'nested': {'deep': [Point(1)]}}", {"nested": {"deep": [{"x": 1, "y": 0}]}}, setup=POINT),
    Case(
        "nested bytes",
        "def f(): return {'a': {'b': b'abc'}}",
        problem={"code": "result_type", "category": "type", "hint": "decode"},
    ),
    Case(
        "a class of its own",
        "class A: pass\ndef f(): return A()",
        problem={"code": "result_type", "detail": "A"},
    ),
    Case(
        "a value that holds itself",
        "def f():\n    a = {}\n    a['a'] = a\n    return a",
        problem={"code": "result_type"},
    ),
    Case(
        "very deep",
        "def f():\n    a = []\n    for _ in range(5000): a = [a]\n    return {'a': a}",
        problem={"code": "result_type"},
    ),
    Case(
        "a coroutine that nobody awaited",
        "async def _g(): return 1\ndef f(): return {'a': _g()}",
        problem={"code": "result_type"},
    ),
    Case(
        "several items per item",
        "def f(n):\n    for _ in range(n): yield n",
        [{"n": 2}, {"n": 1}],
        [2, 2, 1],
        paired=[0, 0, 1],
    ),
]

FAILURES = [
    Case(
        "an exception",
        "def inner(x):\n    return 1 / x\n\ndef f():\n    return inner(0)\n",
        problem={
            "code": "code_raised",
            "category": "user_code",
            "detail": "ZeroDivisionError: division by zero",
            "traceback": 'File "My node", line 2, in inner',
        },
        options={"function": "f"},
    ),
    Case(
        "the failing item",
        "def f(n): return 1 / n",
        [{"n": 1}, {"n": 0}],
        problem={"code": "code_raised", "item": 1},
    ),
    Case(
        "a generator that fails half way",
        "def f():\n    yield 1\n    raise KeyError('k')",
        problem={"code": "code_raised", "detail": "KeyError"},
    ),
    Case(
        "sys.exit",
        "import sys\ndef f(): sys.exit(3)",
        problem={"code": "code_exited", "detail": "exit status 3"},
    ),
    Case("KeyboardInterrupt", "def f(): raise KeyboardInterrupt", problem={"code": "code_raised"}),
    Case(
        "an error without words",
        "class E(Exception):\n    def __str__(self): raise ValueError\ndef f(): raise E",
        problem={"code": "code_raised", "detail": "E"},
    ),
    Case(
        "an error on import",
        "import no_such_package\ndef f(): pass",
        problem={"code": "code_raised", "hint": "'no_such_package' is not installed"},
    ),
    *(
        Case(f"no Python: {line}", f"{line}\n", problem={"code": "code_syntax", "hint": hint})
        for line, hint in (
            ("```python", "Remove the lines with ```"),
            (">>> x = 1", "Remove the prompts"),
            ("pip install pandas", "Packages are installed by themselves"),
            ("!pip install pandas", "Packages are installed by themselves"),
            ("%matplotlib inline", "Commands of notebooks"),
            ("const total = 5;", "looks like JavaScript"),
            ("for (const item of $input.all()) {", "looks like JavaScript"),
            ("items.map((item) => item.json)", "looks like JavaScript"),
            ("total = {{ $json.total }}", "Expressions of n8n"),
            ("total = $json.total", "Expressions of n8n"),
            ("print(\u201chi\u201d)", "straight quotes"),
            ("if total => 5: pass", "cannot read the code from there on"),
            ("x = {'a': 1}}", "cannot read the code from there on"),
        )
    ),
    Case(
        "a module that its package does not have",
        "from email.utils2 import x\ndef f(): pass",
        problem={"code": "code_raised", "hint": "'email' that is installed has no 'email.utils2'"},
    ),
    Case(
        "a body that fails",
        "1 / 0\ndef f(): pass",
        problem={"code": "code_raised", "traceback": 'File "My node", line 1'},
    ),
    Case(
        "no Python",
        "def f(:",
        problem={"code": "code_syntax", "category": "user_code", "detail": "line 1", "line": 1},
    ),
    Case(
        "a field that is not there",
        "def f(item: dict): return item['b']",
        [{"a": 1}],
        problem={"code": "code_raised", "hint": "the fields a"},
    ),
    Case(
        "endless recursion",
        "def f(): return f()",
        problem={"code": "code_raised", "detail": "RecursionError"},
    ),
    Case(
        "the others go on",
        "def f(n): return 1 / n",
        [{"n": 1}, {"n": 0}, {"n": 2}],
        [1.0, {"n": 0}, 0.5],
        paired=[0, 1, 2],
        options={"on_error": "continue"},
    ),
]

CASES = [*BINDING, *COLUMNS, *FUNCTIONS, *ARGUMENTS, *RESULTS, *FAILURES]
