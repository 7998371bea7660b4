"""What uv said of a failure, in the words of the person's own requirement lines."""

import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name

from qflow_runner.errors import (
    BuildFailed,
    BuildKilled,
    DependencyError,
    HashMismatch,
    IndexRefused,
    IndexUnavailable,
    LayerDiskFull,
    LayerTooLarge,
    PackagePython,
    PackageUnknown,
    RequirementsConflict,
    VersionMissing,
    VersionYanked,
    WheelMissing,
)
from qflow_runner.layers.lines import shown
from qflow_runner.layers.near import STAND_INS, did_you_mean
from qflow_runner.layers.uv import Ran

LAST_LINES = 12

_NAME = r"([A-Za-z0-9][A-Za-z0-9._\-]*)"
_SPEC = r"(?:\[[^\]]*\])?(?:[<>=!~]=?=?[^\s,]*(?:,[<>=!~][^\s,]*)*)?"
_UNKNOWN = re.compile(
    _NAME + r" was not found in (?:the|a) (?:package registry|provided package locations|cache)"
)
_YANKED = re.compile(_NAME + _SPEC + r" (?:was|is|were) yanked(?: \(reason: (.*?)\))?")
_PYTHON = re.compile(_NAME + _SPEC + r" depends? on Python\s?([<>=!~][^\s,]*(?:,[<>=!~][^\s,]*)*)")
_NO_WHEEL = re.compile(
    _NAME + _SPEC + r" (?:has|have) no (?:usable )?(?:wheels|source distribution|.*?built distribution)"
)
_NO_VERSION = re.compile(r"there (?:is|are) no versions? of " + _NAME)
_ONLY = re.compile(r"only (?:the following versions of )?" + _NAME + _SPEC + r" (?:is|are) available")
_DEPENDS = re.compile(
    r"((?:all versions of )?" + _NAME + _SPEC + r") depends? on (?!Python)" + _NAME + r"(" + _SPEC + r")"
)
_AVAILABLE = re.compile(
    r"we only found wheels for .*? with the following (Python ABI|Python|platform) tags?: (.*)"
)
_PLATFORM = re.compile(r"Wheels are available for .*? on the following platforms?: (.*)")
_NETWORK = re.compile(
    r"Failed to fetch|error sending request|dns error|tcp connect error|Connection (?:refused|reset)|timed out|status server error"
    r"|Network connectivity is disabled|connection closed before",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"\b(401 Unauthorized|403 Forbidden|407 Proxy)", re.IGNORECASE)
_FULL = re.compile(r"No space left on device|os error 28\b|Disk quota exceeded|os error 122\b")


def explain(
    ran: Ran, names: Mapping[str, str], python: str, platform: str, *, offline: bool = False
) -> DependencyError:
    """The error for a run of uv that failed. `names`: the person's lines by canonical name of the package."""
    told = ran.told
    flat = " ".join(told.split())
    last = "\n".join(line for line in told.splitlines()[-LAST_LINES:] if line.strip())
    error = _machine(ran, flat) or _index(flat) or _packages(flat, names, python, platform, offline)
    if last:
        error.members["uv"] = last
    return error


def _machine(ran: Ran, flat: str) -> DependencyError | None:
    if ran.status == -25 or "os error 27" in flat:  # SIGXFSZ, EFBIG
        return LayerTooLarge("A file of a package is larger than a layer may be.")
    if _FULL.search(flat):
        return LayerDiskFull("The runner's disk is full: the packages were not installed.")
    if ran.status < 0:
        return BuildKilled(f"The installer was ended by signal {-ran.status}.")
    if "Hash mismatch for" in flat:
        name = re.search(r"Hash mismatch for `([^`]+)`", flat)
        return HashMismatch(
            f"The index sent a file of {name[1] if name else 'a package'} that is not the one locked."
        )
    return None


def _index(flat: str) -> DependencyError | None:
    if _REFUSED.search(flat):
        return IndexRefused("The package index refuses the runner's credentials.")
    if _NETWORK.search(flat):
        host = re.search(r"https?://([^/\s)`?]+)", flat)
        reason = next(
            (
                words
                for sign, words in (
                    ("timed out", "it does not answer in time"),
                    ("dns error", "its name is not known"),
                    ("Connection refused", "it refuses connections"),
                    ("status server error", "it answers with an error"),
                    ("connectivity is disabled", "the runner is offline"),
                )
                if sign in flat
            ),
            "it does not answer",
        )
        where = f" {host[1].rpartition('@')[2]}" if host else ""
        return IndexUnavailable(f"The package index{where} cannot be used: {reason}.")
    return None


def _packages(
    flat: str, names: Mapping[str, str], python: str, platform: str, offline: bool
) -> DependencyError:
    found = _YANKED.search(flat)
    if found:
        reason = f": {shown(found[2])}" if found[2] and found[2] != "None" else ""
        return VersionYanked(
            f"{_who(found[1], flat, names)} can be had only in a version that its authors withdrew{reason}."
        )
    found = _UNKNOWN.search(flat)
    if found:
        place = "the wheel directory" if offline else "the package index"
        near = did_you_mean(found[1])
        return PackageUnknown(
            f"{_who(found[1], flat, names)}: {place} has no package '{found[1]}'.",
            hint=near
            or "See how it is written on the index, and that its name is not that of a module of it.",
        )
    found = _PYTHON.search(flat)
    if found and "does not satisfy Python" in flat:
        return PackagePython(
            f"{_who(found[1], flat, names)} needs Python {found[2]}, and the node has Python {python}."
        )
    found = _NO_VERSION.search(flat)
    if found:
        return VersionMissing(f"{_who(found[1], flat, names)}: there is no such version.")
    found = _NO_WHEEL.search(flat)
    if found:
        have = _AVAILABLE.search(flat) or _PLATFORM.search(flat)
        only = f" There are wheels for: {shown(have[have.lastindex or 1].replace('`', ''))}." if have else ""
        instead = STAND_INS.get(canonicalize_name(found[1]))
        return WheelMissing(
            f"{_who(found[1], flat, names)} has no wheel for Python {python} on {platform}.{only}",
            hint=f"Ask for {instead} instead, which does the same and comes built." if instead else None,
        )
    found = _ONLY.search(flat)
    if found and not _DEPENDS.search(flat):
        return VersionMissing(f"{_who(found[1], flat, names)}: there is no such version.")
    if "No solution found" in flat:
        return _conflict(flat, names)
    if "Failed to download" in flat or "Failed to extract" in flat or "invalid" in flat.lower():
        broken = re.search(r"Failed to (?:download|extract)[^`]*`([^`]+)`", flat)
        return BuildFailed(
            f"The file of {broken[1] if broken else 'a package'} is broken.",
            hint="Try again, or allow another version of it.",
        )
    return BuildFailed(
        "The packages could not be installed.", hint="The installer's own words are with this error."
    )


def _conflict(flat: str, names: Mapping[str, str]) -> RequirementsConflict:
    mentioned = {canonicalize_name(each) for each in re.findall(_NAME, flat)}
    lines = [f"'{shown(line)}'" for name, line in names.items() if name in mentioned]
    facts = list(dict.fromkeys(f"{left} needs {on}{spec}" for left, _, on, spec in _DEPENDS.findall(flat)))
    why = f": {', '.join(facts[:4])}" if facts else ""
    if len(lines) > 1:
        return RequirementsConflict(f"{' and '.join(lines)} cannot be installed together{why}.")
    line = lines[0] if lines else "The requirements"
    return RequirementsConflict(
        f"No version of the packages satisfies {line}{why}.",
        hint="Loosen it. Versions may also be bounded by the administrator (QFLOW_CONSTRAINTS).",
    )


def _who(name: str, flat: str, names: Mapping[str, str]) -> str:
    """The package as the subject of a sentence, with the requirement that wants it where that is another one."""
    own = names.get(canonicalize_name(name))
    if own is not None:
        return f"'{shown(own)}'"
    wanted = canonicalize_name(name)
    seen = {wanted}
    while True:
        above = next(
            (
                canonicalize_name(by)
                for _, by, on, _ in _DEPENDS.findall(flat)
                if canonicalize_name(on) == wanted and canonicalize_name(by) not in seen
            ),
            None,
        )
        if above is None:
            return name
        if above in names:
            return f"{name}, which '{shown(names[above])}' needs,"
        seen.add(above)
        wanted = above
