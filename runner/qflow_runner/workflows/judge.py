"""May the items of one Qflow node flow into another? By the rules that bind arguments at run time (design: section 4).

The value of a free parameter is, in this order: the upstream value, for the first one that nothing is mapped to and
if it takes it whole; the field with the parameter's name; the default.
"""

import re
from dataclasses import dataclass

from qflow_runner import types
from qflow_runner.analysis import Parameter
from qflow_runner.types import FITS, Judgement, Type
from qflow_runner.workflows.nodes import Port

# `={{ $json }}`, `={{ $json.total }}`, `={{ $json.order["net price"] }}`: all else is for the run to say.
_EXPRESSION = re.compile(
    r"""^=\s*\{\{\s*\$json((?:\.[A-Za-z_]\w*|\[(?:"[^"\\]*"|'[^'\\]*')\])*)\s*\}\}\s*$"""
)
_STEP = re.compile(r"""\.([A-Za-z_]\w*)|\["([^"]*)"\]|\['([^']*)'\]""")
_READ_FROM_TEXT = frozenset({"str", "int", "float", "bool", "number"})


@dataclass(frozen=True)
class Verdict:
    """The judgement of a link, and what it is about: the parameter that fits worst."""

    judgement: Judgement
    source: str
    target: str
    parameter: str = ""


def judge_link(source: Port, target: Port) -> Verdict:
    """The worst of what the target's parameters meet."""
    gives = source.gives
    said = types.show(gives)
    if source.function is None or target.function is None:
        which = source if source.function is None else target
        return Verdict(_unknown(which), said, "")
    found: list[Verdict] = []
    for parameter, wanted, judgement in _parameters(gives, source, target):
        softened = _softened(judgement, gives, wanted, target)
        if softened.verdict == "incompatible" and _is_inferred(parameter, target):
            softened = Judgement("unchecked", f"judged by inferred types: {softened.reason}", "")
        found.append(Verdict(softened, said, types.show(wanted), parameter))
    if not found:
        return Verdict(FITS, said, "")
    return max(found, key=lambda each: each.judgement.severity)


def _parameters(gives: Type, source: Port, target: Port) -> list[tuple[str, Type, Judgement]]:
    assert target.function is not None  # noqa: S101 - the caller's check, for the type checker
    scope, mapped = target.analysis.scope, target.mapped
    everything = [(each, types.parse(each.type, scope)) for each in target.function.parameters]
    wanted = [(each, kind) for each, kind in everything if not types.is_given(kind)]
    free = [(each, kind) for each, kind in wanted if each.name not in mapped]
    found: list[tuple[str, Type, Judgement]] = []
    for parameter, kind in wanted:
        if parameter.name in mapped:
            judgement = _mapped(gives, mapped[parameter.name], kind)
            if judgement is not None:
                found.append((parameter.name, kind, judgement))
    if not free:
        return found
    first, kind = free[0]
    gathered = types.gathers(kind)
    if target.mode == "all" or (target.mode != "item" and gathered is not None):
        column = _column(gives, first, kind)
        found.append((first.name, kind, column or _all(source, gives, kind, gathered)))
        rest: list[tuple[Parameter, Type]] = []
        for each, other in free[1:]:
            column = _column(gives, each, other)
            if column is not None and (each.required or column.verdict == "incompatible"):
                found.append((each.name, other, column))
            elif column is None and each.required:
                rest.append((each, other))
    else:
        found.append((first.name, kind, _first(gives, first, kind)))
        rest = free[1:]
    found.extend((each.name, other, _by_name(gives, each, other)) for each, other in rest)
    return found


def _all(source: Port, gives: Type, kind: Type, gathered: Type | None) -> Judgement:
    """All items in one call: the result whole, or a list of the values that left the node before."""
    assert source.function is not None  # noqa: S101 - the caller's check, for the type checker
    returned = types.parse(source.function.returns, source.analysis.scope)
    if types.gives(returned) is not None:
        whole = types.judge(returned, kind)
        if whole.verdict in {"assignable", "convertible"}:
            return whole
    if gathered is not None:
        element = _travels(gives, gathered)
        if element.verdict == "incompatible" and types.is_item(gives) is False:
            return _as_value_item(gives, gathered, element)
        if element.verdict != "assignable":
            return element
    listed = types.judge(types.list_of(gives), kind)
    return FITS if gathered is not None and listed.verdict == "incompatible" else listed


def _column(gives: Type, parameter: Parameter, kind: Type) -> Judgement | None:
    """Of all items the field of its name, for a parameter of many values that are no items. None: it takes no column."""
    element = types.gathers(kind)
    if element is None or types.is_item(element) is not False:
        return None
    fields = types.fields_of(gives)
    if fields is None and types.is_item(gives) is True:
        return _fields_unknown(gives)
    found = (fields or {}).get(parameter.name)
    if found is None:
        return None
    judgement = _travels(found.type, element)
    if judgement.verdict == "incompatible" and types.judge(found.type, kind).verdict != "incompatible":
        return Judgement("unchecked", f"the field '{parameter.name}' is taken where there is one item", "")
    return _of_field(judgement, parameter, may_lack=not found.required)


def _first(gives: Type, parameter: Parameter, kind: Type) -> Judgement:
    """The first free parameter: the value whole, else the field of its name."""
    whole = _travels(gives, kind, needed=parameter.required)
    if whole.verdict != "incompatible":
        return whole
    fields = types.fields_of(gives)
    if fields is not None and parameter.name in fields:
        return _by_name(gives, parameter, kind)
    if fields is not None and set(fields) == {"value"}:
        return types.judge(fields["value"].type, kind)
    if types.is_item(gives) is False:
        return _as_value_item(gives, kind, whole)
    if types.is_item(kind) is False or not parameter.required:
        return _by_name(gives, parameter, kind)
    return whole


def _travels(gives: Type, kind: Type, *, needed: bool = True) -> Judgement:
    """A file is no value of its item, but lies beside the fields, for whoever takes one. `needed`: there is no default."""
    if not types.is_file(gives):
        return types.judge(gives, kind)
    if types.takes_file(kind):
        return FITS
    found = types.judge(gives, kind)
    if found.verdict != "incompatible" and types.show(kind) not in _READ_FROM_TEXT:
        return found
    if not needed:
        return FITS
    if found.verdict == "incompatible":
        return found
    return Judgement(
        "incompatible",
        f"a returned {types.show(gives)} is a file, which is no {types.show(kind)}",
        "Take a File, bytes or a Path, or return the text in the function before.",
    )


def _as_value_item(gives: Type, kind: Type, refused: Judgement) -> Judgement:
    """A single value travels as the item {"value": …}, which a dict takes whole and a class by its field."""
    if types.is_item(kind) is not True:
        return refused
    fields = types.fields_of(kind)
    if fields is None:
        return types.judge(types.dict_of(gives), kind)
    if "value" in fields and not any(each.required for name, each in fields.items() if name != "value"):
        return types.judge(gives, fields["value"].type)
    return refused


def _by_name(gives: Type, parameter: Parameter, kind: Type) -> Judgement:
    """A parameter that takes the item's field of its name, or its default."""
    fields = types.fields_of(gives)
    if fields is None:
        if types.is_item(gives) is False:
            fields = {"value": types.Field(gives, required=True)}
        elif parameter.required:
            return _fields_unknown(gives)
        else:
            return FITS
    found = fields.get(parameter.name)
    if found is not None:
        judgement = _travels(found.type, kind, needed=parameter.required)
        return _of_field(judgement, parameter, may_lack=parameter.required and not found.required)
    if not parameter.required:
        return FITS
    names = ", ".join(f"'{name}'" for name in list(fields)[:8])
    return Judgement(
        "incompatible",
        f"the item has no field '{parameter.name}'" + (f", only {names}" if names else ""),
        f"Map a value to '{parameter.name}' in the node, or give the parameter a default.",
    )


def _of_field(judgement: Judgement, parameter: Parameter, *, may_lack: bool) -> Judgement:
    """What is said of the item's field with the parameter's name."""
    if judgement.verdict == "incompatible":
        return judgement.under(f"field '{parameter.name}'")
    return types.unchecked(f"the field '{parameter.name}' may be missing") if may_lack else judgement


def _fields_unknown(gives: Type) -> Judgement:
    return types.unchecked(f"which fields {types.show(gives)} has is seen only when it runs")


def _mapped(gives: Type, value: object, kind: Type) -> Judgement | None:
    """An argument that the node gives: only one that reads the item depends on the link."""
    if not isinstance(value, str):
        return None
    match = _EXPRESSION.match(value)
    if match is None:
        return None
    found = gives
    for step in (next(filter(None, groups), "") for groups in _STEP.findall(match[1])):
        fields = types.fields_of(found)
        if fields is None and types.is_item(found) is False and found is gives and step == "value":
            continue
        if fields is None:
            return _fields_unknown(found)
        if step not in fields:
            names = ", ".join(f"'{name}'" for name in list(fields)[:8])
            return Judgement(
                "incompatible",
                f"{value[1:].strip()} reads the field '{step}', and the item has only {names or 'no fields'}",
                "Choose one of the item's fields in the expression.",
            )
        found = fields[step].type
    return types.judge(found, kind)


def _softened(judgement: Judgement, gives: Type, wanted: Type, target: Port) -> Judgement:
    """What the target's validation lets through is not for a check to refuse."""
    if judgement.verdict != "incompatible":
        return judgement
    if target.validation == "off":
        return Judgement("unchecked", f"validation is off: {judgement.reason}", judgement.suggestion)
    if target.validation == "coerce" and {types.show(gives), types.show(wanted)} <= _READ_FROM_TEXT:
        return Judgement("unchecked", f"{types.show(gives)} is read as {types.show(wanted)} when it runs", "")
    return judgement


def _is_inferred(parameter: str, target: Port) -> bool:
    """Whether the target's type is a guess from a default: ``rate=1`` also takes 1.5."""
    return target.function is not None and any(
        each.inferred for each in target.function.parameters if each.name == parameter
    )


def _unknown(port: Port) -> Judgement:
    if port.missing:
        return Judgement("unchecked", f"'{port.node.name}' {port.missing}", "")
    what = "is a script, which has no types" if port.analysis.script else "has no function that can be judged"
    return Judgement("unchecked", f"'{port.node.name}' {what}", "")
