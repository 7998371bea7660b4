"""Into and out of the classes that the code itself defines."""

from qflow_runner.types import forms
from qflow_runner.types.ancestry import ancestors, as_class, unknown_base
from qflow_runner.types.forms import ANY, OBJECT, Type
from qflow_runner.types.grammar import parse
from qflow_runner.types.items import fields_of
from qflow_runner.types.protocols import satisfies
from qflow_runner.types.refusals import class_of, no_way
from qflow_runner.types.showing import a, show
from qflow_runner.types.verdicts import FITS, Ask, Judgement, best, converts, refused, unchecked, worst


def into_own(source: Type, target: forms.Own, ask: Ask) -> Judgement:
    """Into a class of the code's own."""
    info = target.info
    if info.kind == "newtype":
        return _to_newtype(source, target, ask)
    for each in ancestors(source):
        if isinstance(each, forms.Own) and each.info == info and not _differs(each, target, ask):
            return FITS
    if info.kind == "protocol":
        return satisfies(source, target, ask)
    if info.kind == "enum":
        return _to_enum(source, target, ask)
    wanted = fields_of(target)
    if wanted is None:
        return unchecked(unclear(source)) if unknown_base(source) else no_way(source, target)
    given = fields_of(source)
    if given is not None:
        return _fields(source, target, ask)
    mapping = as_class(source, "Mapping")
    if mapping is not None:
        return _dict_to_record(mapping, target, ask)
    if isinstance(source, forms.Fixed) and info.kind == "namedtuple":
        return converts(f"the tuple is built into {a(target.name)}")
    return unchecked(unclear(source)) if unknown_base(source) else no_way(source, target)


def _differs(source: forms.Own, target: forms.Own, ask: Ask) -> bool:
    """Whether two classes that read the same mean something else: a field of theirs, or an argument."""
    if len(source.args) == len(target.args) and any(
        ask(a, b).severity for a, b in zip(source.args, target.args, strict=True)
    ):
        return True
    if source.scope is target.scope:
        return False
    given, wanted = fields_of(source), fields_of(target)
    if given is None or wanted is None:
        return False
    return any(ask(given[name].type, wanted[name].type).severity for name in wanted if name in given)


def _to_newtype(source: Type, target: forms.Own, ask: Ask) -> Judgement:
    if isinstance(source, forms.Own) and source.info == target.info:
        return FITS
    wraps = parse(target.info.bases[0], target.scope) if target.info.bases else ANY
    judgement = ask(source, wraps)
    return (
        converts(f"the value is taken as {a(target.name)}")
        if judgement.verdict == "assignable"
        else judgement
    )


def _to_enum(source: Type, target: forms.Own, ask: Ask) -> Judgement:
    values = target.info.literals
    if not values:
        return unchecked(f"the values of {target.name} show when it runs")
    kinds = {class_of(value) for value in values}
    # A text may also be a member's name.
    if as_class(source, "str") is not None or any(ask(source, kind).severity == 0 for kind in kinds):
        if isinstance(source, forms.Own) and source.info.kind == "enum" and source.info.literals:
            outside = [value for value in source.info.literals if value not in values]
            if outside:
                return refused(
                    f"{outside[0]} is no value of {target.name}", f"Give both the values of {target.name}."
                )
        return converts(f"the value is read as {a(target.name)}")
    if isinstance(source, forms.Own) and source.info.kind == "enum":
        if source.info.literals and set(source.info.literals) <= set(values):
            return converts(f"the value is read as {a(target.name)}")
        return refused(
            f"{source.name} has other values than {target.name}", f"Give both the values of {target.name}."
        )
    return no_way(source, target)


def _fields(source: Type, target: forms.Own, ask: Ask) -> Judgement:
    """From one class with fields into another: each field that the target needs must be there, and fit."""
    given, wanted = fields_of(source) or {}, fields_of(target) or {}
    found: list[Judgement] = []
    for name, field in wanted.items():
        if name in given:
            judgement = ask(given[name].type, field.type).under(f"field '{name}'")
            if field.required and not given[name].required and judgement.severity < 2:
                judgement = unchecked(f"field '{name}' may be missing")
            found.append(judgement)
        elif field.required:
            return refused(
                f"field '{name}' of {target.name} is missing",
                f"Give {show(source)} a field '{name}: {show(field.type)}', or {target.name} a default for it.",
            )
    judgement = worst(found)
    same_kind = isinstance(source, forms.Own) and source.info.kind == target.info.kind == "typeddict"
    if judgement.verdict == "assignable" and not same_kind:
        return converts(f"the fields of {show(source)} are built into {a(target.name)}")
    return judgement


def _dict_to_record(source: forms.Name, target: forms.Own, ask: Ask) -> Judgement:
    values = source.args[1] if len(source.args) == 2 else ANY
    if isinstance(values, forms.Any) or values == OBJECT:
        return converts(f"the dict is built into {a(target.name)}, if it has its fields")
    # Of mixed values, one kind that fits is enough for a field.
    kinds = values.members if isinstance(values, forms.Union) else (values,)
    parts = [
        best(ask(kind, field.type) for kind in kinds).under(f"field '{name}'")
        for name, field in (fields_of(target) or {}).items()
        if field.required
    ]
    judgement = worst(parts)
    return (
        judgement
        if judgement.severity > 1
        else converts(f"the dict is built into {a(target.name)}, if it has its fields")
    )


def out_of_own(source: forms.Own, target: forms.Name, ask: Ask) -> Judgement:
    """Out of a class of the code's own, which crosses the link as its data."""
    info = source.info
    if info.kind == "newtype" and info.bases:
        return ask(parse(info.bases[0], source.scope), target)
    if info.kind == "enum" and info.literals:
        judgement = worst(ask(class_of(value), target) for value in info.literals)
        if judgement.severity <= 1:
            return converts(f"{a(source.name)} is written as its value")
    fields = fields_of(source)
    mapping = as_class(forms.Name("dict", target.args), target.name)
    if fields is not None and mapping is not None:
        values = mapping.args[1] if len(mapping.args) == 2 else ANY
        parts = [ask(each.type, values).under(f"field '{name}'") for name, each in fields.items()]
        judgement = worst(parts)
        if judgement.severity > 1:
            return judgement
        if info.kind == "typeddict" and judgement.severity == 0:
            return FITS
        return converts(f"the fields of {source.name} become a dict")
    if unknown_base(source):
        return unchecked(unclear(source))
    return no_way(source, target)


def unclear(source: Type) -> str:
    return f"{show(source)} derives from a class that is not known here"
