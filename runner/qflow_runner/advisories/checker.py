"""Known vulnerabilities of the packages of a lock, from OSV data: the service, or a local copy of its export."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import structlog
from packaging.version import InvalidVersion, Version

from qflow_runner.advisories.cache import Answer, AnswerCache
from qflow_runner.advisories.findings import Finding
from qflow_runner.advisories.mirror import Mirror
from qflow_runner.advisories.model import Audit, Origin, PackageAudit, Verdict
from qflow_runner.advisories.records import merged, normalised, printable
from qflow_runner.advisories.service import Service
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings

log = structlog.get_logger()

Key = tuple[str, str]

AWAY_S = 30.0
"""So long a service that was away is not asked again: a nightly check of many locks would wait for each."""

_ORIGINS: dict[Origin, str] = {
    "private": "it is from an index of your own, which the advisories do not know",
    "unknown": "it is not known from which index it came",
}
_WORST_FIRST: tuple[Verdict, ...] = ("vulnerable", "not checked", "clean")
_PUBLIC_INDEXES = {"pypi.org", "files.pythonhosted.org"}


def origin_of(index_url: str | None) -> Origin:
    """Where packages of an index come from; None is the public one. Another index may hold anything: unknown."""
    try:
        host = urlsplit(index_url).hostname if index_url else "pypi.org"
    except ValueError:
        return "unknown"
    return "public" if host in _PUBLIC_INDEXES else "unknown"


class Advisories:
    """Looks packages up, and remembers the service's answers. `open` and `close` on the loop that checks."""

    def __init__(self, settings: Settings) -> None:
        self._off = settings.advisories == "off"
        self._keep_s = settings.advisories_keep_s
        cache = settings.cache_dir / "advisories"
        self._mirror = self._service = self._answers = None
        if settings.advisories_mirror is not None:
            self._mirror = Mirror(settings.advisories_mirror, cache, settings.advisories_deadline_s)
        else:
            self._service = Service(settings.advisories_url, settings.advisories_deadline_s)
            self._answers = AnswerCache(cache / "answers.sqlite", self._service.name)
        self._away_until = 0.0
        self._away_reason = ""

    @property
    def source(self) -> str:
        """What is asked, as a person reads it."""
        source = self._mirror or self._service
        return "none" if self._off or source is None else source.name

    async def open(self) -> None:
        if self._service is not None and self._answers is not None and not self._off:
            await self._service.open()
            await asyncio.to_thread(self._answers.load)

    async def close(self) -> None:
        if self._service is not None:
            await self._service.close()
        if self._mirror is not None:
            await self._mirror.close()

    async def check(
        self, packages: Sequence[Key], *, origin: Origin | Mapping[str, Origin], fresh: bool = False
    ) -> Audit:
        """An answer for each (name, version), in their order. Never raises because a source is away.

        The rule: "clean" is said only of a package that came from the public index (`origin`, for all or by name;
        a name that is missing there is of unknown origin), whose name and version are those of a public project,
        and for which the source was read or answered in full. OSV answers the same empty list for a clean project
        and for one that it has never heard of, so a package of another origin is not looked up at all: an empty
        answer would mean nothing, and its name would leave the house. All else is "not checked", with the reason.

        `fresh` asks again though an answer is kept: for the nightly check.
        """
        outcomes: dict[int, PackageAudit] = {}
        wanted: dict[int, Key] = {}
        for at, (name, version) in enumerate(packages):
            project = normalised(name)
            reason = self._reason_not_to_ask(project, version, origin)
            if reason or project is None:
                shown = project or printable(name, 200)
                outcomes[at] = PackageAudit(shown, printable(version, 200), "not checked", reason=reason)
            else:
                wanted[at] = (project, str(Version(Version(version).public)))
        findings, asked = await self._find(list(dict.fromkeys(wanted.values())), fresh=fresh)
        for at, key in wanted.items():
            outcomes[at] = _judged(key[0], printable(packages[at][1], 200), findings[key])
        audit = Audit(tuple(outcomes[at] for at in range(len(packages))), asked, self.source)
        for each in audit.packages:
            metrics.ADVISORY_CHECKS.labels(each.verdict.replace(" ", "_")).inc()
        return audit

    def _reason_not_to_ask(
        self, project: str | None, version: str, origin: Origin | Mapping[str, Origin]
    ) -> str:
        if self._off:
            return "the lookup is switched off (QFLOW_ADVISORIES=off)"
        if project is None:
            return "its name is not one that a public project can have"
        own = origin if isinstance(origin, str) else _by_name(origin).get(project, "unknown")
        if own != "public":
            return _ORIGINS[own]
        try:
            Version(version)
        except InvalidVersion:
            return "its version is not one that PEP 440 allows"
        return ""

    async def _find(self, keys: list[Key], *, fresh: bool) -> tuple[dict[Key, Finding], datetime]:
        """What is known of each, and when the oldest answer was obtained."""
        now = time.time()
        if self._mirror is not None:
            found = await self._mirror.ask(keys) if keys else {}
            return found, datetime.fromtimestamp(now, UTC)
        kept = {key: answer for key in keys if (answer := self._kept(key, now)) is not None and not fresh}
        found = {key: Finding(list(answer.advisories)) for key, answer in kept.items()}
        new = await self._ask([key for key in keys if key not in kept], now)
        oldest = min([now, *(answer.asked for answer in kept.values())])
        for key, finding in new.items():
            stale = self._answers.get(key) if self._answers is not None and finding.failure else None
            if stale is not None and not finding.advisories:
                day = datetime.fromtimestamp(stale.asked, UTC).date().isoformat()
                finding.advisories = list(stale.advisories)
                finding.failure = f"{finding.failure}; the last answer is of {day}"
            found[key] = finding
        return found, datetime.fromtimestamp(oldest, UTC)

    def _kept(self, key: Key, now: float) -> Answer | None:
        answer = self._answers.get(key) if self._answers is not None else None
        # An answer of the future is of a clock that was wrong: nobody knows its age.
        return answer if answer is not None and 0 <= now - answer.asked <= self._keep_s else None

    async def _ask(self, keys: list[Key], now: float) -> dict[Key, Finding]:
        if not keys or self._service is None or self._answers is None:
            return {}
        if time.monotonic() < self._away_until:
            return {key: Finding(failure=self._away_reason) for key in keys}
        found = await self._service.ask(keys)
        failed = next((each.failure for each in found.values() if each.failure), "")
        if failed:
            log.warning("advisories.not_answered", reason=failed)
        if self._service.away:
            self._away_until, self._away_reason = time.monotonic() + AWAY_S, failed
        whole = {
            key: Answer(merged(each.advisories), now)
            for key, each in found.items()
            if not each.failure and not each.partial
        }
        if whole:
            self._answers.remember(whole)
            await asyncio.to_thread(self._answers.write, whole)
        return found


def _judged(name: str, version: str, found: Finding) -> PackageAudit:
    if found.advisories:
        reason = found.failure or ("the text of an advisory could not be had" if found.partial else "")
        return PackageAudit(name, version, "vulnerable", merged(found.advisories), reason)
    reason = found.failure
    if not reason and Version(version).local is not None:
        reason = "it is a build of somebody's own, of which the advisories know only the original"
    return PackageAudit(name, version, "not checked" if reason else "clean", reason=reason)


def _by_name(origins: Mapping[str, Origin]) -> dict[str, Origin]:
    return {normalised(name) or name: origin for name, origin in origins.items()}


def count_in_use(audits: Iterable[Audit]) -> None:
    """Sets the gauges of packages in use from the last audit of each lock in use; a package of two locks counts once."""
    worst: dict[Key, Verdict] = {}
    for audit in audits:
        for each in audit.packages:
            key = (each.name, each.version)
            known = worst.get(key, "clean")
            worse = _WORST_FIRST.index(each.verdict) < _WORST_FIRST.index(known)
            worst[key] = each.verdict if worse else known
    for verdict in _WORST_FIRST:
        count = sum(each == verdict for each in worst.values())
        metrics.PACKAGES_IN_USE.labels(verdict.replace(" ", "_")).set(count)
