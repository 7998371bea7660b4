"""Kinds of lists, tuples, sets, dicts and tables."""

import collections
import typing
from collections import abc
from typing import Any, Callable, List, Optional, Tuple

from qflow_agent.annotations import UNKNOWN
from qflow_agent.kinds import ANY, Kind, Mismatch, unchanged

_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection, abc.Reversible)
_ITERATORS = (abc.Iterator, abc.Generator)
_SETS = {set: set, frozenset: frozenset, abc.Set: frozenset, abc.MutableSet: set}
_DICTS = (dict, abc.Mapping, abc.MutableMapping)

_LIST = frozenset({list})
_DICT = frozenset({dict})


def container(
    cls: Any, arguments: Tuple[Any, ...], expected: str, kind: Callable[[Any], Kind], *, lax: bool = False
) -> Optional[Kind]:
    """The kind of a generic container, or None; `kind` makes the kinds of its arguments.

    `lax` takes a single value for a list of one.
    """
    if cls in _DICTS or cls in (collections.OrderedDict, collections.defaultdict):
        return _dict(cls, [kind(argument) for argument in arguments[:2]], expected)
    if cls is tuple and is_fixed(arguments):
        return _fixed_tuple(
            [] if arguments == ((),) else [kind(argument) for argument in arguments], expected
        )
    element = kind(element_of(cls, arguments))
    if cls in _LISTS:
        return _many(element, expected, unchanged, lax=lax)
    if cls in _ITERATORS:
        return _many(element, expected, iter, lax=lax)
    if cls is tuple:
        return _many(element, expected, tuple, lax=lax)
    if cls is collections.deque:
        return _many(element, expected, collections.deque, lax=lax)
    return _many(element, expected, _SETS[cls], lax=lax) if cls in _SETS else None


def is_fixed(arguments: Tuple[Any, ...]) -> bool:
    """Whether these are the elements of a tuple one by one: not ``int, ...``, and no ``*Ts`` among them."""
    return bool(arguments) and arguments[-1] is not Ellipsis and not any(map(_is_unpacked, arguments))


def element_of(cls: Any, arguments: Tuple[Any, ...]) -> Any:
    """The annotation of each element; UNKNOWN also for a tuple of several that are not counted."""
    uncounted = cls is tuple and arguments[-1:] != (Ellipsis,)
    return UNKNOWN if uncounted or not arguments else arguments[0]


def _is_unpacked(argument: Any) -> bool:
    return getattr(argument, "__unpacked__", False) or "Unpack" in repr(typing.get_origin(argument))


def _many(element: Kind, expected: str, make: Callable[[Any], Any], *, lax: bool) -> Kind:
    def convert(value: Any) -> Any:
        if type(value) is not list:
            if not lax or value is None:
                raise Mismatch(expected, value)
            value = [value]
        rows = _convert_all(value, element)
        try:
            return make(rows)
        except (TypeError, ValueError) as error:
            # A set of dicts, or rows that are no table.
            raise Mismatch(expected, value, "%s: %s" % (type(error).__name__, error)) from None

    plain = _LIST if make is unchanged and element.convert is unchanged else frozenset()
    return Kind(expected, plain, convert, element=element)


def _convert_all(values: List[Any], kind: Kind) -> List[Any]:
    if kind.convert is unchanged or kind.plain.issuperset(map(type, values)):
        return values
    converted = []
    for index, value in enumerate(values):
        try:
            converted.append(kind.apply(value))
        except Mismatch as error:
            raise error.at(index) from None
    return converted


def _fixed_tuple(kinds: List[Kind], expected: str) -> Kind:
    def convert(value: Any) -> Any:
        if type(value) is not list or len(value) != len(kinds):
            raise Mismatch(expected, value)
        converted = []
        for index, (kind, part) in enumerate(zip(kinds, value)):
            try:
                converted.append(kind.apply(part))
            except Mismatch as error:
                raise error.at(index) from None
        return tuple(converted)

    return Kind(expected, frozenset(), convert)


def _dict(cls: Any, kinds: List[Kind], expected: str) -> Kind:
    make = collections.OrderedDict if cls is collections.OrderedDict else unchanged
    key, value_kind = kinds if len(kinds) == 2 else (ANY, ANY)
    simple = value_kind.convert is unchanged and (key.convert is unchanged or str in key.plain)
    numeric = int in key.plain and str not in key.plain

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch(expected, value)
        if simple:
            return make(value)
        converted = {}
        for name, part in value.items():
            try:
                # JSON has no other keys than strings: the digits of an int key stand for it.
                name_converted = int(name) if numeric and name.lstrip("-").isdigit() else key.apply(name)
                converted[name_converted] = value_kind.apply(part)
            except Mismatch as error:
                raise error.at(name) from None
        return make(converted)

    return Kind(expected, _DICT if simple and make is unchanged else frozenset(), convert, takes_item=True)
