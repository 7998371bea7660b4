"""Puts together what the worker, ruff and pyrefly say."""

import re
from collections.abc import Mapping
from dataclasses import replace

from qflow_runner.analysis.functions import untyped_message
from qflow_runner.analysis.infer import Inferred
from qflow_runner.analysis.lint import FINDINGS, Lint
from qflow_runner.analysis.model import Analysis, Finding, Function, Parameter, Reading
from qflow_runner.analysis.revealed import Revealed
from qflow_runner.analysis.signatures import with_types
from qflow_runner.analysis.source import Source
from qflow_runner.types import Scope

_PASSING = frozenset(
    {"analysis_busy", "analysis_timeout", "analysis_failed", "checks_skipped", "types_skipped"}
)
_ORDER = {"error": 0, "warning": 1, "info": 2}

_ORIGINS = {
    "collections": "Counter OrderedDict defaultdict deque",
    "collections.abc": "AsyncGenerator AsyncIterator Awaitable Callable Coroutine Generator Iterable Iterator"
    " Mapping MutableMapping Sequence",
    "contextlib": "AbstractContextManager",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "io": "BytesIO StringIO",
    "pathlib": "Path",
    "re": "Match Pattern",
    "types": "SimpleNamespace",
    "typing": "Any Literal Never",
    "uuid": "UUID",
}
_QUALIFIED = {name: f"{module}.{name}" for module, names in _ORIGINS.items() for name in names.split()}
"""Names that inferred types may bring although the code imports them nowhere."""


_WORD = re.compile(r"\b[A-Za-z_]\w*")


def findings_of(reading: Reading, linted: Lint, source: Source) -> tuple[Finding, ...]:
    """Errors first, each in the order of the code."""
    if not reading.parsed:
        return (_refusal(reading.analysis.findings[0], linted, source),)
    found = [*linted.syntax(source), *linted.too_new(source), *reading.analysis.findings]
    found += linted.rest(source, reading.analysis)
    if linted.failed:
        message = f"The code was not checked for mistakes: {linted.failed}."
        found.append(source.finding("info", "checks_skipped", message, 1, 1))
    found.sort(key=lambda finding: (_ORDER[finding.severity], finding.line, finding.column))
    return tuple(found[:FINDINGS])


def risks_of(reading: Reading, linted: Lint, source: Source) -> tuple[Finding, ...]:
    """A line that both know of is told once, in the words of ruff."""
    found = linted.risks(source)
    lines = {finding.line for finding in found}
    for use in reading.analysis.uses:
        if use.kind == "call" and use.line not in lines:
            message = f"{use.name.removeprefix('?.')} is worth a second look: {use.why}."
            found.append(Finding("warning", "risk", message, "", use.line, use.column, use.source))
    return tuple(sorted(found, key=lambda finding: (finding.line, finding.column))[:FINDINGS])


def _refusal(worker: Finding, linted: Lint, source: Source) -> Finding:
    """Why the code cannot be read. The worker's Python may be another than the node's, and then ruff knows better."""
    if worker.code != "syntax":
        return worker
    plain = linted.syntax(source)
    if plain:
        return replace(plain[0], hint=worker.hint) if worker.message in _VAGUE else worker
    too_new = linted.too_new(source)
    return too_new[0] if too_new else worker


_VAGUE = frozenset({"Invalid syntax."})


def is_lasting(analysis: Analysis) -> bool:
    """Whether the same code would be analysed alike at another moment."""
    return not any(finding.code in _PASSING for finding in analysis.findings)


def with_inferred(analysis: Analysis, inferred: Inferred, source: Source) -> Analysis:
    """The analysis with the types that were inferred, and without the findings that asked for them."""
    functions: list[Function] = []
    settled: set[str] = set()
    for function in analysis.functions:
        revealed = inferred.functions.get(function.name)
        if revealed is None:
            functions.append(function)
            continue
        parameters = tuple(_typed(parameter, revealed) for parameter in function.parameters)
        settled |= {untyped_message(function, parameter) for parameter in parameters if parameter.type}
        functions.append(with_types(function, parameters, revealed.returns))
    findings = [f for f in analysis.findings if f.code != "untyped" or f.message not in settled]
    if inferred.failed:
        message = f"Types that are not written were not inferred: {inferred.failed}."
        findings.append(source.finding("info", "types_skipped", message, 1, 1))
    return replace(
        analysis,
        functions=tuple(functions),
        findings=tuple(findings),
        scope=_wider(analysis.scope, functions, inferred.origins),
    )


def _typed(parameter: Parameter, revealed: Revealed) -> Parameter:
    found = revealed.parameters.get(parameter.name, "")
    if not found or parameter.default is None or (parameter.type and not parameter.inferred):
        return parameter
    return replace(parameter, type=found, inferred=True)


def _wider(scope: Scope, functions: list[Function], origins: Mapping[str, str]) -> Scope:
    """With the origins of names that only inferred types mention."""
    texts = [function.returns for function in functions if function.inferred]
    texts += [
        parameter.type for function in functions for parameter in function.parameters if parameter.inferred
    ]
    bound = {*scope.classes, *scope.aliases, *scope.imports, *scope.variables}
    words = {word for text in texts for word in _WORD.findall(text)}
    added = {word: _QUALIFIED[word] for word in words if word in _QUALIFIED and word not in bound}
    added |= origins
    return replace(scope, imports={**scope.imports, **added}) if added else scope
