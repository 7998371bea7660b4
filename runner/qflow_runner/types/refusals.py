"""What a refusal says, and the nearest way to mend it."""

from qflow_runner.types import forms
from qflow_runner.types.forms import NONE, Type
from qflow_runner.types.showing import a, show
from qflow_runner.types.verdicts import Judgement, refused


def no_way(source: Type, target: Type) -> Judgement:
    return refused(f"{show(source)} cannot become {show(target)}", fix(source, target))


def fix(source: Type, target: Type) -> str:
    if source == NONE:
        return f"Return {a(show(target))}, or take {show(target)} | None."
    if target == forms.Name("str"):
        return "Turn it into text in the function before, with str(value), or take " + show(source) + "."
    from_name = source.name if isinstance(source, forms.Name) else ""
    to_name = target.name if isinstance(target, forms.Name) else ""
    if to_name in {"int", "float"} and from_name in {"str", "float", "Decimal"}:
        return f"Convert it in the function before, with {to_name}(value), or set Validation to coerce."
    return f"Return {show(target)} in the node before, or take {show(source)} here."


def class_of(literal: str) -> Type:
    if literal in {"True", "False"}:
        return forms.Name("bool")
    if literal == "None":
        return NONE
    first = literal[:1]
    return forms.Name("str" if first in "'\"" else "bytes" if first == "b" else "int")
