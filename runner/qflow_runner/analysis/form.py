"""An analysis as the JSON that the API answers and the node reads."""

from dataclasses import asdict
from typing import Any

from qflow_runner import types
from qflow_runner.analysis.model import Analysis, Function


def to_json(analysis: Analysis) -> dict[str, Any]:
    return {
        "functions": [_function(function, analysis.scope) for function in analysis.functions],
        "entry": analysis.entry,
        "script": analysis.script,
        "imports": list(analysis.imports),
        "requirements": [asdict(requirement) for requirement in analysis.requirements],
        "findings": [asdict(finding) for finding in analysis.findings],
    }


def _function(function: Function, scope: types.Scope) -> dict[str, Any]:
    # Files, the context and secrets come by themselves: the node has no field for them.
    fields = [each for each in function.parameters if not _is_given(each.type, scope)]
    return {
        "name": function.name,
        "line": function.line,
        "params": [asdict(parameter) for parameter in fields],
        "returns": function.returns,
        "inferred": function.inferred,
        "doc": function.doc,
        "returns_doc": function.returns_doc,
        "async": function.is_async,
        "generator": function.is_generator,
        "signature": function.signature,
    }


def _is_given(written: str, scope: types.Scope) -> bool:
    try:
        return types.is_given(types.parse(written, scope))
    except types.TypeSyntax:
        return False
