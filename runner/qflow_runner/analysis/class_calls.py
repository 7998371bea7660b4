"""Classes and type variables that are made by a call: ``Point = NamedTuple("Point", [("x", int)])``."""

import ast
from collections.abc import Iterator

from qflow_runner.analysis import fields
from qflow_runner.analysis.functions import annotation
from qflow_runner.analysis.names import Names
from qflow_runner.analysis.source import Source
from qflow_runner.types import ClassInfo, FieldInfo

_TYPING = ("typing", "typing_extensions")
_VARIABLES = frozenset(f"{m}.{n}" for m in _TYPING for n in ("TypeVar", "ParamSpec", "TypeVarTuple"))
_ENUMS = frozenset(f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"))


def is_variable(call: ast.Call, names: Names) -> bool:
    return names.qualified(call.func) in _VARIABLES


def bound_of(call: ast.Call, source: Source) -> str:
    """The bound of a TypeVar as text; a union where it has constraints; empty where it has neither."""
    for keyword in call.keywords:
        if keyword.arg == "bound":
            return annotation(keyword.value, source)
    return " | ".join(annotation(constraint, source) for constraint in call.args[1:])


def read(name: str, call: ast.Call, names: Names, source: Source) -> ClassInfo | None:
    """None for a call that makes no class."""
    maker = names.qualified(call.func)
    short = maker.rpartition(".")[2]
    arguments = call.args[1:]
    if maker in {f"{module}.NewType" for module in _TYPING} and arguments:
        return ClassInfo(name, "newtype", bases=(annotation(arguments[0], source),))
    if maker in {f"{module}.TypedDict" for module in _TYPING}:
        return ClassInfo(name, "typeddict", bases=(short,), fields=tuple(_typed_dict(call, names, source)))
    if maker in {f"{module}.NamedTuple" for module in _TYPING}:
        found = tuple(_pairs(arguments[0], source)) if arguments else ()
        return ClassInfo(name, "namedtuple", bases=(short,), fields=found)
    if maker == "collections.namedtuple" and arguments:
        return ClassInfo(name, "namedtuple", fields=tuple(_named_tuple(call)))
    if maker in _ENUMS and arguments:
        return ClassInfo(name, "enum", bases=(short,), values=tuple(_members(arguments[0], short, source)))
    return None


def _typed_dict(call: ast.Call, names: Names, source: Source) -> Iterator[FieldInfo]:
    total = True
    given: list[tuple[str, ast.expr]] = []
    for keyword in call.keywords:
        if keyword.arg == "total":
            total = not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        elif keyword.arg not in {None, "closed", "extra_items"}:
            given.append((str(keyword.arg), keyword.value))
    for argument in call.args[1:2]:
        if isinstance(argument, ast.Dict):
            given += [
                (key.value, value)
                for key, value in zip(argument.keys, argument.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            ]
    for name, value in given:
        yield fields.entry(name, value, names, source, total=total)


def _pairs(node: ast.expr, source: Source) -> Iterator[FieldInfo]:
    for pair in node.elts if isinstance(node, ast.List | ast.Tuple) else ():
        if isinstance(pair, ast.Tuple | ast.List) and len(pair.elts) == 2:
            name = _text(pair.elts[0])
            if name:
                yield FieldInfo(name, annotation(pair.elts[1], source), required=True)


def _named_tuple(call: ast.Call) -> Iterator[FieldInfo]:
    names = _words(call.args[1])
    defaults = 0
    for keyword in call.keywords:
        if keyword.arg == "defaults" and isinstance(keyword.value, ast.Tuple | ast.List):
            defaults = len(keyword.value.elts)
    for at, name in enumerate(names):
        yield FieldInfo(name, "Any", required=at < len(names) - defaults)


def _members(node: ast.expr, kind: str, source: Source) -> Iterator[str]:
    if isinstance(node, ast.Dict):
        yield from (source.segment(value) for value in node.values)
        return
    names = _words(node)
    if not names and isinstance(node, ast.List | ast.Tuple):
        for pair in node.elts:
            if isinstance(pair, ast.Tuple | ast.List) and len(pair.elts) == 2:
                yield source.segment(pair.elts[1])
    for at, name in enumerate(names):
        yield fields.automatic(kind, name, at + 1 if "Flag" not in kind else 1 << at)


def _words(node: ast.expr) -> list[str]:
    """``"x y"``, ``"x, y"`` and ``["x", "y"]``."""
    if isinstance(node, ast.List | ast.Tuple):
        return [text for text in map(_text, node.elts) if text]
    return _text(node).replace(",", " ").split()


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
