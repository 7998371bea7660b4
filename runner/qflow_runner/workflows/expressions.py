"""The expressions of n8n that can be followed without n8n: a constant, and a path into the item. No code is run."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

MISSING: Final = object()
"""JavaScript's undefined."""

_WHOLE = re.compile(r"^=\s*\{\{((?:(?!\}\}).)*)\}\}\s*$", re.DOTALL)
_PATH = re.compile(
    r"""^\s*\$json((?:\??\.[A-Za-z_]\w*|\[(?:"[^"\\]*"|'[^'\\]*'|\d{1,9})\])*)\s*$""", re.ASCII
)
_STEP = re.compile(r"""\.([A-Za-z_]\w*)|\["([^"]*)"\]|\['([^']*)'\]|\[(\d+)\]""", re.ASCII)


@dataclass(frozen=True)
class Constant:
    """The same for every item. `text`: no expression was in it, so it is what a person wrote."""

    value: Any
    text: bool = False


@dataclass(frozen=True)
class Path:
    """A place in the item's JSON; no steps: all of it."""

    steps: tuple[str, ...]

    def of(self, json: Any) -> Any:
        """What is there, or MISSING; n8n gives undefined too where a step leads nowhere."""
        found = json
        for step in self.steps:
            found = _at(found, step)
            if found is MISSING:
                return MISSING
        return found


def is_expression(value: object) -> bool:
    return isinstance(value, str) and value.startswith("=")


def read(expression: str) -> Constant | Path | None:
    """What the text, which begins with "=", says; None where only n8n can tell."""
    if "{{" not in expression:
        return Constant(expression[1:], text=True)
    whole = _WHOLE.match(expression)
    if whole is None:
        return None
    path = _PATH.match(whole[1])
    if path is not None:
        return Path(tuple(next(filter(None, groups), "") for groups in _STEP.findall(path[1])))
    try:
        return Constant(json.loads(whole[1], parse_constant=_refuse))
    except (ValueError, RecursionError):
        return None


def _at(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, list):
        if step == "length":
            return len(value)
        return value[int(step)] if step.isdecimal() and int(step) < len(value) else MISSING
    if isinstance(value, str) and step == "length":
        return len(value.encode("utf-16-le", "surrogatepass")) // 2
    return MISSING


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
