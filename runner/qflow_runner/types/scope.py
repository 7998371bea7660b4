"""What names mean in one definition's code: its classes, aliases, imports and type variables, all as text."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

ClassKind = Literal["class", "dataclass", "typeddict", "namedtuple", "model", "enum", "protocol", "newtype"]


@dataclass(frozen=True)
class FieldInfo:
    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class ClassInfo:
    """A class as its source says. `values` are an enum's, as literals; the base of a newtype is what it wraps."""

    name: str
    kind: ClassKind
    bases: tuple[str, ...] = ()
    fields: tuple[FieldInfo, ...] = ()
    values: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    @cached_property
    def literals(self) -> tuple[str, ...]:
        """The values in one spelling: a text is the same in either kind of quotes."""
        return tuple(_spelt(value) for value in self.values)

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.bases))


@dataclass(frozen=True, eq=False)
class Scope:
    """Compared by identity: one analysis has one scope, and types are remembered by it."""

    classes: Mapping[str, ClassInfo] = field(default_factory=dict[str, ClassInfo])
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    imports: Mapping[str, str] = field(default_factory=dict[str, str])
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Type variables by name, with their bound; empty without one."""


EMPTY = Scope()


def _spelt(value: str) -> str:
    try:
        return repr(ast.literal_eval(value))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return value
