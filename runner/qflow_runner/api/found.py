"""What a definition's code says of what it needs, for the definition to keep."""

from qflow_runner import types
from qflow_runner.analysis import Analysis
from qflow_runner.analysis.stdlib import is_standard
from qflow_runner.definitions import DefinitionRequest, Found

_OWN = "qflow"


def found_in(analysis: Analysis, request: DefinitionRequest) -> Found:
    return Found(
        requirements=tuple(found.requirement for found in analysis.requirements),
        imports=tuple(sorted(filter(_of_package, analysis.imports))),
        takes_files=_takes_files(analysis, request),
    )


def _of_package(module: str) -> bool:
    top = module.partition(".")[0]
    return bool(top) and not is_standard(top) and top != _OWN


def _takes_files(analysis: Analysis, request: DefinitionRequest) -> bool:
    """By its parameters' types; a script may reach for anything that an item has."""
    if analysis.script or request.mode == "script":
        return "binary" in request.code
    name = request.function or analysis.entry
    return any(
        _takes_file(parameter.type, analysis)
        for function in analysis.functions
        if function.name == name
        for parameter in function.parameters
    )


def _takes_file(text: str, analysis: Analysis) -> bool:
    try:
        return types.takes_file(types.parse(text, analysis.scope))
    except types.TypeSyntax:
        return False  # the run says what is wrong with it
