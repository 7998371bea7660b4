"""Functions, their parameters, and the rule by which one of them is the entry."""

import sys
from textwrap import dedent

import pytest

from qflow_agent import wire
from qflow_agent.definition import load
from qflow_agent.problem import Problem
from tests.unit.analysis.reading import analysis_of, codes, function_of

SIGNATURES = {
    "def f(): ...": "f()",
    "def f(a, b): ...": "f(a, b)",
    "def f(a: int, b: str = 'x') -> dict[str, int]: ...": "f(a: int, b: str = 'x') -> dict[str, int]",
    "def f(a, b=3): ...": "f(a, b: int = 3)",
    "def f(a, /, b, *, c: int = 1): ...": "f(a, /, b, *, c: int = 1)",
    "def f(*rows: int, n: int, **more: str) -> None: ...": "f(*rows: int, n: int, **more: str) -> None",
    "async def f(u: 'str') -> 'bytes': ...": "f(u: str) -> bytes",
    "def f(a: list['Order']): ...": "f(a: list['Order'])",
    "def f(a: int=-1, b=-1.5, c=None, d=OTHER): ...": "f(a: int = -1, b: float = -1.5, c=None, d=OTHER)",
    "def f(a=[], b={}, c=(1,), d=b'x'): ...": "f(a: list[Any] = [], b: dict[Any, Any] = {},"
    " c: tuple[Any, ...] = (1,), d: bytes = b'x')",
    "f = lambda a, b=True: a": "f(a, b: bool = True)",
    "def f(\n    a: dict[\n        str,  # the name\n        int,\n    ],\n): ...": "f(a: dict[str, int])",
    "def f(ä: int = 'ö', b: str = 'ü'): ...": "f(ä: int = 'ö', b: str = 'ü')",
}


@pytest.mark.parametrize(("code", "signature"), SIGNATURES.items())
def test_signature(code: str, signature: str) -> None:
    """The signature shows what the author wrote, and the types of plain defaults."""
    assert signature == function_of(code).signature


def test_parameters() -> None:
    """Each parameter has its type, whether it must be given, its default as written, and how it is passed."""
    function = function_of("def f(a: int, b='x' * 40 + 'y' * 40, *, c: str, **more): ...")

    assert [
        ("a", "int", True, None, False),
        ("b", "", False, "'x' * 40 + 'y' * 40", False),
        ("c", "str", True, None, True),
    ] == [(p.name, p.type, p.required, p.default, p.keyword_only) for p in function.parameters]
    assert function.takes_extra


def test_long_default_is_shortened() -> None:
    """A long default is cut where a person has seen enough."""
    (parameter,) = function_of(f"def f(a={'x' * 100!r}): ...").parameters

    assert f"'{'x' * 58}…" == parameter.default


@pytest.mark.parametrize(
    ("code", "is_async", "is_generator"),
    [
        ("def f(): return 1", False, False),
        ("async def f(): return 1", True, False),
        ("def f():\n  if x:\n    yield 1", False, True),
        ("async def f(): yield 1", True, True),
        ("def f(): return (yield from g())", False, True),
        ("def f():\n  def g(): yield 1\n  return g", False, False),
        ("def f(): return lambda: (yield)", False, False),
        ("f = lambda: (yield 1)", False, True),
    ],
)
def test_async_and_generators(code: str, is_async: bool, is_generator: bool) -> None:
    """A function is a generator by its own yield, not by that of a function in it."""
    function = function_of(code)

    assert (is_async, is_generator) == (function.is_async, function.is_generator)


MODULES = {
    "one": "def f(): ...",
    "none": "x = 1",
    "private": "def _f(): ...",
    "two": "def f(): ...\ndef g(): ...",
    "one and helpers": "def f(): ...\ndef _g(): ...\nclass C:\n    def m(self): ...",
    "main among others": "def f(): ...\ndef main(): ...\ndef g(): ...",
    "async": "async def f(): ...",
    "defined twice": "def f(a): ...\ndef f(b, c): ...",
    "replaced by a value": "def f(): ...\ndef g(): ...\nf = 3",
    "replaced by a class": "def f(): ...\nclass f: ...",
    "replaced by an import": "def path(): ...\nfrom os import path\ndef g(): ...",
    "replaced by a loop": "def f(): ...\ndef g(): ...\nfor f in []: pass\nfor f in [1]: pass",
    "deleted": "def f(): ...\ndef g(): ...\ndel f",
    "lambda": "double = lambda x: 2 * x",
    "alias": "def f(): ...\ng = f",
    "public alias of a private one": "def _f(): ...\nf = _f",
    "alias before": "def _f(): ...\ng = _f\ndef _f(): ...",
    "in if": "if True:\n    def f(): ...\nelse:\n    def g(): ...",
    "in if false": "if 0:\n    def f(): ...\nelse:\n    def g(): ...",
    "in not": "if not False:\n    def f(): ...\nelse:\n    def g(): ...",
    "in version": "import sys\nif sys.version_info >= (3, 5):\n    def f(): ...\nelse:\n    def g(): ...",
    "in newer version": "import sys\nif sys.version_info >= (3, 99):\n    def f(): ...\nelse:\n    def g(): ...",
    "in version slice": "import sys\nif sys.version_info[:2] < (3, 5):\n    def f(): ...\nelse:\n    def g(): ...",
    "in try": "try:\n    import json\nexcept ImportError:\n    def f(): ...\nelse:\n    def g(): ...\ndef g(): ...",
    "in both sides of try": "try:\n    def f(a): ...\nexcept ImportError:\n    def f(): ...\nfinally:\n    x = 1",
    "in with": "import contextlib\nwith contextlib.suppress(ValueError):\n    def f(): ...",
    "in main guard": "def f(): ...\nif __name__ == '__main__':\n    def g(): ...",
    "for type checkers": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    def f(): ...\ndef g(): ...",
    "imported": "from os.path import join\ndef f(): ...",
    "imported alone": "from os.path import join",
    "nested": "def f():\n    def g(): ...\n    return g",
    "decorated": "import functools\n@functools.lru_cache\ndef f(a): ...",
    "decorated with a call": "import functools\n@functools.lru_cache(maxsize=3)\ndef f(a): ...",
    "own decorator": "import functools\ndef _d(g):\n    @functools.wraps(g)\n    def h(*a): ...\n    return h\n@_d\ndef f(a): ...",
    "cached by call": "import functools\ndef _f(a): ...\nf = functools.lru_cache(maxsize=3)(_f)",
    "cached and its own": "import functools\ndef f(a): ...\ng = functools.lru_cache(f)",
    "overloads": "from typing import overload\n@overload\ndef f(a: int): ...\n@overload\ndef f(a: str): ...\ndef f(a): ...",
    "overload alone": "from typing import overload\n@overload\ndef f(a: int): ...\ndef g(): ...",
    "property": "@property\ndef f(self): ...\ndef g(): ...",
    "context manager": "import contextlib\n@contextlib.contextmanager\ndef f(): yield 1",
    "class alone": "class C:\n    def f(self): ...",
    "in match": "match 1:\n    case 1:\n        def f(): ...",
    "in loop": "for x in [1]:\n    def f(): ...",
    "star": "from os.path import *\ndef f(): ...",
}


@pytest.mark.parametrize("code", MODULES.values(), ids=MODULES)
def test_entry_is_what_the_sandbox_calls(code: str) -> None:
    """The function that is called when none is named is the one that the sandbox finds by running the code."""
    expected = _called(code)
    python = "{}.{}".format(*sys.version_info[:2])

    analysis = analysis_of(code, python)

    assert expected == analysis.entry
    assert ("no_function" in codes(analysis)) == (
        not expected and "ambiguous_function" not in codes(analysis)
    )


def _called(code: str) -> str:
    try:
        loaded = load(wire.Define(definition=f"d{abs(hash(code))}", code=code))
    except Problem:
        return ""
    sys.modules.pop(loaded.module.__name__)
    return loaded.name


def test_later_definition_wins_in_its_first_place() -> None:
    """A function defined twice stands where it first stood, with the parameters that it has at last."""
    analysis = analysis_of("def f(a): ...\ndef g(): ...\ndef f(b, c): ...")

    assert ["f(b, c)", "g()"] == [function.signature for function in analysis.functions]


def test_untyped_parameters_are_named() -> None:
    """A parameter whose type nobody can tell is an information, where it stands; a private function's is none."""
    analysis = analysis_of("def main(order, n=3, *, late): ...\ndef _h(x): ...")

    assert [("untyped", 1, 10), ("untyped", 1, 25)] == [(f.code, f.line, f.column) for f in analysis.findings]
    assert "def main(order, n=3, *, late): ...\n         ^^^^^" == analysis.findings[0].source


def test_ambiguity_is_told() -> None:
    """Of several functions a person chooses one, and is told how."""
    (finding,) = analysis_of("def f(): ...\ndef g(): ...").findings

    assert ("info", "ambiguous_function") == (finding.severity, finding.code)
    assert "f, g" in finding.message


SCRIPTS = {
    "return [{'json': {'n': len(_items)}}]": "native",
    "return _input.all()": "pyodide",
    "return items": "community",
    "def f(x): return x": "",
}


@pytest.mark.parametrize(("code", "dialect"), SCRIPTS.items())
def test_scripts(code: str, dialect: str) -> None:
    """A script has a dialect and no entry, and needs no function."""
    analysis = analysis_of(dedent(code))

    assert dialect == analysis.script
    assert ("" if dialect else "f") == analysis.entry
    assert "no_function" not in codes(analysis)
