"""An analysis as the JSON that the API answers and the node reads."""

from dataclasses import asdict
from typing import Any

from qflow_runner.analysis.model import Analysis, Function


def to_json(analysis: Analysis) -> dict[str, Any]:
    return {
        "functions": [_function(function) for function in analysis.functions],
        "entry": analysis.entry,
        "script": analysis.script,
        "imports": list(analysis.imports),
        "requirements": [asdict(requirement) for requirement in analysis.requirements],
        "findings": [asdict(finding) for finding in analysis.findings],
    }


def _function(function: Function) -> dict[str, Any]:
    return {
        "name": function.name,
        "line": function.line,
        "params": [asdict(parameter) for parameter in function.parameters],
        "returns": function.returns,
        "inferred": function.inferred,
        "doc": function.doc,
        "returns_doc": function.returns_doc,
        "async": function.is_async,
        "generator": function.is_generator,
        "signature": function.signature,
    }
