"""Code of every Python version is read by the Python that the runner has."""

import ast
import sys
from pathlib import Path

import pytest

from qflow_runner.analysis import lower
from qflow_runner.analysis.reading import read
from qflow_runner.analysis.source import Source
from qflow_runner.analysis.syntax import TypeParameter, parse
from tests.unit.analysis.reading import analysis_of

MODERN = '''\
type Row = dict[str, int]
type Pair[A, B: int] = tuple[
    A, B
]


def first[
    T: (int, str),
](rows: list[T], text: str = f"{"a" + "b"} {1!r:>{2}}") -> T:
    """Doc."""
    if f"{rows[0]}" "plain" f'{
        rows[1]  # a comment
    }':
        return rows[0]
    return t"{rows!s}"


class Box[T, **P, *Ts = *tuple[int, ...]](list[T]):
    ä: int = 1; b: str = f"{ {"k": (1, 2)}["k"] }{"x"=}{{}}"


try:
    pass
except ValueError, TypeError:
    pass


def second(x: Box[int]) -> Row: ...
'''


def test_modern_syntax_is_read() -> None:
    """Type parameters, type statements, new formatted strings and the like are read whatever runs here."""
    analysis = analysis_of(MODERN, "3.14")

    assert {"first": 7, "second": 28} == {function.name: function.line for function in analysis.functions}
    assert {"Row": "dict[str, int]", "Pair": "tuple[A, B]"} == analysis.scope.aliases
    assert ("T", "P", "Ts") == analysis.scope.classes["Box"].parameters
    assert ["ä", "b"] == [field.name for field in analysis.scope.classes["Box"].fields]
    assert 'f"{"a" + "b"} {1!r:>{2}}"' == analysis.functions[0].parameters[1].default


def test_lowering_keeps_every_place() -> None:
    """What is lowered has the same lines, and every name that is left stands where it stood."""
    lowered = lower.lower(MODERN)

    assert lowered is not None
    assert MODERN.count("\n") == lowered.text.count("\n")
    before, after = MODERN.split("\n"), lowered.text.split("\n")
    for node in ast.walk(ast.parse(lowered.text)):
        if isinstance(node, ast.Name) and after[node.lineno - 1].isascii() and node.id not in {"Row", "Pair"}:
            assert node.id == before[node.lineno - 1][node.col_offset : node.end_col_offset]
    assert {(1, 0), (2, 0)} == set(lowered.aliases)
    assert {
        (2, 0): (TypeParameter("A", ""), TypeParameter("B", "int")),
        (7, 0): (TypeParameter("T", "(int, str)"),),
        (18, 0): (TypeParameter("T", ""), TypeParameter("P", ""), TypeParameter("Ts", "")),
    } == lowered.parameters


STRINGS = {
    'f"{a}"': {"a"},
    'f"{a}{b}"': {"a", "b"},
    'f"{a!r:>{b}}"': {"a", "b"},
    'f"{a=}"': {"a"},
    'f"{(a, b)}"': {"a", "b"},
    'f"{a, b}"': {"a", "b"},
    'f"{ a }"': {"a"},
    'f"{a["k"]}"': {"a"},
    "f'{f'{f'{a}'}'}'": {"a"},
    'f"{{}}{a}"': {"a"},
    'f""': set[str](),
    'f"" "x" f"{a}"': {"a"},
    '"x" f"{a}" "y"': {"a"},
    'f"{a:%Y-{b}-%d}"': {"a", "b"},
    'f"""{\na\n}"""': {"a"},
    'f"{lambda: a}"': None,
    'f"{(lambda: a)()}"': {"a"},
    'f"{*a, *b}"': {"a", "b"},
    'f"{a if b else c}"': {"a", "b", "c"},
    'rf"\\d{a}"': {"a"},
    't"{a}"': {"a"},
}


@pytest.mark.parametrize(("text", "names"), STRINGS.items())
def test_formatted_strings_keep_their_names(text: str, names: set[str] | None) -> None:
    """What a formatted string reads is still read, so that a script is known by the names in it."""
    lowered = lower.lower(f"x = {text}\ny = 1\n")

    if names is None:
        return
    assert lowered is not None
    tree = ast.parse(lowered.text)
    assert names == {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def test_script_is_known_by_its_formatted_strings() -> None:
    """A script whose input is named inside a new formatted string alone is a script."""
    assert "native" == analysis_of('x = f"{_items[0]["json"]}"\nreturn x', "3.14").script


def test_lowering_leaves_older_code_alone() -> None:
    """Code without new syntax is the same after lowering, formatted strings apart."""
    for path in Path(ast.__file__).parent.glob("[a-d]*.py"):
        code = path.read_text("utf-8")
        if 'f"' in code or "f'" in code:
            continue
        lowered = lower.lower(Source(code).text)

        assert lowered is not None, path.name
        assert Source(code).text == lowered.text, path.name


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads it itself")
def test_older_pythons_have_no_newer_syntax() -> None:
    """Syntax that the node's Python lacks is not read by way of lowering."""
    assert not read("type X = int\n", "3.11").parsed


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends(ends: str) -> None:
    """Lines are counted alike whatever ends them."""
    code = ends.join(["import json", "", "def main(a: int) -> int:", "    return a", ""])

    assert 3 == analysis_of(code).functions[0].line


def test_byte_order_mark() -> None:
    """A byte order mark is no part of the code."""
    assert "f() -> int" == analysis_of("\ufeffdef f() -> int: ...").functions[0].signature


UNREADABLE = {
    "x = (": (1, 5),
    "def f(:\n  pass": (1, 7),
    "x = 1\n  y = 2": (2, None),
    "a\n'": (2, 1),
    "ok = 1\nx = '\0'": (2, 6),
    "ok = 1\nx = '\ud800'": (2, 6),
    "if x:\n\ty = 1\n        z = 2": (3, None),
    f"x = {'(' * 500}": (1, None),
    f"x = {'-' * 20_000}1": (1, None),
}


@pytest.mark.parametrize(("code", "place"), UNREADABLE.items(), ids=range(len(UNREADABLE)))
def test_unreadable_code(code: str, place: tuple[int, int | None]) -> None:
    """Code that cannot be read is one error, with its place, and nothing else."""
    reading = read(code, "3.11")

    assert not reading.parsed
    assert () == reading.analysis.functions
    (finding,) = reading.analysis.findings
    assert "error" == finding.severity
    assert place == (finding.line, finding.column if place[1] else None)
    assert finding.message.endswith(".")


def test_one_tree_for_both_readers() -> None:
    """Type parameters are found at the same places by either way of reading."""
    native = sys.version_info >= (3, 12)
    code = "def f[T: int](x: T) -> T: ...\ntype X[K] = list[K]\n"
    tree = parse(Source(code), (3, 14))

    assert {(1, 0): (TypeParameter("T", "int"),), (2, 0): (TypeParameter("K", ""),)} == tree.parameters, (
        native
    )
    assert {(2, 0)} == set(tree.aliases)


EXCERPTS = [
    ("x = yy", 5, 7, "x = yy\n    ^^"),
    ("\tx = y", 6, None, "\tx = y\n\t    ^"),
    ("x", 9, None, "x\n ^"),
    ("ä = ö + y", 5, None, "ä = ö + y\n    ^"),
    ("", 1, None, "\n^"),
    ("x\x1b[31m", 1, None, "x�[31m\n^"),
]


@pytest.mark.parametrize(("line", "column", "end", "expected"), EXCERPTS)
def test_excerpt(line: str, column: int, end: int | None, expected: str) -> None:
    """The caret stands under its place, behind tabs and beside wide text, and controls nothing of a terminal."""
    assert expected == Source(line).excerpt(1, column, end)


def test_excerpt_of_a_long_line() -> None:
    """Of a long line the part around the place is shown."""
    line, caret = Source("a" * 200 + "b" + "c" * 200).excerpt(1, 201).split("\n")

    assert (102, "b") == (len(line), line[len(caret) - 1])
    assert line.startswith("…a")
    assert line.endswith("c…")
