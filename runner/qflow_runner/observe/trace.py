"""Which trace a run is part of, as W3C Trace Context writes it in the header `traceparent`."""

import re
from dataclasses import dataclass

HEADER = "traceparent"

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST = 512


@dataclass(frozen=True)
class Trace:
    """`span` is whose child comes next. Ids are in hexadecimal, 32 and 16 digits."""

    id: str
    span: str
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.id}-{self.span}-{'01' if self.sampled else '00'}"


def read_trace(header: str | None) -> Trace | None:
    """None for what is no such header: then a trace begins here, as the standard wants it."""
    found = _FORM.fullmatch(header.strip()) if header and len(header) <= _LONGEST else None
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return Trace(trace, span, bool(int(flags, 16) & 1))
