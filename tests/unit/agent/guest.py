"""Runs a file of checks in another Python, with the agent, its libraries and, where they are wanted, real packages."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import qflow_agent
from qflow_runner.sandbox import vendor
from qflow_runner.sandbox.image_files import cache_dir
from qflow_runner.sandbox.images import SUPPORTED
from tests.unit.agent.packages import packages

HERE = Path(__file__).parent
AGENT = Path(qflow_agent.__file__).parents[1]
PYTHONS = [python for python in SUPPORTED if vendor.find_python(python)]
"""Every Python of Qflow's that this machine has: each module of guest tests runs on all of them."""

WIDE = [python for python in ("3.8", "3.11", "3.13") if python in PYTHONS]
"""The oldest, the runner's own and the newest: what draws many examples draws fewer on the others."""

_DRIVER = """
import sys, json, traceback
sys.path[:0] = {paths!r}
names = {{}}
exec(compile(open({file!r}).read(), {file!r}, "exec"), names)
out, sys.stdout = sys.stdout, sys.stderr
found = {{}}
for name, check in list(names.items()):
    if name.startswith("check_"):
        try:
            check()
        except BaseException:
            found[name] = traceback.format_exc()
        else:
            found[name] = ""
json.dump(found, out)
"""


def names_of(file: str) -> list[str]:
    """The names of the checks in a file."""
    lines = (HERE / file).read_text().splitlines()
    return [line[4:].partition("(")[0] for line in lines if line.startswith("def check_")]


@cache
def results(file: str, python: str) -> dict[str, str]:
    """What each check of the file ended with in that Python: a traceback, or nothing where it holds."""
    paths = [str(AGENT), str(vendor.cached(python, cache_dir())), str(packages(python))]
    done = run(python, _DRIVER.format(paths=paths, file=str(HERE / file)))
    return json.loads(done)


def run(python: str, program: str, *arguments: Any) -> str:
    """What a program of that Python prints."""
    interpreter = vendor.find_python(python)
    assert interpreter is not None
    done = subprocess.run(
        [interpreter, "-I", "-B", "-X", "utf8", "-c", program, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
