"""Reads a node's code: all that its text alone says. Runs in the worker."""

from qflow_agent import dialects
from qflow_runner.analysis import requirements
from qflow_runner.analysis.classes import Classes
from qflow_runner.analysis.functions import entry_of, function_of, own_functions, untyped
from qflow_runner.analysis.model import Analysis, Dialect, Finding, Function, Reading, version_of
from qflow_runner.analysis.names import names_of
from qflow_runner.analysis.scope import scope_of
from qflow_runner.analysis.source import Source
from qflow_runner.analysis.syntax import Unreadable, parse, too_deep
from qflow_runner.analysis.uses import uses_of

FUNCTIONS = 1_000
"""Functions, and classes, that an analysis lists; a node with more is no node."""


def read(code: str, python: str) -> Reading:
    source = Source(code)
    version = version_of(python)
    try:
        return _read(source, version)
    except Unreadable as error:
        return Reading(Analysis(findings=(error.finding,)), parsed=False)
    except RecursionError:
        return Reading(Analysis(findings=(too_deep(source),)), parsed=False)


def _read(source: Source, version: tuple[int, int]) -> Reading:
    tree = parse(source, version)
    names = names_of(tree.module, version)
    own = own_functions(names)[:FUNCTIONS]
    functions = tuple(function_of(name, node, source) for name, node in own)
    script: Dialect = dialects.dialect_of(tree.module)  # type: ignore[assignment] - the agent's Python has no Literal
    classes = dict(list(Classes(tree, names, source).all().items())[:FUNCTIONS])
    needs = requirements.of_code(tree.module, source, version)
    findings = list(needs.findings)
    if not script:
        findings += _choice(functions, source)
        for function, (_, node) in zip(functions, own, strict=True):
            if not function.name.startswith("_"):
                findings += untyped(function, node, source)
    analysis = Analysis(
        functions=functions,
        entry="" if script else entry_of(functions),
        script=script,
        imports=needs.imports,
        requirements=needs.requirements,
        findings=tuple(findings),
        scope=scope_of(tree, names, classes, source),
        uses=uses_of(tree.module, source),
    )
    return Reading(analysis, parsed=True)


def _choice(functions: tuple[Function, ...], source: Source) -> list[Finding]:
    """Whether it is clear which function a node calls that names none."""
    public = [function for function in functions if not function.name.startswith("_")]
    if not public:
        private = " whose name does not begin with _" if functions else ""
        hint = "Write one, for example: def main(item: dict) -> dict: return item"
        message = f"The code defines no function{private}."
        return [source.finding("error", "no_function", message, 1, 1, hint=hint)]
    if len(public) == 1 or any(function.name == "main" for function in public):
        return []
    shown = ", ".join(function.name for function in public[:5]) + (", …" if len(public) > 5 else "")
    message = f"The code has {len(public)} functions, and none is called main: {shown}."
    hint = "Choose the function in the node, call it main, or begin the names of the others with _."
    return [source.finding("info", "ambiguous_function", message, public[1].line, 1, hint=hint)]
