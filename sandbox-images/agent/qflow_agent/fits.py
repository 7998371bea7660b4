"""Kinds for what a function returned: Python objects, where those of parameters are for JSON.

Nothing is converted unless `coerce` says so: an object fits when it is an instance of what the annotation names, and
what it holds fits too. Large lists are judged by the set of their elements' classes.
"""

import collections
import typing
from collections import abc
from typing import Any, Callable, Dict, List, Tuple

from qflow_agent.annotations import UNKNOWN, Scope, many_by_name, resolve, written
from qflow_agent.constraints import limited, limits
from qflow_agent.containers import element_of, is_fixed
from qflow_agent.kinds import ANY, Kind, Mismatch, unchanged, union
from qflow_agent.records import Field, is_typed_dict, record, typed_dict
from qflow_agent.typing_kinds import KindMaker, is_literal, is_union, literal, meaningful

_WIDER: Dict[Any, Tuple[type, ...]] = {
    int: (int,),
    float: (float, int),
    complex: (complex, float, int),
    bytes: (bytes, bytearray, memoryview),
}
"""What else a type checker takes for these. A bool is an int as it is."""

_EXACT: Dict[Any, Tuple[type, ...]] = {int: (int, bool), float: (float, int, bool)}
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping, collections.OrderedDict, collections.defaultdict)
_SIZED = (list, tuple, set, frozenset, collections.deque, abc.KeysView, abc.ValuesView)
_REBUILT = (list, tuple, set, frozenset, collections.deque)
_ABSTRACT = (
    *(abc.Iterable, abc.Collection, abc.Sequence, abc.MutableSequence, abc.Reversible),
    *(abc.Set, abc.MutableSet, abc.Iterator, abc.Generator),
)
_ASYNC = (abc.AsyncIterable, abc.AsyncIterator, abc.AsyncGenerator)


class FitMaker:
    """`coerce`: what does not fit is converted as an argument would be, where it can."""

    def __init__(self, *, coerce: bool = False) -> None:
        self._coerce = coerce
        self._lax = KindMaker(lax=True)
        self._records: Dict[Tuple[type, str], Kind] = {}

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
            return _table(annotation) if many_by_name(annotation) else ANY
        kind = self._plain(meant, written(meant if metadata else annotation), scope)
        found = limits(metadata)
        return limited(kind, found) if found else kind

    def _plain(self, meant: Any, expected: str, scope: Scope) -> Kind:
        origin, arguments = typing.get_origin(meant), meaningful(typing.get_args(meant))
        if is_union(origin):
            return union(expected, [self.make(member, scope) for member in arguments])
        if is_literal(origin):
            return literal(expected, arguments, lax=self._coerce)
        cls = origin if origin is not None else meant
        if not isinstance(cls, type) or cls is object or getattr(cls, "_is_protocol", False):
            return ANY
        if cls is tuple and is_fixed(arguments):
            parts = [] if arguments == ((),) else [self.make(argument, scope) for argument in arguments]
            return self._fixed_tuple(expected, parts)
        if cls in _MAPPINGS:
            return self._mapping(cls, expected, [self.make(argument, scope) for argument in arguments[:2]])
        if cls in _REBUILT or cls in _ABSTRACT or cls in _ASYNC:
            return self._many(cls, expected, self.make(element_of(cls, arguments), scope))
        if is_typed_dict(cls):
            return self._typed_dict(cls, arguments, expected)
        return self._instance(
            cls, expected, self._lax.make(meant, scope).convert if self._coerce else unchanged
        )

    @staticmethod
    def _instance(cls: Any, expected: str, convert: Callable[[Any], Any]) -> Kind:
        accepted = _WIDER.get(cls, (cls,))

        def check(value: Any) -> Any:
            if _is_instance(value, accepted):
                return value
            if convert is not unchanged:
                return convert(value)
            raise Mismatch(expected, value)

        return Kind(expected, frozenset(_EXACT.get(cls, (cls,))), check)

    def _many(self, cls: Any, expected: str, element: Kind) -> Kind:
        convert = self._list_of if self._coerce else None

        def check(value: Any) -> Any:
            if cls in _ASYNC and type(value) is list:
                return value  # its elements were checked as they came
            if not isinstance(value, cls):
                if convert is None or value is None:
                    raise Mismatch(expected, value)
                value = convert(value, cls)
            if element.convert is unchanged or isinstance(value, (str, bytes)):
                return value
            return _checked_all(value, element) if isinstance(value, _SIZED) else value

        plain = frozenset({cls}) if element.convert is unchanged and cls in _REBUILT else frozenset()
        return Kind(expected, plain, check, element=element)

    @staticmethod
    def _list_of(value: Any, cls: Any) -> Any:
        """What was returned in place of a `cls`: another container's elements, or a single one."""
        several = isinstance(value, _SIZED) or hasattr(type(value), "__next__")
        values = list(value) if several else [value]
        if cls in (abc.Iterator, abc.Generator):
            return iter(values)
        return cls(values) if cls in _REBUILT else values

    def _fixed_tuple(self, expected: str, parts: List[Kind]) -> Kind:
        coerce = self._coerce

        def check(value: Any) -> Any:
            if coerce and type(value) is list:
                value = tuple(value)
            if not isinstance(value, tuple) or len(value) != len(parts):
                raise Mismatch(expected, value)
            found = [_apply(part, element, index) for index, (part, element) in enumerate(zip(parts, value))]
            return value if all(map(_same, found, value)) else tuple(found)

        return Kind(expected, frozenset(), check)

    def _mapping(self, cls: Any, expected: str, kinds: List[Kind]) -> Kind:
        key, of_value = kinds if len(kinds) == 2 else (ANY, ANY)
        simple = key.convert is unchanged and of_value.convert is unchanged

        def check(value: Any) -> Any:
            if not isinstance(value, cls):
                raise Mismatch(expected, value)
            if simple or (_all_plain(value, key) and _all_plain(value.values(), of_value)):
                return value
            found = [(_apply(key, name, name), _apply(of_value, part, name)) for name, part in value.items()]
            same = all(a is name and b is part for (a, b), (name, part) in zip(found, value.items()))
            return value if same else dict(found)

        return Kind(expected, frozenset({cls}) if simple else frozenset(), check, takes_item=True)

    def _typed_dict(self, cls: Any, arguments: Tuple[Any, ...], expected: str) -> Kind:
        key = (cls, expected)
        if key not in self._records:
            kind = record(cls, arguments, expected, self.make)
            if kind is None:
                return ANY
            fields: List[Field] = []

            def check(value: Any) -> Any:
                if not fields:
                    fields.extend(typed_dict(cls, arguments, self.make)[1]())
                if isinstance(value, dict) and _fits_fields(value, fields):
                    return value
                # With more words, and conversions where they are wanted.
                exactly = type(value) is dict or not isinstance(value, dict)
                return kind.convert(value if exactly else dict(value))

            self._records[key] = kind._replace(convert=check)
        return self._records[key]


def _checked_all(values: Any, element: Kind) -> Any:
    """`values` itself where every element fits as it is."""
    if _all_plain(values, element):
        return values
    found = [_apply(element, value, index) for index, value in enumerate(values)]
    if all(map(_same, found, values)) or not isinstance(values, _REBUILT):
        return values
    return type(values)(found) if type(values) in _REBUILT else list(found)


def _all_plain(values: Any, kind: Kind) -> bool:
    return kind.convert is unchanged or kind.plain.issuperset(map(type, values))


def _apply(kind: Kind, value: Any, step: Any) -> Any:
    try:
        return kind.apply(value)
    except Mismatch as mismatch:
        raise mismatch.at(step if isinstance(step, int) else str(step)) from None


def _fits_fields(value: Dict[str, Any], fields: List[Field]) -> bool:
    """Whether every field is there and fits as it is."""
    for name, _, required, kind in fields:
        if name not in value:
            if required:
                return False
        elif type(value[name]) not in kind.plain and kind.convert is not unchanged:
            try:
                if kind.convert(value[name]) is not value[name]:
                    return False
            except Mismatch:
                return False
    return True


def _same(one: Any, other: Any) -> bool:
    return one is other


def _is_instance(value: Any, classes: Tuple[type, ...]) -> bool:
    try:
        if isinstance(value, classes):
            return True
        # numpy's scalars count as the Python value that they hold.
        return type(value).__module__ == "numpy" and value.shape == () and isinstance(value.item(), classes)
    except (TypeError, AttributeError):
        return type(value).__module__ != "numpy"  # a class that cannot be asked: unchecked


def _table(annotation: str) -> Kind:
    """A DataFrame whose package only a type checker imports: known by its name."""

    def check(value: Any) -> Any:
        if any(base.__name__ == "DataFrame" for base in type(value).__mro__):
            return value
        raise Mismatch(annotation, value)

    return Kind(annotation, frozenset(), check)
