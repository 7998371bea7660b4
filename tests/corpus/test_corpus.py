"""Code of the kind that people publish for n8n's Python nodes runs as it is.

Every snippet is a file that its node would take unchanged, beside a JSON file with the items that come in and those
that go out. The folder is the dialect.
"""

import ast
import json
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import qflow_agent
from qflow_agent.dialects import dialect_of
from qflow_runner.sandbox import vendor
from qflow_runner.sandbox.image_files import cache_dir
from qflow_runner.sandbox.images import SUPPORTED

HERE = Path(__file__).parent
PROGRAM = HERE.parent / "unit" / "agent" / "program.py"
AGENT = Path(qflow_agent.__file__).parents[1]
SNIPPETS = sorted(HERE.glob("*/*.py"))
FOUND = sorted((v for v in SUPPORTED if vendor.find_python(v)), key=lambda v: tuple(map(int, v.split("."))))
PYTHONS = sorted({FOUND[0], FOUND[-1]})


def name_of(snippet: Path) -> str:
    return f"{snippet.parent.name}/{snippet.stem}"


def example(snippet: Path) -> Any:
    return json.loads(snippet.with_suffix(".json").read_text(encoding="utf-8"))


@cache
def answers(python: str) -> dict[str, Any]:
    """What that Python makes of all snippets, by name."""
    interpreter = vendor.find_python(python)
    assert interpreter is not None
    sent = [
        {"code": snippet.read_text(encoding="utf-8"), "items": example(snippet)["items"]}
        for snippet in SNIPPETS
    ]
    done = subprocess.run(
        [interpreter, "-I", "-B", "-X", "utf8", PROGRAM, AGENT, vendor.cached(python, cache_dir())],
        input=json.dumps(sent),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(map(name_of, SNIPPETS), json.loads(done.stdout)["answers"], strict=True))


def test_every_dialect_has_its_share() -> None:
    """At least 40 snippets, and more than ten of each node."""
    shares = Counter(snippet.parent.name for snippet in SNIPPETS)

    assert {"native", "pyodide", "community"} == shares.keys()
    assert 40 <= sum(shares.values())
    assert 10 < min(shares.values())


@pytest.mark.parametrize("snippet", SNIPPETS, ids=name_of)
def test_the_dialect_is_known(snippet: Path) -> None:
    """From the code alone."""
    assert snippet.parent.name == dialect_of(ast.parse(snippet.read_text(encoding="utf-8")))


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("snippet", SNIPPETS, ids=name_of)
def test_the_items_come_out(snippet: Path, python: str) -> None:
    """The same on the oldest and on the newest Python, with what each item was made from."""
    answer = answers(python)[name_of(snippet)]

    assert "problem" not in answer, answer["problem"].get("traceback") or answer["problem"]
    assert example(snippet)["output"] == answer["items"]
