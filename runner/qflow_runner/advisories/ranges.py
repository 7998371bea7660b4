"""Whether a version is affected, by the OSV schema's rule: listed in `versions`, or inside one of the `ranges`.

Three answers here too: a range that cannot be read makes the answer "unknown", never "no".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from packaging.version import InvalidVersion, Version

Affects = Literal["yes", "no", "unknown"]

_ORDERED = {"ECOSYSTEM", "SEMVER"}
# Of events at one version: what is fixed and introduced anew there is affected, and so is an only affected version.
_EVENTS = {"fixed": 0, "introduced": 1, "last_affected": 2}


@dataclass(frozen=True)
class Match:
    """`fixed_in` are the nearest fixes above the version, whatever the answer; empty where none is known."""

    affects: Affects
    fixed_in: tuple[str, ...] = ()


def parse_version(text: str) -> Version | None:
    """By PEP 440, without the local part: a build `2.1.0+cpu` has the mistakes of 2.1.0."""
    try:
        return Version(Version(text).public)
    except InvalidVersion:
        return None


def match(version: str, versions: Sequence[Any], ranges: Sequence[Any]) -> Match:
    """`versions` and `ranges` as the schema has them; they may hold anything."""
    own = parse_version(version)
    listed = _listed(version, own, versions)
    fixes: list[tuple[Version, str]] = []
    every: list[tuple[Version, str]] = []
    inside = readable = False
    doubtful = not all(isinstance(each, str) for each in versions)
    for each in ranges:
        entry = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        if entry.get("type") == "GIT":
            continue
        found = _Range.read(entry) if entry.get("type") in _ORDERED and own is not None else None
        if found is None or own is None:
            doubtful = True
            continue
        readable = True
        above = [event for event in found.fixes() if event[0] > own]
        every += above
        if found.holds(own):
            inside = True
            fixes += above[:1]
    near = tuple(dict.fromkeys(text for _, text in sorted(fixes or sorted(every)[:1])))
    if listed or inside:
        return Match("yes", near)
    return Match("unknown" if doubtful or not (versions or readable) else "no", near)


def _listed(version: str, own: Version | None, versions: Sequence[Any]) -> bool:
    texts = {each for each in versions if isinstance(each, str)}
    return version in texts or (own is not None and any(parse_version(each) == own for each in texts))


@dataclass(frozen=True)
class _Range:
    events: list[tuple[Version, str, str]]
    limits: list[Version] | None

    @classmethod
    def read(cls, entry: dict[str, Any]) -> "_Range | None":
        """None where an event is not readable: leaving it out could say "no" to what is affected."""
        events: list[tuple[Version, str, str]] = []
        limits: list[Version] = []
        bounded, unbounded = False, False
        given = entry.get("events")
        if not isinstance(given, list) or not given:
            return None
        for each in cast("list[Any]", given):
            if not isinstance(each, dict) or not each:
                return None
            for kind, text in cast("dict[str, Any]", each).items():
                if kind == "limit" and text == "*":
                    unbounded = True
                    continue
                # The schema's "0" is before every version, dev releases of 0 included.
                lowest = kind == "introduced" and text == "0"
                version = parse_version("0.dev0" if lowest else text) if isinstance(text, str) else None
                if version is None or (kind not in _EVENTS and kind != "limit"):
                    return None
                if kind == "limit":
                    bounded = True
                    limits.append(version)
                else:
                    events.append((version, kind, text))
        events.sort(key=lambda event: (event[0], _EVENTS[event[1]]))
        return cls(events, limits if bounded and not unbounded else None)

    def holds(self, version: Version) -> bool:
        if self.limits is not None and not any(version < limit for limit in self.limits):
            return False
        inside = False
        for at, kind, _ in self.events:
            if kind == "introduced" and version >= at:
                inside = True
            elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
                inside = False
        return inside

    def fixes(self) -> list[tuple[Version, str]]:
        return [(at, text) for at, kind, text in self.events if kind == "fixed"]
