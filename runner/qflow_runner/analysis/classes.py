"""The classes of a node's code, with the fields that their values have."""

import ast
from typing import Literal

from qflow_runner.analysis import class_calls, fields
from qflow_runner.analysis.functions import annotation
from qflow_runner.analysis.names import Names
from qflow_runner.analysis.source import Source
from qflow_runner.analysis.syntax import Tree
from qflow_runner.types import ClassInfo, FieldInfo

Kind = Literal["class", "dataclass", "typeddict", "namedtuple", "model", "enum", "protocol", "newtype"]

_BASES: dict[str, Kind] = {
    "pydantic.BaseModel": "model",
    "pydantic.RootModel": "model",
    "pydantic.main.BaseModel": "model",
    "pydantic_settings.BaseSettings": "model",
    "sqlmodel.SQLModel": "model",
    "typing.TypedDict": "typeddict",
    "typing_extensions.TypedDict": "typeddict",
    "typing.NamedTuple": "namedtuple",
    "typing_extensions.NamedTuple": "namedtuple",
    "typing.Protocol": "protocol",
    "typing_extensions.Protocol": "protocol",
    **dict.fromkeys(
        (f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "ReprEnum")), "enum"
    ),
}
_DATACLASS = frozenset(
    {
        "dataclasses.dataclass",
        "pydantic.dataclasses.dataclass",
        *(
            f"attr.{name}"
            for name in ("s", "attrs", "define", "frozen", "mutable", "dataclass", "attributes")
        ),
        *(f"attrs.{name}" for name in ("define", "frozen", "mutable")),
    }
)
_INHERITED: frozenset[Kind] = frozenset({"dataclass", "typeddict", "namedtuple", "model", "enum"})
_PROPERTIES = frozenset({"property", "functools.cached_property", "abc.abstractproperty"})


class Classes:
    """Reads each class once, the bases before what inherits from them."""

    def __init__(self, tree: Tree, names: Names, source: Source) -> None:
        self._tree = tree
        self._names = names
        self._source = source
        self._found: dict[str, ClassInfo] = {}
        self._open: set[str] = set()

    def all(self) -> dict[str, ClassInfo]:
        for name in list(self._names.bound):
            self.get(name)
        return self._found

    def get(self, name: str) -> ClassInfo | None:
        if name in self._found:
            return self._found[name]
        binding = self._names.bound.get(name)
        if binding is None or name in self._open:  # a class that inherits from itself
            return None
        self._open.add(name)
        try:
            if isinstance(binding.node, ast.ClassDef) and binding.kind == "class":
                self._read(name, binding.node)
            elif isinstance(binding.value, ast.Call):
                called = class_calls.read(name, binding.value, self._names, self._source)
                if called is not None:
                    self._found[name] = called
        finally:
            self._open.discard(name)
        return self._found.get(name)

    def _read(self, name: str, node: ast.ClassDef) -> None:
        bases = [base for base in (self.get(text) for text in self._base_names(node)) if base is not None]
        kind = self._kind(node, bases)
        found: dict[str, FieldInfo] = {}
        methods: dict[str, None] = {}
        for base in reversed(bases):
            found |= {field.name: field for field in base.fields}
            methods |= dict.fromkeys(base.methods)
        found |= {
            field.name: field
            for field in fields.of_class(node, kind, self._own_kind(node), self._names, self._source)
        }
        for child in node.body:
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                if self._is_property(child):
                    text = annotation(child.returns, self._source)
                    if kind in {"class", "protocol"}:
                        found[child.name] = FieldInfo(child.name, text, required=True)
                else:
                    methods[child.name] = None
            elif isinstance(child, ast.ClassDef):
                self._read(f"{name}.{child.name}", child)
        values: tuple[str, ...] = ()
        if kind == "enum":
            found = {}
            inherited = tuple(value for base in bases for value in base.values)
            values = inherited + fields.enum_values(node, self._names, self._source)
        self._found[name] = ClassInfo(
            name=name,
            kind=kind,
            bases=tuple(self._source.segment(base) for base in node.bases),
            fields=tuple(found.values()),
            values=values,
            methods=tuple(methods),
            parameters=self._parameters(node),
        )

    def _base_names(self, node: ast.ClassDef) -> list[str]:
        return [self._names.qualified(_unsubscripted(base)) for base in node.bases]

    def _own_kind(self, node: ast.ClassDef) -> Kind | None:
        """What the class itself says it is, not what it inherits."""
        for decorator in node.decorator_list:
            maker = decorator.func if isinstance(decorator, ast.Call) else decorator
            if self._names.qualified(maker) in _DATACLASS:
                return "dataclass"
        for name in self._base_names(node):
            if name in _BASES:
                return _BASES[name]
        return None

    def _kind(self, node: ast.ClassDef, bases: list[ClassInfo]) -> Kind:
        own = self._own_kind(node)
        if own is not None:
            return own
        inherited: list[Kind] = [base.kind for base in bases if base.kind in _INHERITED]
        return inherited[0] if inherited else "class"

    def _is_property(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        return any(self._names.qualified(decorator) in _PROPERTIES for decorator in node.decorator_list)

    def _parameters(self, node: ast.ClassDef) -> tuple[str, ...]:
        """``class Box[T]`` and ``class Box(Generic[T])`` alike."""
        declared = self._tree.parameters.get((node.lineno, node.col_offset))
        if declared is not None:
            return tuple(parameter.name for parameter in declared)
        found: dict[str, None] = {}
        for base in node.bases:
            if isinstance(base, ast.Subscript):
                for part in ast.walk(base.slice):
                    if isinstance(part, ast.Name) and self._is_variable(part.id):
                        found[part.id] = None
        return tuple(found)

    def _is_variable(self, name: str) -> bool:
        binding = self._names.bound.get(name)
        call = binding.value if binding is not None else None
        return isinstance(call, ast.Call) and class_calls.is_variable(call, self._names)


def _unsubscripted(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Subscript) else node
