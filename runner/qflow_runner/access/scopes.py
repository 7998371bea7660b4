"""What a token is good for.

`run` runs definitions that there are, and moves their files. `read` sees. `edit` changes definitions, saved ones,
workflows and packages, and sees. `admin` may do everything, and alone deals in tokens, keys and the audit log.
"""

from collections.abc import Iterable
from typing import Literal, get_args

from qflow_runner.errors import RequestError

Scope = Literal["run", "read", "edit", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

BUNDLES: dict[str, tuple[Scope, ...]] = {"n8n": ("run", "edit")}
"""Names for what goes together: `n8n` is what the node's credential needs."""

_IMPLIED: dict[Scope, tuple[Scope, ...]] = {
    "run": ("run",),
    "read": ("read",),
    "edit": ("edit", "read"),
    "admin": SCOPES,
}


def expanded(names: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes that these names of scopes and bundles stand for. Raises RequestError for another one, and for none."""
    found: set[Scope] = set()
    for name in names:
        if name in BUNDLES:
            found.update(BUNDLES[name])
        elif name in _IMPLIED:
            found.add(name)
        else:
            raise RequestError(
                f"There is no scope '{name}'.", hint=f"Choose among {', '.join((*SCOPES, *BUNDLES))}."
            )
    if not found:
        raise RequestError(
            "A token without a scope is good for nothing.",
            hint=f"Choose among {', '.join((*SCOPES, *BUNDLES))}.",
        )
    return tuple(scope for scope in SCOPES if scope in found)


def read_scopes(text: str) -> tuple[Scope, ...]:
    """Of a stored token. What another version wrote, and this one does not know, gives nothing."""
    return tuple(scope for scope in SCOPES if scope in text.split())


def effective(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """With those that they imply."""
    return frozenset(implied for scope in scopes for implied in _IMPLIED[scope])
