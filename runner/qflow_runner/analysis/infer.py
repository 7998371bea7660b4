"""Types that nobody wrote, as pyrefly infers them: what functions return, and what their defaults are.

The code lies in a directory of its own beside a file that asks for the type of each function. Nothing else is
found from there but the node's packages and the checker's own stubs: no configuration and nothing else of this
machine. Of the packages, too, nothing is executed.
"""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from qflow_runner.analysis import tool
from qflow_runner.analysis.foreign import CODE, DECOYS, Names, decoys_for, decoys_module, without_decoys
from qflow_runner.analysis.model import Function
from qflow_runner.analysis.public import called_by_users, public_names
from qflow_runner.analysis.revealed import PREFIX, Revealed, revealed
from qflow_runner.analysis.source import Source
from qflow_runner.types import EMPTY, Scope

_OPTIONS = (
    *("check", "--config", "pyrefly.toml", "--output-format", "json", "--skip-interpreter-query"),
    *("--disable-search-path-heuristics", "--search-path", ".", "--threads", "1"),
    *("--only", "reveal-type", "--info", "reveal-type", "--min-severity", "info"),
    *("--summary", "none", "--progress-bar", "no", "--python-platform", "linux"),
)


@dataclass(frozen=True)
class Inferred:
    functions: dict[str, Revealed] = field(default_factory=dict[str, Revealed])
    origins: dict[str, str] = field(default_factory=dict[str, str])
    """What names of the types mean that the code itself does not have."""
    failed: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked of the checker. `packages` is the directory of the node's packages, None without any."""

    source: Source
    functions: tuple[Function, ...]
    python: str
    scope: Scope = EMPTY
    packages: Path | None = None


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


async def infer(question: Question, deadline: float) -> Inferred:
    """Never raises: `failed` of the answer says why nothing, or not all, was inferred."""
    try:
        inferred, unsure = await _once(question, (), deadline)
    except tool.ToolFailed as error:
        return Inferred(failed=str(error))
    if not unsure:
        return inferred
    try:
        # The checker says which modules these names are of when it is asked for them.
        return (await _once(question, unsure, deadline))[0]
    except tool.ToolFailed as error:
        return Inferred(inferred.functions, inferred.origins, failed=str(error))


async def _once(
    question: Question, more: tuple[str, ...], deadline: float
) -> tuple[Inferred, tuple[str, ...]]:
    """What is inferred, and the names of which the checker did not say where they are from. Raises ToolFailed."""
    scope, functions = question.scope, question.functions
    decoys = decoys_for(question.source.text, scope, more)
    public = public_names(scope) if question.packages else ()
    asked = [*(f"{CODE}.{function.name}" for function in functions), *(each.expression for each in public)]
    shown = await _shown(question, asked, [each.module for each in public], decoys_module(decoys), deadline)
    users = called_by_users(
        (each, shown[at]) for at, each in enumerate(public, len(functions)) if at in shown
    )
    names = Names(scope, users, sure=question.packages is None)
    found = {
        function.name: revealed(shown[at], function, names)
        for at, function in enumerate(functions)
        if at in shown
    }
    return Inferred(found, names.origins), tuple(names.unsure)


async def _shown(
    question: Question, asked: list[str], modules: list[str], decoys: str, deadline: float
) -> dict[int, str]:
    """The type of each expression, by its place, where the checker has one. Raises ToolFailed."""
    imports = [f"import {module}" for module in dict.fromkeys(modules) if module]
    head = [f"import {CODE}", f"from {DECOYS} import every", *imports]
    probe = "\n".join((*head, *(f"reveal_type(({each}, every))" for each in asked)))
    options = [*_OPTIONS, "--python-version", question.python]
    # It may have been removed since it was looked up.
    if question.packages is not None and question.packages.is_dir():
        options += ["--site-package-path", str(question.packages.resolve())]
    with tempfile.TemporaryDirectory(prefix="qflow-types-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        (directory / "pyrefly.toml").touch()
        (directory / f"{CODE}.py").write_text(question.source.text, encoding="utf-8", newline="\n")
        (directory / f"{DECOYS}.py").write_text(decoys, encoding="utf-8")
        (directory / "probe.py").write_text(probe, encoding="utf-8")
        output = await tool.run("pyrefly", [*options, "probe.py"], deadline=deadline, cwd=directory)
    try:
        rows = json.loads(output)["errors"]
    except (ValueError, KeyError):
        raise tool.ToolFailed("pyrefly gave no answer") from None
    places = ((row["line"] - len(head) - 1, row) for row in rows if row["name"] == "reveal-type")
    return {at: without_decoys(row["description"], PREFIX) for at, row in places if 0 <= at < len(asked)}
