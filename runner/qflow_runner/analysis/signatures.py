"""Signatures as text: what the node's function selector shows, and keeps."""

from dataclasses import replace

from qflow_runner.analysis.model import Function, Parameter


def shown(parameter: Parameter) -> str:
    if parameter.type:
        default = "" if parameter.default is None else f" = {parameter.default}"
        return f"{parameter.name}: {parameter.type}{default}"
    return parameter.name if parameter.default is None else f"{parameter.name}={parameter.default}"


def with_types(function: Function, parameters: tuple[Parameter, ...], returns: str) -> Function:
    """The function with types that were inferred, in its signature too."""
    text = function.signature
    at = len(function.name)
    for before, after in zip(function.parameters, parameters, strict=True):
        old, new = shown(before), shown(after)
        if old == new:
            continue
        found = min(
            (place + len(lead) for lead in ("(", ", ") if (place := text.find(lead + old, at)) >= 0),
            default=-1,
        )
        if found >= 0:
            text = text[:found] + new + text[found + len(old) :]
            at = found + len(new)
    inferred = bool(returns) and not function.returns
    if inferred:
        text += f" -> {returns}"
    return replace(
        function,
        parameters=parameters,
        returns=function.returns or returns,
        inferred=inferred,
        signature=text,
    )
