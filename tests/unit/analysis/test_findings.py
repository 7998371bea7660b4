"""What ruff and the reading say of mistakes, weighed against each other."""

from textwrap import dedent

import pytest

from qflow_runner.analysis import Analyzer

FINDINGS = {
    "undefined": ("def main() -> int:\n    return x", "3.12", [("error", "F821", 2, 12)]),
    "undefined in a type": ("def main(a: Ordr) -> int: ...", "3.12", [("error", "F821", 1, 13)]),
    "unbound local": (
        "x = 1\ndef main() -> None:\n    print(x)\n    x = 2",
        "3.12",
        [("error", "F823", 3, 11)],
    ),
    "second definition": (
        "def main() -> int: ...\ndef main() -> str: ...",
        "3.12",
        [("warning", "F811", 2, 5)],
    ),
    "imported twice": ("import json\nimport json\ndef main() -> str:\n    return json.dumps(1)", "3.12", []),
    "is a text": ("def main(a: str) -> bool:\n    return a is 'x'", "3.12", [("warning", "F632", 2, 12)]),
    "format": ("def main() -> str:\n    return '%d %d' % (1,)", "3.12", [("warning", "F507", 2, 12)]),
    "mutable default": ("def main(a: list[int] = []) -> int: ...", "3.12", [("warning", "B006", 1, 25)]),
    "break": ("def main() -> None:\n    break", "3.12", [("error", "F701", 2, 5)]),
    "return outside": (
        "class C:\n    def f(self): ...\ndef main() -> None: ...\nnonlocal x",
        "3.12",
        [("error", "syntax", 4, 1)],
    ),
    "match on 3.8": (
        "def main(a: int) -> int:\n    match a:\n        case 1: return 1",
        "3.8",
        [("error", "syntax_too_new", 2, 5)],
    ),
    "match on 3.10": (
        "def main(a: int) -> int:\n    match a:\n        case 1: return 1\n    return 2",
        "3.10",
        [],
    ),
    "walrus on 3.8": ("def main(a: int) -> int:\n    return (b := a)", "3.8", []),
    "except groups on 3.10": (
        "def main() -> None:\n    try:\n        pass\n    except* ValueError:\n        pass",
        "3.10",
        [("error", "syntax_too_new", 4, 11)],
    ),
    "type statement on 3.11": (
        "type X = int\ndef main() -> X: ...",
        "3.11",
        [("error", "syntax_too_new", 1, 1)],
    ),
    "type statement on 3.12": ("type X = int\ndef main() -> X: ...", "3.12", []),
    "type parameters on 3.13": ("def main[T](x: list[T]) -> T:\n    return x[0]", "3.13", []),
    "quotes in 3.12": ('def main(a: dict) -> str:\n    return f"{a["k"]}"', "3.12", []),
    "quotes in 3.9": (
        'def main(a: dict) -> str:\n    return f"{a["k"]}"',
        "3.9",
        [("error", "syntax_too_new", 2, 17)],
    ),
    "template on 3.14": ('def main(a: int) -> object:\n    return t"{a}"', "3.14", []),
    "syntax": ("def main(:\n    pass\nx = (", "3.12", [("error", "syntax", 1, 10)]),
    "syntax after new syntax": ("type X = int\nx = 1 +\n", "3.13", [("error", "syntax", 2, 8)]),
    "syntax on a newer Python": ("def main() -> int:\n    return (1\n", "3.14", [("error", "syntax", 2, 12)]),
    "silenced": ("def main() -> int:\n    return x  # noqa: F821", "3.12", []),
    "nothing": ("", "3.12", [("error", "no_function", 1, 1)]),
    "no function": ("x = 1", "3.12", [("error", "no_function", 1, 1)]),
    "private function": ("def _f() -> int: ...", "3.12", [("error", "no_function", 1, 1)]),
    "script": ("x = _items\nreturn [{'json': i} for i in x]", "3.12", []),
    "script that awaits": ("async def f(): ...\nx = await f()\nreturn _items", "3.12", []),
    "script with a slip": ("return [_items, y]", "3.12", [("error", "F821", 1, 17)]),
    "former script": ("return _input.all() + [_json, _now]", "3.12", []),
    "magic name in a function": ("def main() -> int:\n    return _items", "3.12", [("error", "F821", 2, 12)]),
}


@pytest.mark.parametrize(("code", "python", "expected"), FINDINGS.values(), ids=FINDINGS)
async def test_findings(
    analyzer: Analyzer, code: str, python: str, expected: list[tuple[str, str, int, int]]
) -> None:
    """A mistake is found once, where it is, for the node's own Python; what is right is not found fault with."""
    analysis = await analyzer.analyze(code, python, infer=False)

    assert expected == [(f.severity, f.code, f.line, f.column) for f in analysis.findings]


HINTS = {
    "import collections\ndef main() -> object:\n    return colections": "Did you mean collections?",
    "def main() -> object:\n    return json.loads": "Add: import json",
    "def main() -> object:\n    return yaml": "Add: import yaml",
    "def main() -> object:\n    return pint(1)": "Did you mean print?",
    "class Order: ...\ndef main(a: Ordr) -> None: ...": "Did you mean Order?",
    "def main() -> object:\n    return qqqqqq": "",
}


@pytest.mark.parametrize(("code", "hint"), HINTS.items())
async def test_hint_for_an_undefined_name(analyzer: Analyzer, code: str, hint: str) -> None:
    """An undefined name comes with what it was probably meant to be."""
    (finding,) = (await analyzer.analyze(code, infer=False)).findings

    assert hint == finding.hint


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("import json\n```\ndef main() -> int:\n    return 1\n```", "Remove the lines with ```"),
        ("for (const item of $input.all()) {\n  item.json.n = 1;\n}", "looks like JavaScript"),
        ("def main() -> int:\n    return {{ $json.n }}", "Expressions of n8n"),
        ("def main( -> int: ...", ""),
    ],
)
async def test_what_is_no_python_may_be_known_all_the_same(analyzer: Analyzer, code: str, hint: str) -> None:
    """By the line that Python does not read."""
    (finding,) = (await analyzer.analyze(code, infer=False)).findings

    assert hint in finding.hint
    assert bool(hint) == bool(finding.hint)


async def test_finding_shows_its_place(analyzer: Analyzer) -> None:
    """A finding has a sentence, and the line of code with carets under the place."""
    (finding,) = (await analyzer.analyze("def main() -> int:\n\treturn missing")).findings

    assert ("Undefined name `missing`.", "\treturn missing\n\t       ^^^^^^^") == (
        finding.message,
        finding.source,
    )


async def test_errors_come_first(analyzer: Analyzer) -> None:
    """Errors stand before warnings, and those before notes."""
    code = dedent("""
        def f(a=[]):
            return a is "x"
        def g(b):
            return c
    """)
    analysis = await analyzer.analyze(code, infer=False)

    severities = [finding.severity for finding in analysis.findings]
    assert sorted(severities, key=["error", "warning", "info"].index) == severities
    assert {"error", "warning", "info"} == set(severities)


async def test_code_that_is_too_new_is_still_read(analyzer: Analyzer) -> None:
    """Where the runner can read what the node's Python cannot, the functions are known beside the error."""
    analysis = await analyzer.analyze(
        "def main(a: int) -> int:\n    match a:\n        case 1: return 1", "3.8"
    )

    assert ["main(a: int) -> int"] == [function.signature for function in analysis.functions]


async def test_unreadable_code_is_one_error(analyzer: Analyzer) -> None:
    """Code with a syntax error has one finding, and nothing else is said of it."""
    analysis = await analyzer.analyze("import pandas\ndef main(:\n  x = (\n", infer=True)

    assert ["syntax"] == [finding.code for finding in analysis.findings]
    assert ((), (), (), "") == (analysis.functions, analysis.imports, analysis.requirements, analysis.entry)
