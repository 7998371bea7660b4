"""The forms that a type can have. All are immutable and hashable; equal types are equal."""

from dataclasses import dataclass
from functools import cached_property

from qflow_runner.types.scope import ClassInfo, Scope


@dataclass(frozen=True)
class Any:
    """Any, or what is not known. `text` is what was written, where something was."""

    text: str = ""


@dataclass(frozen=True)
class Never:
    pass


@dataclass(frozen=True)
class Name:
    """A class by its canonical name, such as ``int``, ``Iterable`` or ``pandas.DataFrame``, with its arguments."""

    name: str
    args: "tuple[Type, ...]" = ()


@dataclass(frozen=True)
class Union:
    members: "tuple[Type, ...]"


@dataclass(frozen=True)
class Literal:
    """Values as their source text, in the order in which they were written."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Fixed:
    """A tuple of known length."""

    elements: "tuple[Type, ...]"


@dataclass(frozen=True)
class Own:
    """A class of the code itself, which means what its scope says."""

    info: ClassInfo
    scope: Scope
    args: "tuple[Type, ...]" = ()

    @cached_property
    def name(self) -> str:
        return self.info.name


@dataclass(frozen=True)
class Call:
    """A callable. `parameters` is None for any."""

    parameters: "tuple[Type, ...] | None"
    result: "Type"


Type = Any | Never | Name | Union | Literal | Fixed | Own | Call

ANY = Any()
OBJECT = Name("object")
NONE = Name("None")


def union(members: "list[Type] | tuple[Type, ...]") -> Type:
    """The union, flat and without repetitions; a single member is itself."""
    flat: dict[Type, None] = {}
    for member in members:
        for each in member.members if isinstance(member, Union) else (member,):
            flat[each] = None
    flat.pop(Never(), None)
    if not flat:
        return Never()
    return Union(tuple(flat)) if len(flat) > 1 else next(iter(flat))
