"""The forms that a type can have. All are immutable and hashable; equal types are equal."""

from dataclasses import dataclass
from functools import cached_property

from qflow_runner.types.scope import ClassInfo, Scope

MAX_MEMBERS = 200
"""Of a union; one with more is not known."""


def _hash_once(self: object) -> int:
    """Types are keys everywhere, and deep: each knows its hash after it was asked once."""
    known: int | None = self.__dict__.get("_hash")
    if known is None:
        known = hash(
            (type(self).__name__, *(value for name, value in self.__dict__.items() if name in _FIELDS))
        )
        self.__dict__["_hash"] = known
    return known


_FIELDS = frozenset(
    ["text", "name", "args", "members", "values", "elements", "info", "scope", "parameters", "result"]
)


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

    __hash__ = _hash_once
    name: str
    args: "tuple[Type, ...]" = ()


@dataclass(frozen=True)
class Union:
    __hash__ = _hash_once
    members: "tuple[Type, ...]"


@dataclass(frozen=True)
class Literal:
    """Values as their source text, in the order in which they were written."""

    __hash__ = _hash_once
    values: tuple[str, ...]


@dataclass(frozen=True)
class Fixed:
    """A tuple of known length."""

    __hash__ = _hash_once
    elements: "tuple[Type, ...]"


@dataclass(frozen=True)
class Own:
    """A class of the code itself, which means what its scope says."""

    __hash__ = _hash_once
    info: ClassInfo
    scope: Scope
    args: "tuple[Type, ...]" = ()

    @cached_property
    def name(self) -> str:
        return self.info.name


@dataclass(frozen=True)
class Call:
    """A callable. `parameters` is None for any."""

    __hash__ = _hash_once
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
    if len(flat) > MAX_MEMBERS:
        return ANY
    return Union(tuple(flat)) if len(flat) > 1 else next(iter(flat))
