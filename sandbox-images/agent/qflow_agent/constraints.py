"""Limits that stand beside a type, as in ``Annotated[int, Gt(0)]``.

Known by the names of their attributes, so that those of annotated_types, of pydantic's Field, and of a person's own
class are all read, and none of the packages is imported.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from qflow_agent.kinds import Kind, Mismatch, described


class Limit(NamedTuple):
    must: str
    """What a value must be, for ``must be …``."""
    holds: Callable[[Any], bool]


def limits(metadata: List[Any]) -> List[Limit]:
    """All limits among the metadata of an annotation."""
    found = []
    for entry in metadata:
        nested = getattr(entry, "metadata", None)
        if isinstance(nested, (list, tuple)):  # pydantic's Field keeps its limits one level down
            found += limits(list(nested))
        if isinstance(entry, type):
            continue
        for name, (must, holds) in _KNOWN.items():
            bound = getattr(entry, name, None)
            if bound is not None:
                shown = getattr(bound, "pattern", bound)
                found.append(Limit(must % (shown,), _bind(holds, bound)))
        if type(entry).__name__ == "Predicate" and callable(getattr(entry, "func", None)):
            func = entry.func
            found.append(Limit("accepted by %s" % getattr(func, "__name__", "the predicate"), func))
    return found


def limited(kind: Kind, found: List[Limit]) -> Kind:
    """`kind`, for values that keep all limits. None, where the kind takes it, has no size to limit."""

    def convert(value: Any) -> Any:
        converted = kind.apply(value)
        if converted is not None:
            for limit in found:
                if not _holds(limit, converted):
                    raise Mismatch(
                        kind.expected, value, "must be %s, got %s" % (limit.must, described(value))
                    )
        return converted

    return kind._replace(plain=frozenset(), convert=convert)


def _holds(limit: Limit, value: Any) -> bool:
    try:
        return bool(limit.holds(value))
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return False  # text is not greater than a number, and a number has no length


def _bind(holds: Callable[[Any, Any], bool], bound: Any) -> Callable[[Any], bool]:
    return lambda value: holds(value, bound)


def _multiple(value: Any, step: Any) -> bool:
    if isinstance(value, float) or isinstance(step, float):
        times = value / step
        return bool(abs(times - round(times)) < 1e-9)  # 0.3 is a multiple of 0.1, whatever the last bit says
    return bool(value % step == 0)


def _matches(value: Any, pattern: Any) -> bool:
    import re

    return re.search(pattern, value) is not None


_KNOWN: Dict[str, Tuple[str, Callable[[Any, Any], bool]]] = {
    "gt": ("greater than %s", lambda value, bound: value > bound),
    "ge": ("at least %s", lambda value, bound: value >= bound),
    "lt": ("less than %s", lambda value, bound: value < bound),
    "le": ("at most %s", lambda value, bound: value <= bound),
    "multiple_of": ("a multiple of %s", _multiple),
    "min_length": ("of length %s or more", lambda value, bound: len(value) >= bound),
    "max_length": ("of length %s or less", lambda value, bound: len(value) <= bound),
    "pattern": ("text that matches %s", _matches),
}
