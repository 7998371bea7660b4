"""What the type variables of a generic class stand for, in the class itself and in each of its bases."""

import typing
from typing import Any, Dict, Tuple

Variables = Dict[Any, Any]
"""What each type variable stands for."""


def variables(cls: Any, arguments: Tuple[Any, ...]) -> Dict[Any, Variables]:
    """For `cls[arguments]`: the class and its bases, with the variables that are known in each."""
    found: Dict[Any, Variables] = {}
    _learn(cls, arguments, found)
    return found


def substituted(annotation: Any, known: Variables) -> Any:
    """The annotation with what its variables stand for, those that are known."""
    if isinstance(annotation, typing.TypeVar):
        return known.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if not known or not parameters or typing.get_origin(annotation) is None:
        return annotation
    try:
        return annotation[tuple(known.get(each, each) for each in parameters)]
    except TypeError:
        return annotation  # a variable that stands for several types, or for parameters


def _learn(cls: Any, arguments: Tuple[Any, ...], found: Dict[Any, Variables]) -> None:
    if cls in found:
        return
    names = getattr(cls, "__parameters__", ())
    known: Variables = dict(zip(names, arguments)) if len(names) == len(arguments) else {}
    found[cls] = known
    for base in (*cls.__dict__.get("__orig_bases__", ()), *cls.__bases__):
        origin = typing.get_origin(base) or base
        if not isinstance(origin, type) or origin.__module__ == "typing":
            continue
        _learn(origin, tuple(substituted(each, known) for each in typing.get_args(base)), found)
        if origin not in cls.__mro__:
            # A base of a TypedDict is none of its class: the fields are copied, with their variables.
            known.update({name: meant for name, meant in found[origin].items() if name not in known})
