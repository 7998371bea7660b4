"""What classes are called by those who use them: a package often defines a class elsewhere than it offers it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qflow_runner.analysis.foreign import CODE, KNOWN
from qflow_runner.analysis.stdlib import is_standard
from qflow_runner.types import Scope
from qflow_runner.types.names import CANONICAL

_MOST = 60
"""Of the code's own imports."""
_CLASS = re.compile(r"type\[([A-Za-z_][\w.]*)")


@dataclass(frozen=True)
class Public:
    name: str
    expression: str
    module: str
    """To be imported for it; empty where the code has done so."""


def public_names(scope: Scope) -> tuple[Public, ...]:
    """Names to ask the checker about: those of the type system in packages that the code imports, and its imports."""
    tops = {name.partition(".")[0] for name in scope.imports.values()}
    known = sorted(name for name in KNOWN if name.partition(".")[0] in tops)
    own = [
        Public(CANONICAL.get(name, name), f"{CODE}.{local}", "")
        for local, name in scope.imports.items()
        if "." in name and not name.startswith(".") and not is_standard(name.partition(".")[0])
    ]
    return (*(Public(name, name, name.rpartition(".")[0]) for name in known), *own[:_MOST])


def called_by_users(shown: Iterable[tuple[Public, str]]) -> dict[str, str]:
    """By the name that the checker has for a class. What is no class is left out."""
    found: dict[str, str] = {}
    for public, text in shown:
        match = _CLASS.match(text)
        if match is not None and "." in match[1]:
            found.setdefault(match[1], public.name)
    return found
