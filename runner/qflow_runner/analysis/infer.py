"""Types that nobody wrote, as pyrefly infers them: what functions return, and what their defaults are.

The code lies in a directory of its own beside a file that asks for the type of each function. Nothing else is
found from there: no configuration and no packages of this machine, only the checker's own stubs.
"""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from qflow_runner.analysis import tool
from qflow_runner.analysis.model import Function
from qflow_runner.analysis.revealed import Revealed, revealed
from qflow_runner.analysis.source import Source

_MODULE = "qflow_code"
_OPTIONS = (
    *("check", "--config", "pyrefly.toml", "--output-format", "json", "--skip-interpreter-query"),
    *("--disable-search-path-heuristics", "--search-path", ".", "--threads", "1"),
    *("--only", "reveal-type", "--info", "reveal-type", "--min-severity", "info"),
    *("--summary", "none", "--progress-bar", "no", "--python-platform", "linux"),
)


@dataclass(frozen=True)
class Inferred:
    functions: dict[str, Revealed] = field(default_factory=dict[str, Revealed])
    failed: str = ""


def wanted(functions: Iterable[Function]) -> list[Function]:
    """The functions that a node may be set to and that leave something to infer."""
    return [
        function
        for function in functions
        if not function.name.startswith("_")
        and (
            not function.returns
            or any(p.default is not None and (not p.type or p.inferred) for p in function.parameters)
        )
    ]


async def infer(source: Source, functions: Iterable[Function], python: str, deadline: float) -> Inferred:
    """Never raises: `failed` of the answer says why nothing was inferred."""
    asked = list(functions)
    with tempfile.TemporaryDirectory(prefix="qflow-types-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        probe = [f"import {_MODULE}", *(f"reveal_type({_MODULE}.{function.name})" for function in asked)]
        (directory / "pyrefly.toml").touch()
        (directory / f"{_MODULE}.py").write_text(source.text, encoding="utf-8", newline="\n")
        (directory / "probe.py").write_text("\n".join(probe), encoding="utf-8")
        try:
            output = await tool.run(
                "pyrefly",
                [*_OPTIONS, "--python-version", python, "probe.py"],
                deadline=deadline,
                cwd=directory,
            )
            rows = json.loads(output)["errors"]
        except tool.ToolFailed as error:
            return Inferred(failed=str(error))
        except (ValueError, KeyError):
            return Inferred(failed="pyrefly gave no answer")
    found: dict[str, Revealed] = {}
    for row in rows:
        at = row["line"] - 2
        if row["name"] == "reveal-type" and 0 <= at < len(asked):
            found[asked[at].name] = revealed(row["description"], asked[at])
    return Inferred(found)
