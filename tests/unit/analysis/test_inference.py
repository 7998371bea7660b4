"""Types that nobody wrote."""

import pytest

from qflow_runner.analysis import Analyzer, Function
from qflow_runner.analysis.revealed import Revealed, revealed
from qflow_runner.types import parse
from tests.unit.analysis.reading import function_of

RETURNS = {
    "def f(url, n=3):\n    return [{'a': {'b': n, 'c': url}}]": "list[dict[str, dict[str, int | Any]]]",
    "def f(values):\n    return sum(values) / len(values)": "float | Any",
    "def f(flag: bool):\n    if flag:\n        return 'one'\n    return 1": "Literal['one', 1]",
    "async def f(u: str):\n    return b'x'": "bytes",
    "async def f(u: str):\n    return [u]": "list[str]",
    "def f():\n    yield 1\n    yield 'x'": "Generator[str | int, None, None]",
    "async def f():\n    yield 1.5": "AsyncGenerator[float, None]",
    "def f(x):\n    return x": "",
    "def f():\n    print(1)": "None",
    "def f():\n    return 1, 'a'": "tuple[int, str]",
    "def f(a: int, b: float):\n    return a * b": "float",
    "import functools\n@functools.lru_cache\ndef f(x):\n    return [1]": "list[int]",
    "from decimal import Decimal\ndef f():\n    return Decimal(1)": "Decimal",
    "import datetime as dt\ndef f():\n    return dt.datetime.now()": "datetime",
    "class Order: ...\ndef f():\n    return [Order()]": "list[Order]",
    "class Order: ...\ndef f():\n    return Order": "type[Order]",
    "def f():\n    return lambda x: x": "Callable[..., Any]",
    "import json\ndef f():\n    return json": "",
    "import json\ndef f(text: str):\n    return json.loads(text)": "",
    "import unheard_of\ndef f():\n    return unheard_of.g()": "",
    "def f(n: int):\n    return {k: str(k) for k in range(n)}": "dict[int, str]",
    "f = lambda a: [1]": "list[int]",
    "def f(x: list[int]):\n    return {**{'a': 1}, 'b': x}": "dict[str, int | list[int]]",
    "def f[T](x: T):\n    return x": "T",
    "def f(a):\n    return '" + "x" * 100 + "'": "str",
}


@pytest.mark.parametrize(("code", "returns"), RETURNS.items())
async def test_returns(analyzer: Analyzer, code: str, returns: str) -> None:
    """What a function returns is inferred from its body, in text that our own types read."""
    analysis = await analyzer.analyze(code)
    (function,) = analysis.functions

    assert returns == function.returns
    assert bool(returns) == function.inferred
    assert function.signature.endswith(f" -> {returns}") == bool(returns)
    parse(returns, analysis.scope)


async def test_written_types_stay(analyzer: Analyzer) -> None:
    """What is written is not inferred, even where the code says otherwise."""
    (function,) = (await analyzer.analyze("def f(a: float = 1) -> object:\n    return 1")).functions

    assert ("f(a: float = 1) -> object", False) == (function.signature, function.inferred)
    assert not function.parameters[0].inferred


PARAMETERS = {
    "n=3": "int",
    "n=-0.5": "float",
    "n='x'": "str",
    "n=True": "bool",
    "n=None": "",
    "n=[]": "list[Any]",
    "n=[1, 2]": "list[int]",
    "n={'a': 1.5}": "dict[str, float]",
    "n=DEFAULT": "Decimal",
    "n=(1, 'a')": "tuple[int, str]",
    "n=Color.RED": "Color",
    "n": "",
    "*, n=3": "int",
}


@pytest.mark.parametrize(("parameter", "expected"), PARAMETERS.items())
async def test_parameters(analyzer: Analyzer, parameter: str, expected: str) -> None:
    """A parameter is inferred from its default alone, never from what callers pass."""
    code = "from decimal import Decimal\nfrom enum import Enum\nDEFAULT = Decimal(1)\nclass Color(Enum):\n    RED = 1\n"
    analysis = await analyzer.analyze(f"{code}def f({parameter}) -> None: ...\nf(b'bytes')\n")
    (function,) = analysis.functions

    assert (expected, bool(expected)) == (function.parameters[0].type, function.parameters[0].inferred)
    assert (not expected) == ("untyped" in [finding.code for finding in analysis.findings])


async def test_inferred_names_have_an_origin(analyzer: Analyzer) -> None:
    """A name that the code does not import, but its inferred type mentions, is known in the scope."""
    analysis = await analyzer.analyze("import uuid, json\ndef f():\n    return [uuid.uuid4()]")

    assert "list[UUID]" == analysis.functions[0].returns
    assert "uuid.UUID" == analysis.scope.imports["UUID"]


async def test_only_when_asked(analyzer: Analyzer) -> None:
    """Without inference, nothing is inferred but from defaults that say their type themselves."""
    analysis = await analyzer.analyze("def f(a=1, b=OTHER):\n    return 1", infer=False)

    assert "f(a: int = 1, b=OTHER)" == analysis.functions[0].signature


@pytest.mark.parametrize("python", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
async def test_every_python(analyzer: Analyzer, python: str) -> None:
    """Inference works for every Python that a node can have."""
    analysis = await analyzer.analyze("def f(n=3):\n    return [n]", python)

    assert "f(n: int = 3) -> list[int | Any]" == analysis.functions[0].signature


def _function(**more: object) -> Function:
    function = function_of("def f(): ...")
    return Function(**{**{k: getattr(function, k) for k in function.__dataclass_fields__}, **more})  # type: ignore[arg-type]


SHOWN = {
    "(a: Unknown, n: int | Unknown = 3) -> float | Unknown": Revealed("float | Any", {"n": "int"}),
    "(f: (x: int) -> str | Unknown = ...) -> None": Revealed("None", {"f": "Callable[..., Any]"}),
    "(a: str = 'x, y: (') -> Literal['a -> b']": Revealed("Literal['a -> b']", {"a": "str"}),
    "() -> Module[json]": Revealed(),
    "() -> Never": Revealed("Never"),
    "[T](x: T) -> list[T]": Revealed("list[T]", {"x": "T"}),
    "() -> (x: Unknown) -> (y: int) -> str": Revealed("Callable[..., Any]"),
    "() -> dict[str, (() -> int) | None] | (x: list[int], /) -> tuple[int, str]": Revealed(
        "dict[str, Callable[..., Any] | None] | Callable[..., Any]"
    ),
    "() -> list[(x: int) -> str]": Revealed("list[Callable[..., Any]]"),
    "() -> tuple[Literal[1], Literal[b'x'], Literal[Color.RED]]": Revealed("tuple[int, bytes, Color]"),
    "_lru_cache_wrapper[list[int]]": Revealed("list[int]"),
    "Unknown": Revealed(),
    "Overload[\n  (x: int) -> int\n  (x: str) -> str\n]": Revealed(),
    "(": Revealed(),
    "() -> ": Revealed(),
    "() -> Generator[int, Unknown, str]": Revealed("Generator[int, None, str]"),
}


@pytest.mark.parametrize(("text", "expected"), SHOWN.items())
def test_text_of_the_checker(text: str, expected: Revealed) -> None:
    """The checker's notation becomes ours, and what is not understood becomes nothing."""
    assert expected == revealed(f"revealed type: {text}", _function())
