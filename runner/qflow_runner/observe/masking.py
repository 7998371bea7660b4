"""Takes secrets out of what is logged and answered: those that the runner knows, and what looks like one.

It is for accidents. What code in a sandbox wants to give away it can give away in other words.
"""

import re
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

MASK = "***"
SHORTEST = 6
"""Characters from which on a known secret is looked for: a shorter one would stand in ordinary words."""
DEPTH = 6

_FORMS = re.compile(
    r"""
    (?P<token>\bqf_[0-9a-f]{12}_)[A-Za-z0-9_-]{16,}
    | (?P<scheme>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{16,}
    | (?P<url>\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/@:'"]{0,200}:)[^\s/@'"]{1,500}(?=@)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMES = re.compile(
    r"(?i)(?:^|_)(authorization|password|passwd|secret|secrets|token|api_?key|encryption_keys?)$"
)


class _Known:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, texts: Iterable[str]) -> None:
        with self._lock:
            self._texts |= {text for text in texts if len(text) >= SHORTEST}
            ordered = sorted(
                self._texts, key=len, reverse=True
            )  # the longest first: one may begin with another
            self.pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None


_known = _Known()


def remember(*secrets: str) -> None:
    """From now on these are masked wherever they appear, also as they stand in an address."""
    texts = [secret for secret in secrets if secret]
    _known.add([*texts, *(quote(text, safe="") for text in texts)])


def remember_address(url: str) -> None:
    """The password in it, where it has one."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        remember(password)


def masked(text: str) -> str:
    pattern = _known.pattern
    if pattern is not None:
        text = pattern.sub(MASK, text)
    # A search for one rare character costs less than the expression, and most texts have none of them.
    if "qf_" in text or "://" in text or " " in text:
        text = _FORMS.sub(_kept_start, text)
    return text


def masked_value(value: Any, depth: int = DEPTH) -> Any:
    """The value with every text in it masked; what is too deep is left out."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, int | float | None):
        return value
    if depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {
            name: MASK
            if isinstance(name, str) and _NAMES.search(name) and inner
            else masked_value(inner, depth - 1)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [masked_value(inner, depth - 1) for inner in value]
    return masked(str(value))


def mask_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For structlog, behind whatever makes texts of exceptions."""
    for name, value in event.items():
        if not value:
            continue
        if _is_secret(name):
            event[name] = MASK
        elif type(value) not in {int, float, bool}:
            event[name] = masked_value(value)
    return event


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    """Of the fields of events, which are few: they stand in the code."""
    return _NAMES.search(name) is not None


def _kept_start(found: re.Match[str]) -> str:
    return next(start for start in found.groups() if start is not None) + MASK
