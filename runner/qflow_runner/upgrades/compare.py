"""Where two runs' items differ. Plain values in, plain values out; what a guest wrote may be of any shape and size."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SHOWN = 100
"""Differences that are shown; the rest is counted."""

LONGEST = 500
"""Characters of a value, or of a path, that are shown."""

REFERENCE = "$qflow"


class _Nothing:
    """In place of a value where one of the two runs has none."""


NOTHING = _Nothing()

Place = tuple[Any, Any, str]
"""A value of before, the one of after, and their path in the item."""


@dataclass(frozen=True)
class Difference:
    """`before` and `after` are the values, NOTHING where there is none, or the beginning of a long one's JSON."""

    item: int
    path: str
    before: Any
    after: Any


def differences(before: list[Any], after: list[Any]) -> tuple[list[Difference], int]:
    """The first of them in the items' order, and how many more there are. Numbers are compared exactly."""
    found: list[Difference] = []
    more = 0
    for item in range(max(len(before), len(after))):
        left = before[item] if item < len(before) else NOTHING
        right = after[item] if item < len(after) else NOTHING
        for old, new, path in _differing(left, right):
            if len(found) < SHOWN:
                found.append(Difference(item, _cut(path), _shown(old), _shown(new)))
            else:
                more += 1
    return found, more


def _differing(before: Any, after: Any) -> Iterator[Place]:
    """In the order of the item. A list of places to look at, because nesting has no bound that recursion would have."""
    waiting: list[Place] = [(before, after, "")]
    while waiting:
        left, right, path = waiting.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            waiting.extend(reversed(_members(left, right, path)))
        elif isinstance(left, list) and isinstance(right, list):
            waiting.extend(reversed(_elements(left, right, path)))
        elif not _same(left, right):
            yield left, right, path


def _members(left: dict[str, Any], right: dict[str, Any], path: str) -> list[Place]:
    return [
        (left.get(name, NOTHING), right.get(name, NOTHING), _member(path, name))
        for name in (left | right)
        # A reference's id is made up anew each time; what it stands for is in the rest of it.
        if not (name == "ref" and path.endswith(REFERENCE))
    ]


def _elements(left: list[Any], right: list[Any], path: str) -> list[Place]:
    return [
        (
            left[at] if at < len(left) else NOTHING,
            right[at] if at < len(right) else NOTHING,
            f"{path}[{at}]",
        )
        for at in range(max(len(left), len(right)))
    ]


def _member(path: str, name: str) -> str:
    if name.isidentifier() or name == REFERENCE:
        return f"{path}.{name}" if path else name
    return f"{path}[{json.dumps(_cut(name), ensure_ascii=False)}]"


def _same(left: Any, right: Any) -> bool:
    """1 and 1.0 are one number in JSON; true is none."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return left == right and (type(left) is type(right) or (numbers and not _bools(left, right)))


def _bools(*values: Any) -> bool:
    return any(isinstance(value, bool) for value in values)


def _shown(value: Any) -> Any:
    if isinstance(value, _Nothing) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = ""
    try:
        # Written piece by piece, because a large value is not written to be thrown away.
        for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
            text += piece
            if len(text) > LONGEST:
                return _cut(text)
    except RecursionError:
        return _cut(text + " …")
    return value


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
