"""Which fields a class has, and which of them may be absent, by the rules of its kind."""

import ast
from collections.abc import Iterator

from qflow_runner.analysis.functions import annotation
from qflow_runner.analysis.names import Names
from qflow_runner.analysis.source import Source
from qflow_runner.types import FieldInfo

_FIELD_CALLS = frozenset(
    {
        "dataclasses.field",
        "pydantic.Field",
        "pydantic.fields.Field",
        "sqlmodel.Field",
        "attr.ib",
        "attr.attrib",
        "attr.field",
        "attrs.field",
    }
)
_SKIPPED = frozenset({"ClassVar", "InitVar", "KW_ONLY"})


def of_class(node: ast.ClassDef, kind: str, own: str | None, names: Names, source: Source) -> list[FieldInfo]:
    """The fields that the class itself adds: `own` is the kind that it declares, and not inherits."""
    if kind in {"dataclass", "model"}:
        # A subclass of a dataclass that is not decorated itself adds no fields; one of a model does.
        return list(_declared(node, kind, names, source)) if own or kind == "model" else []
    if kind == "typeddict":
        total = _is_total(node)
        return [entry(name, child.annotation, names, source, total=total) for name, child in _annotated(node)]
    if kind == "namedtuple":
        return [
            FieldInfo(name, annotation(child.annotation, source), required=child.value is None)
            for name, child in _annotated(node)
            if own
        ]
    if kind in {"class", "protocol"}:
        return [
            *(
                FieldInfo(name, annotation(child.annotation, source), required=True)
                for name, child in _annotated(node)
            ),
            *_assigned(node, source),
        ]
    return []


def entry(name: str, value: ast.expr, names: Names, source: Source, *, total: bool) -> FieldInfo:
    """An item of a TypedDict, whose ``Required[…]`` or ``NotRequired[…]`` counts for more than its class."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        try:
            inner = ast.parse(value.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            inner = value
        wrapper = _wrapper(inner, names)
        if wrapper and isinstance(inner, ast.Subscript):
            return FieldInfo(name, ast.unparse(inner.slice), required=wrapper == "Required")
        return FieldInfo(name, annotation(value, source), required=total)
    while isinstance(value, ast.Subscript) and (wrapper := _wrapper(value, names)):
        value = value.slice
        if wrapper != "ReadOnly":
            total = wrapper == "Required"
    return FieldInfo(name, annotation(value, source), required=total)


def enum_values(node: ast.ClassDef, names: Names, source: Source) -> tuple[str, ...]:
    """The values of the members as source text; ``auto()`` counts as the enum module counts."""
    kind = next((names.qualified(base).rpartition(".")[2] for base in node.bases), "Enum")
    found: list[str] = []
    last = 0
    for child in node.body:
        if not isinstance(child, ast.Assign) or not isinstance(child.targets[0], ast.Name):
            continue
        name = child.targets[0].id
        if name.startswith("_"):
            continue
        if isinstance(child.value, ast.Call) and names.qualified(child.value.func) == "enum.auto":
            last = (1 << last.bit_length()) if "Flag" in kind else last + 1
            found.append(automatic(kind, name, last))
            continue
        text = source.segment(child.value)
        if isinstance(child.value, ast.Constant) and isinstance(child.value.value, int):
            last = child.value.value
        if text not in found:  # a second name for the same value is no other member
            found.append(text)
    return tuple(found)


def automatic(kind: str, name: str, number: int) -> str:
    return repr(name.lower()) if kind == "StrEnum" else str(number)


def _annotated(node: ast.ClassDef) -> Iterator[tuple[str, ast.AnnAssign]]:
    for child in node.body:
        if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            yield child.target.id, child


def _declared(node: ast.ClassDef, kind: str, names: Names, source: Source) -> Iterator[FieldInfo]:
    for child in node.body:
        if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            name = child.target.id
            hidden = kind == "model" and name.startswith("_")
            if hidden or name == "model_config" or _outer(child.annotation, names) in _SKIPPED:
                continue
            text = annotation(child.annotation, source)
            yield FieldInfo(name, text, required=not _has_default(child.value, names))
        elif isinstance(child, ast.Assign) and isinstance(child.targets[0], ast.Name):
            call = child.value  # attrs without annotations: x = attr.ib(default=1)
            if isinstance(call, ast.Call) and names.qualified(call.func).startswith(("attr.", "attrs.")):
                kinds = [k.value for k in call.keywords if k.arg == "type"]
                text = annotation(kinds[0], source) if kinds else "Any"
                yield FieldInfo(child.targets[0].id, text, required=not _has_default(call, names))


def _has_default(value: ast.expr | None, names: Names) -> bool:
    if value is None:
        return False
    if isinstance(value, ast.Call) and names.qualified(value.func) in _FIELD_CALLS:
        given = [*value.args[:1], *(k.value for k in value.keywords if k.arg == "default")]
        if any(not _is_ellipsis(default) for default in given):
            return True
        return any(
            keyword.arg in {"default_factory", "factory"}
            or (keyword.arg == "init" and isinstance(keyword.value, ast.Constant) and not keyword.value.value)
            for keyword in value.keywords
        )
    return not _is_ellipsis(value)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_total(node: ast.ClassDef) -> bool:
    return not any(
        keyword.arg == "total" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in node.keywords
    )


def _wrapper(node: ast.expr, names: Names) -> str:
    name = _outer(node, names) if isinstance(node, ast.Subscript) else ""
    return name if name in {"Required", "NotRequired", "ReadOnly"} else ""


def _outer(node: ast.expr, names: Names) -> str:
    """The last part of the outermost name: ``ClassVar`` of ``typing.ClassVar[int]``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.partition("[")[0].strip().rpartition(".")[2]
    inner = node.value if isinstance(node, ast.Subscript) else node
    return names.qualified(inner).rpartition(".")[2]


def _assigned(node: ast.ClassDef, source: Source) -> Iterator[FieldInfo]:
    """The attributes that ``__init__`` gives to self, with the type that it says or that a parameter has."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef) and child.name == "__init__":
            arguments = [*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs]
            written = {argument.arg: annotation(argument.annotation, source) for argument in arguments}
            for step in child.body:
                target = step.targets[0] if isinstance(step, ast.Assign) else getattr(step, "target", None)
                if not (isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)):
                    continue
                if target.value.id != "self":
                    continue
                text = annotation(step.annotation, source) if isinstance(step, ast.AnnAssign) else ""
                value = getattr(step, "value", None)
                if not text and isinstance(value, ast.Name):
                    text = written.get(value.id, "")
                yield FieldInfo(target.attr, text, required=True)
