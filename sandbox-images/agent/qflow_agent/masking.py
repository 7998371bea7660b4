"""Takes a run's secrets out of what it printed and of what it failed with.

It is for accidents: a traceback with a connection string, a library that logs its headers. Code that wants to show a
secret can write it in other words. The items that a function returns are left as they are.
"""

import json
from typing import Any, Callable, Dict, Iterable, List, Set

MASK = "***"
SHORTEST = 4
"""Characters from which on a secret is looked for: a shorter one would stand in ordinary words."""
LINE = 12
"""Characters from which on a line of a secret with many, such as a key in PEM, is looked for too."""

Mask = Callable[[str], str]


def unmasked(text: str) -> str:
    return text


def mask_of(secrets: Iterable[str]) -> Mask:
    """What replaces each of these, also as JSON, an address or base64 has it."""
    forms: Set[str] = set()
    for secret in secrets:
        if len(secret.strip()) >= SHORTEST:
            forms.update(_forms(secret))
    if not forms:
        return unmasked
    import re

    # The longest first: one may begin with another.
    pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))
    return lambda text: pattern.sub(MASK, text)


def masked(value: Any, mask: Mask) -> Any:
    """The value with every text in it masked, and the names in its objects as they are."""
    if mask is unmasked:
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        found: Dict[Any, Any] = {name: masked(inner, mask) for name, inner in value.items()}
        return found
    if isinstance(value, (list, tuple)):
        return [masked(inner, mask) for inner in value]
    return value


def _forms(secret: str) -> List[str]:
    import base64
    from urllib.parse import quote, quote_plus

    bare = secret.strip()
    raw = bare.encode("utf-8", "surrogatepass")
    forms = [bare, json.dumps(bare)[1:-1], json.dumps(bare, ensure_ascii=False)[1:-1], repr(bare)[1:-1]]
    forms += [repr(raw)[2:-1], quote(raw, safe=""), quote(raw), quote_plus(raw)]
    if len(raw) >= 8:
        forms += [
            base64.b64encode(raw).decode().rstrip("="),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
        ]
        forms.append(raw.hex())
    lines = bare.splitlines()
    if len(lines) > 1:
        forms += [
            line.strip() for line in lines if len(line.strip()) >= LINE and not line.startswith("-----")
        ]
    return [form for form in forms if len(form) >= SHORTEST]
