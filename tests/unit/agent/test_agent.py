"""The agent's table of cases on every Python from 3.8 that this machine has, with orjson and without."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import qflow_agent
from qflow_runner.sandbox import vendor
from qflow_runner.sandbox.image_files import cache_dir
from tests.unit.agent import guest
from tests.unit.agent.cases import CASES as FUNCTIONS
from tests.unit.agent.cases import Case
from tests.unit.agent.generic_cases import GENERICS
from tests.unit.agent.script_cases import SCRIPTS
from tests.unit.agent.validation_cases import VALIDATION

CASES = [*FUNCTIONS, *SCRIPTS, *VALIDATION, *GENERICS]
HERE = Path(__file__).parent
AGENT = Path(qflow_agent.__file__).parents[1]
TEXTS = {"detail", "hint", "traceback"}


def version(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))


@cache
def answers(python: str, codec: str) -> dict[str, dict[str, Any]]:
    """What that Python makes of all cases, by name."""
    interpreter = vendor.find_python(python)
    assert interpreter is not None
    cases = [case for case in CASES if case.since <= version(python)]
    sent = [
        {"code": case.code, "items": case.items, "args": case.args, "options": case.options} for case in cases
    ]
    libraries = vendor.cached(python, cache_dir())
    block = "import sys; sys.modules['orjson'] = None; " if codec == "json" else "import sys; "
    program = f"{block}sys.argv[1:] = {[str(AGENT), str(libraries)]!r}; exec(open({str(HERE / 'program.py')!r}).read())"
    done = subprocess.run(
        [interpreter, "-I", "-B", "-X", "utf8", "-c", program],
        input=json.dumps(sent),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    reply = json.loads(done.stdout)
    assert reply["fast"] == (codec == "orjson")
    return {case.name: answer for case, answer in zip(cases, reply["answers"], strict=True)}


def test_the_names_of_the_cases_differ() -> None:
    """A case would otherwise hide another."""
    assert len(CASES) == len({case.name for case in CASES})


@pytest.mark.parametrize("codec", ["orjson", "json"])
@pytest.mark.parametrize(
    ("case", "python"),
    [
        pytest.param(case, python, id=f"{case.name}-{python}")
        for case in CASES
        for python in guest.PYTHONS
        if case.since <= version(python)
    ],
)
def test_case(case: Case, python: str, codec: str) -> None:
    """The items come back, or the problem, as the table says."""
    answer = answers(python, codec)[case.name]
    if case.problem is not None:
        assert "problem" in answer, answer
        assert case.problem == seen(answer["problem"], case.problem), answer["problem"]
        return
    assert "items" in answer, answer
    assert case.values == [value_of(item) for item in answer["items"]]
    if case.paired is not None:
        assert case.paired == [item.get("pairedItem") for item in answer["items"]]
    assert case.hint in "".join(answer["hints"])


def seen(problem: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The expected members as they are; of texts the expected part, if it is there."""
    return {
        name: part if name in TEXTS and part in problem.get(name, "") else problem.get(name)
        for name, part in expected.items()
    }


def value_of(item: dict[str, Any]) -> Any:
    fields = item["json"]
    return fields["value"] if fields.keys() == {"value"} else fields
