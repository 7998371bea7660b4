"""OSV records: which packages of PyPI they are about, and what of them a person reads.

A record comes from a service or a file and may hold anything; https://ossf.github.io/osv-schema/ says what it should.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast
from urllib.parse import quote

from packaging.utils import InvalidName, canonicalize_name

from qflow_runner.advisories.model import SEVERITIES, Advisory, Severity, worst_severity
from qflow_runner.advisories.ranges import Match, match, parse_version
from qflow_runner.advisories.severity import severity_of

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", re.ASCII)
_SUMMARY = 300
_ALIASES = 100
_FIXES = 20
_PREFERRED = ("PYSEC-", "GHSA-", "MAL-")


@dataclass(frozen=True)
class Affected:
    """What a record says of one package; `versions` and `ranges` are as they came."""

    name: str
    severity: Severity
    versions: list[Any]
    ranges: list[Any]


@dataclass(frozen=True)
class Record:
    """`complete` is False when a package that it is about cannot be read."""

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: Severity
    modified: str
    withdrawn: bool
    complete: bool
    affected: tuple[Affected, ...]

    def judge(self, name: str, version: str) -> tuple[Match, Advisory]:
        """Whether it is about this version of the package, and how to say so."""
        mine = [each for each in self.affected if each.name == name]
        matches = [match(version, each.versions, each.ranges) for each in mine]
        best = Match("no")
        fixes: list[str] = []
        for answer in ("yes", "unknown", "no"):
            chosen = [each for each in matches if each.affects == answer]
            if chosen:
                best = chosen[0]
                fixes = [fix for each in chosen for fix in each.fixed_in]
                break
        severity = worst_severity([self.severity, *(each.severity for each in mine)])
        return best, Advisory(
            self.id, self.aliases, self.summary, severity, in_order(fixes), advisory_url(self.id)
        )


def read_record(raw: Any) -> Record | None:
    """None for what is no record at all."""
    if not isinstance(raw, dict):
        return None
    record = cast("dict[str, Any]", raw)
    name = record.get("id")
    if not is_id(name):
        return None
    complete = True
    affected: list[Affected] = []
    given = record.get("affected", [])
    for each in cast("list[Any]", given) if isinstance(given, list) else [None]:
        entry = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        package = entry.get("package")
        if package is None and entry:
            continue  # about a repository alone
        found = _package(package)
        if found is None:
            complete = False
        elif found:
            versions, ranges = entry.get("versions", []), entry.get("ranges", [])
            readable = isinstance(versions, list) and isinstance(ranges, list)
            affected.append(
                Affected(
                    found,
                    severity_of(entry),
                    cast("list[Any]", versions) if readable else [],
                    cast("list[Any]", ranges) if readable else [None],
                )
            )
    return Record(
        name,
        _aliases(record.get("aliases")),
        _summary(record),
        # A package that is malicious as a whole has no score, and nothing is worse.
        "CRITICAL" if name.startswith("MAL-") else severity_of(record),
        modified if isinstance(modified := record.get("modified"), str) else "",
        isinstance(record.get("withdrawn"), str) and record["withdrawn"] != "",
        complete,
        tuple(affected),
    )


def _package(package: Any) -> str | None:
    """The normalised name; "" for a package of another ecosystem; None where it cannot be read."""
    if not isinstance(package, dict):
        return None
    members = cast("dict[str, Any]", package)
    ecosystem, name = members.get("ecosystem"), members.get("name")
    if not isinstance(ecosystem, str) or not isinstance(name, str):
        return None
    if ecosystem.partition(":")[0] != "PyPI":
        return ""
    return normalised(name)


def normalised(name: str) -> str | None:
    """A project's name by PEP 503, or None for what can be none."""
    try:
        return canonicalize_name(name, validate=True) if len(name) <= 200 else None
    except InvalidName:
        return None


def merged(advisories: Iterable[Advisory]) -> tuple[Advisory, ...]:
    """One for each vulnerability, though several databases tell of it under ids of their own; the worst first."""
    groups: list[tuple[set[str], list[Advisory]]] = []
    for each in advisories:
        ids, members = {each.id, *each.aliases}, [each]
        apart: list[tuple[set[str], list[Advisory]]] = []
        for group in groups:
            if group[0].isdisjoint(ids):
                apart.append(group)
            else:
                ids |= group[0]
                members = group[1] + members
        groups = [*apart, (ids, members)]
    joined = [_joined(ids, members) for ids, members in groups]
    return tuple(sorted(joined, key=lambda each: (SEVERITIES.index(each.severity), each.id)))


def _joined(ids: set[str], members: list[Advisory]) -> Advisory:
    members = sorted(members, key=lambda each: (_preference(each.id), each.id))
    first = members[0]
    return Advisory(
        first.id,
        tuple(sorted(ids - {first.id})),
        next((each.summary for each in members if each.summary), ""),
        worst_severity(each.severity for each in members),
        in_order(fix for each in members for fix in each.fixed_in),
        first.url,
    )


def _preference(name: str) -> int:
    return next((at for at, prefix in enumerate(_PREFERRED) if name.startswith(prefix)), len(_PREFERRED))


def in_order(versions: Iterable[str]) -> tuple[str, ...]:
    """Each once, the lowest first; what is no version by PEP 440 is left out."""
    read = {text: version for text in versions if (version := parse_version(text)) is not None}
    return tuple(sorted(read, key=lambda text: read[text])[:_FIXES])


def advisory_url(name: str) -> str:
    return f"https://osv.dev/vulnerability/{quote(name, safe='')}"


def is_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _aliases(value: Any) -> tuple[str, ...]:
    given: Sequence[Any] = cast("list[Any]", value) if isinstance(value, list) else ()
    return tuple(each for each in given if is_id(each))[:_ALIASES]


def _summary(record: dict[str, Any]) -> str:
    for part in ("summary", "details"):
        text = record.get(part)
        if isinstance(text, str) and text.strip():
            return printable(
                text.strip() if part == "summary" else text.strip().partition("\n\n")[0], _SUMMARY
            )
    return ""


def printable(text: str, limit: int) -> str:
    """On one line, without control characters, at most `limit` long."""
    clean = "".join(each if each.isprintable() else " " for each in text[: limit * 4])
    clean = " ".join(clean.split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
