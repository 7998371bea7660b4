"""Makes the Kind of any annotation."""

import typing
from typing import Any, Dict, List, Tuple

from qflow_agent.annotations import UNKNOWN, Scope, resolve, written
from qflow_agent.arrays import array, single
from qflow_agent.constraints import limited, limits
from qflow_agent.containers import container
from qflow_agent.frames import table
from qflow_agent.kinds import ANY, Kind, Mismatch, opaque, union
from qflow_agent.records import record
from qflow_agent.scalars import scalar


class KindMaker:
    """Remembers the kinds of classes, so that one that mentions itself is made once. `lax`: see scalars."""

    def __init__(self, lax: bool = False) -> None:
        self._lax = lax
        self._classes: Dict[Tuple[type, str], Kind] = {}

    def make(self, annotation: Any, scope: Scope) -> Kind:
        """ANY for what is not annotated, cannot be resolved, or cannot be checked plainly."""
        try:
            return self._make(annotation, scope)
        except Exception:
            return ANY  # an annotation may be any object at all, and raise when it is looked at

    def _make(self, annotation: Any, scope: Scope) -> Kind:
        metadata: List[Any] = []
        meant = resolve(annotation, scope, metadata)
        if meant is UNKNOWN:
            return ANY
        if not metadata:
            return self._plain(meant, written(annotation), scope)
        kind = self._plain(meant, written(meant), scope)
        found = limits(metadata)
        return limited(kind, found) if found else kind

    def _plain(self, meant: Any, expected: str, scope: Scope) -> Kind:
        if meant is Any or meant is object:
            return ANY
        origin, arguments = typing.get_origin(meant), typing.get_args(meant)
        if origin is None and type(meant).__module__.startswith("numpy."):
            # On Python 3.8, NDArray[…] is made by numpy itself.
            origin, arguments = getattr(meant, "__origin__", None), getattr(meant, "__args__", ())
        if is_union(origin):
            return union(expected, [self.make(member, scope) for member in arguments])
        if is_literal(origin):
            return literal(expected, arguments, lax=self._lax)
        cls = origin if origin is not None else meant
        if not isinstance(cls, type):
            return ANY
        found = container(
            cls, meaningful(arguments), expected, lambda inner: self.make(inner, scope), lax=self._lax
        )
        return (
            found or array(cls, arguments, expected, lax=self._lax) or self._class(cls, arguments, expected)
        )

    def _class(self, cls: type, arguments: Tuple[Any, ...], expected: str) -> Kind:
        key = (cls, expected)
        if key not in self._classes:
            self._classes[key] = (
                single(cls, expected)
                or scalar(cls, expected, self._lax)
                or record(cls, arguments, expected, self.make)
                or table(cls, expected, lax=self._lax)
                or _subclass_of_dict(cls, expected)
                or (ANY if getattr(cls, "_is_protocol", False) else opaque(expected))
            )
        return self._classes[key]


def meaningful(arguments: Tuple[Any, ...]) -> Tuple[Any, ...]:
    """On Python 3.8 a bare ``List`` has a type variable for an argument."""
    return () if all(isinstance(argument, typing.TypeVar) for argument in arguments) else arguments


def is_union(origin: Any) -> bool:
    return origin is typing.Union or getattr(origin, "__name__", "") == "UnionType"


def is_literal(origin: Any) -> bool:
    return origin is getattr(typing, "Literal", ()) or getattr(origin, "_name", "") == "Literal"


def literal(expected: str, values: Tuple[Any, ...], *, lax: bool = False) -> Kind:
    """Takes the values themselves; `lax` also the text of a number or a truth value."""

    def convert(value: Any) -> Any:
        for allowed in values:
            if allowed == value and type(allowed) is type(value):
                return value
        if lax and type(value) in (str, int, float):
            for allowed in values:
                if type(allowed) in (str, int, bool) and str(allowed).lower() == str(value).strip().lower():
                    return allowed
        raise Mismatch(expected, value)

    return Kind(expected, frozenset(), convert)


def _subclass_of_dict(cls: Any, expected: str) -> "typing.Optional[Kind]":
    if not issubclass(cls, dict):
        return None

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch(expected, value)
        return cls(value)

    return Kind(expected, frozenset(), convert, takes_item=True)
