"""One row of the audit log, and how it is chained to the one before."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

GENESIS = "0" * 64
"""In place of the hash of what is before the first row."""

_LIMITS = {"runner": 40, "actor": 40, "name": 200, "origin": 100, "action": 60, "object": 400, "outcome": 60}
DETAILS = 4_000
"""Characters of details, as JSON."""


class AuditEntry(NamedTuple):
    """Who did what: `at` is milliseconds since 1970, `details` an object as JSON. Made by `entry_of`."""

    at: int
    runner: str
    actor: str
    name: str
    origin: str
    action: str
    object: str
    outcome: str
    details: str


class AuditRow(NamedTuple):
    """An entry at its place. The fields are the columns of the table."""

    seq: int
    at: int
    runner: str
    actor: str
    name: str
    origin: str
    action: str
    object: str
    outcome: str
    details: str
    hash: str

    @property
    def entry(self) -> AuditEntry:
        return AuditEntry(
            self.at,
            self.runner,
            self.actor,
            self.name,
            self.origin,
            self.action,
            self.object,
            self.outcome,
            self.details,
        )


class ChainEnd(NamedTuple):
    """A place in the chain: the last row, or the last one that was pruned."""

    seq: int
    hash: str


class ChainHead(NamedTuple):
    """What the database says of its chain."""

    last: ChainEnd
    pruned: ChainEnd
    mac: str


def entry_of(at: int, texts: Mapping[str, str], details: Mapping[str, Any]) -> AuditEntry:
    """Cut to size, and in characters that every database takes."""
    told = json.dumps(dict(details), separators=(",", ":"), sort_keys=True, default=str)
    if len(told) > DETAILS:
        told = json.dumps({"cut": told[: DETAILS // 2]}, separators=(",", ":"))
    return AuditEntry(
        at, **{name: _clean(texts.get(name, ""), limit) for name, limit in _LIMITS.items()}, details=told
    )


def chained(before: str, seq: int, entry: AuditEntry) -> AuditRow:
    return AuditRow(seq, *entry, hash=row_hash(before, seq, entry))


def row_hash(before: str, seq: int, entry: AuditEntry) -> str:
    """SHA-256 of the hash before and the row in one way of writing it."""
    canonical = json.dumps([before, seq, *entry], separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _clean(text: str, limit: int) -> str:
    shown = "".join(char if char.isprintable() else "\ufffd" for char in text)
    clean = shown.encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
