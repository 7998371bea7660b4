"""From requirement lines to a lock: uv chooses the versions, and every wheel that may be installed has its hash."""

import hashlib
import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import structlog
from packaging.utils import canonicalize_name

from qflow_runner.errors import BuildFailed, HashMismatch, PythonUnsupported
from qflow_runner.layers.explain import explain
from qflow_runner.layers.lines import Asked, shown
from qflow_runner.layers.model import Built, Lock, Package
from qflow_runner.layers.uv import Uv

log = structlog.get_logger()

_WARNINGS = (
    (
        re.compile(r"warning: `([^`]+)` is yanked(?: \(reason: \"?(.*?)\"?\))?$"),
        "{} was withdrawn by its authors",
    ),
    (re.compile(r"warning: The package `([^`]+)` does not have an extra named `([^`]+)`"), "{} has no extra"),
)


@dataclass(frozen=True)
class _Entry:
    name: str
    version: str
    size: int
    hashes: frozenset[str]
    url: str = ""


class Resolver:
    def __init__(self, uv: Uv, constraints: str, *, offline: bool) -> None:
        self._uv = uv
        self._constraints = constraints
        self._offline = offline

    async def resolve(
        self,
        asked: Asked,
        python: str,
        *,
        refresh: bool = False,
        bounds: Sequence[str] = (),
        built: Mapping[Built, Path] = MappingProxyType({}),
    ) -> Lock:
        """`bounds` are constraints beside the administrator's; `built` wheels are as good as the index's own.

        Raises DependencyError and its kin, with a sentence about the line that is to blame.
        """
        if re.fullmatch(r"3\.\d{1,2}", python) is None:
            raise PythonUnsupported(f"'{shown(python)}' is no Python version.", hint="Write it as in: 3.12")
        if not asked.requirements:
            return _lock(python, asked, [], ())
        with tempfile.TemporaryDirectory(prefix="qflow-resolve-") as scratch:
            directory = Path(scratch)
            # Where uv looks for a project's settings, it finds none.
            (directory / "uv.toml").touch()
            (directory / "asked.in").write_text("\n".join(asked.requirements) + "\n", encoding="utf-8")
            bound = "\n".join((self._constraints, *bounds))
            (directory / "bounds.txt").write_text(bound, encoding="utf-8")
            options = [
                *(
                    "pip",
                    "compile",
                    "asked.in",
                    "--constraints",
                    "bounds.txt",
                    "--no-header",
                    "--no-annotate",
                ),
                *self._uv.target(python),
                *(["--refresh"] if refresh else []),
                *(option for place in built.values() for option in ("--find-links", str(place))),
            ]
            ran = await self._uv.run([*options, "--format", "pylock.toml"], directory)
            if ran.status:
                raise explain(ran, asked.names, python, self._uv.platform, offline=self._offline)
            entries = _entries(ran.output)
            if not all(entry.hashes for entry in entries):
                # This index names no hashes: uv downloads the files, and finds them.
                hashed = await self._uv.run([*options, "--generate-hashes"], directory)
                if hashed.status:
                    raise explain(hashed, asked.names, python, self._uv.platform, offline=self._offline)
                entries = _with_hashes(entries, hashed.output)
        used = _used(entries, built)
        return _lock(python, asked, _checked(entries, asked, used), _warnings(ran.told), used)


def _entries(text: str) -> list[_Entry]:
    try:
        packages: list[dict[str, Any]] = tomllib.loads(text).get("packages", [])
        return [_entry(package) for package in packages]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BuildFailed(f"uv's answer cannot be read: {error}.") from error


def _entry(package: Mapping[str, Any]) -> _Entry:
    name = canonicalize_name(package["name"])
    archive = package.get("archive")
    wheels = [archive] if archive else package.get("wheels", [])
    if not wheels:
        raise BuildFailed(f"{name} is not to be had as a wheel.")
    hashes = frozenset(
        f"{algorithm}:{digest}" for wheel in wheels for algorithm, digest in wheel.get("hashes", {}).items()
    )
    url = str(archive["url"]) if archive else ""
    version = str(package.get("version") or _version_in(url))
    return _Entry(name, version, max((int(wheel.get("size", 0)) for wheel in wheels), default=0), hashes, url)


def _version_in(url: str) -> str:
    parts = url.rpartition("/")[2].split("-")
    return parts[1] if len(parts) > 2 else "0"


def _with_hashes(entries: list[_Entry], text: str) -> list[_Entry]:
    found: dict[str, frozenset[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        name = re.match(r"[A-Za-z0-9._\-]+", line)
        if name:
            found[canonicalize_name(name[0])] = frozenset(re.findall(r"--hash=(\S+)", line))
    missing = [entry.name for entry in entries if not found.get(entry.name)]
    if missing:
        raise BuildFailed(f"The index gives no hashes for {', '.join(missing)}.")
    return [_Entry(each.name, each.version, each.size, found[each.name], each.url) for each in entries]


def _used(entries: list[_Entry], built: Iterable[Built]) -> tuple[Built, ...]:
    """Of the wheels that were built here, those that were chosen."""
    chosen = {(entry.name, entry.version): entry.hashes for entry in entries}
    return tuple(
        each for each in built if f"sha256:{each.wheel}" in chosen.get((each.name, each.version), ())
    )


def _checked(entries: list[_Entry], asked: Asked, built: tuple[Built, ...]) -> list[_Entry]:
    """Of the files that may be installed, those that the person's own hashes allow.

    Of what was built here they may name the source distribution, which was compared before it was built.
    """
    sources = {each.name: each for each in built}
    checked: list[_Entry] = []
    for entry in entries:
        wanted = asked.hashes.get(entry.name)
        source = sources.get(entry.name)
        if source is not None:
            own = frozenset({f"sha256:{source.wheel}"})
            named = wanted is not None and f"sha256:{source.source}" in wanted
            wanted = own if named or wanted is None else wanted & own
            entry = replace(entry, hashes=entry.hashes & own)  # noqa: PLW2901
        allowed = entry.hashes if wanted is None else entry.hashes & wanted
        if not allowed:
            line = asked.names.get(entry.name, entry.name)
            raise HashMismatch(
                f"No wheel of {entry.name} {entry.version} on the index has a hash that '{shown(line)}' allows.",
                hint="See where the hashes come from; name the version that they belong to with ==.",
            )
        checked.append(_Entry(entry.name, entry.version, entry.size, allowed, entry.url))
    return checked


def _warnings(told: str) -> tuple[str, ...]:
    found: list[str] = []
    for line in told.splitlines():
        for pattern, words in _WARNINGS:
            match = pattern.search(line.strip())
            if match:
                reason = f": {shown(match[2])}" if match[2] else ""
                found.append(f"{words.format(match[1])}{reason}.")
    return tuple(dict.fromkeys(found))


def _lock(
    python: str,
    asked: Asked,
    entries: list[_Entry],
    warnings: tuple[str, ...],
    built: tuple[Built, ...] = (),
) -> Lock:
    rows: list[str] = []
    for entry in sorted(entries, key=lambda each: each.name):
        what = f"{entry.name} @ {entry.url}" if entry.url else f"{entry.name}=={entry.version}"
        rows.append(" ".join([what, *(f"--hash={each}" for each in sorted(entry.hashes))]) + "\n")
    text = "".join(rows)
    identity = hashlib.sha256(f"{python}\n{text}".encode()).hexdigest()[:32]
    packages = tuple(
        Package(each.name, each.version, each.size) for each in sorted(entries, key=lambda e: e.name)
    )
    notes = tuple(f"{each.name} {each.version} was built from its source distribution." for each in built)
    return Lock(identity, python, asked.lines, text, packages, warnings + notes, built)
