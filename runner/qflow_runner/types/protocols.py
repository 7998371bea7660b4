"""Whether a class has what a protocol asks for."""

import builtins

from qflow_runner.types import forms
from qflow_runner.types.ancestry import ancestors, unknown_base
from qflow_runner.types.forms import Type
from qflow_runner.types.grammar import TypeSyntax, parse
from qflow_runner.types.items import fields_of
from qflow_runner.types.showing import show
from qflow_runner.types.verdicts import FITS, Ask, Judgement, refused, unchecked, worst


def satisfies(source: Type, target: forms.Own, ask: Ask) -> Judgement:
    """Methods by their name, fields by name and type."""
    known = _members(source)
    if known is None or unknown_base(source):
        return unchecked(f"whether {show(source)} has what {target.name} asks for shows when it runs")
    for name in target.info.methods:
        if name not in known:
            return refused(
                f"{show(source)} has no method '{name}', which {target.name} asks for",
                f"Give {show(source)} a method '{name}', or take another type.",
            )
    found: list[Judgement] = []
    fields = fields_of(source) or {}
    for field in target.info.fields:
        if field.name in fields:
            try:
                wanted = parse(field.type, target.scope)
            except TypeSyntax:
                continue
            found.append(ask(fields[field.name].type, wanted).under(f"field '{field.name}'"))
        elif field.name not in known:
            return refused(
                f"{show(source)} has no field '{field.name}', which {target.name} asks for",
                f"Give {show(source)} a field '{field.name}: {field.type}'.",
            )
    return worst([*found, FITS])


def _members(t: Type) -> set[str] | None:
    """Names of what a class has, or None where nobody can say."""
    names: set[str] = set()
    for each in ancestors(t):
        if isinstance(each, forms.Own):
            names |= {*each.info.methods, *(field.name for field in each.info.fields)}
        elif isinstance(each, forms.Fixed):
            names |= set(dir(tuple))
        elif isinstance(each, forms.Name):
            cls = getattr(builtins, each.name, None)
            if isinstance(cls, type):
                names |= set(dir(cls))
            elif "." in each.name:
                return None
        else:
            return None
    return names
