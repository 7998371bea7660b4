"""What is known of a lock's packages: three answers, and never "clean" where nobody could say so."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Verdict = Literal["vulnerable", "not checked", "clean"]
Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE", "UNKNOWN"]
Origin = Literal["public", "private", "unknown"]
"""Where a package came from: the public index, one of the administrator's own, or nobody can tell."""

SEVERITIES: tuple[Severity, ...] = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE", "UNKNOWN")
"""The worst first."""


@dataclass(frozen=True)
class Advisory:
    """One known vulnerability of a package. `fixed_in` are the versions that mend it, the nearest first."""

    id: str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    severity: Severity = "UNKNOWN"
    fixed_in: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True)
class PackageAudit:
    """The answer for one package. `reason` says why it was not checked, or what limits the answer."""

    name: str
    version: str
    verdict: Verdict
    advisories: tuple[Advisory, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Audit:
    """The answers for all packages of a lock, in its order. `checked_at` is when the oldest of them was obtained."""

    packages: tuple[PackageAudit, ...]
    checked_at: datetime
    source: str

    @property
    def worst(self) -> Verdict:
        """One answer for all: "vulnerable" before "not checked" before "clean"."""
        verdicts = {each.verdict for each in self.packages}
        return (
            "vulnerable" if "vulnerable" in verdicts else "not checked" if verdicts - {"clean"} else "clean"
        )

    def having(self, verdict: Verdict) -> tuple[PackageAudit, ...]:
        return tuple(each for each in self.packages if each.verdict == verdict)


def worst_severity(severities: Iterable[Severity]) -> Severity:
    """The most serious of them; UNKNOWN only where none is known."""
    given = set(severities)
    for each in SEVERITIES:
        if each in given:
            return each
    return "UNKNOWN"


def audit_form(audit: Audit) -> dict[str, Any]:
    """An audit as JSON, for the API and for what is stored with a definition."""
    return {
        "worst": audit.worst,
        "checkedAt": audit.checked_at.isoformat(),
        "source": audit.source,
        "packages": [_package_form(each) for each in audit.packages],
    }


def _package_form(package: PackageAudit) -> dict[str, Any]:
    form: dict[str, Any] = {"name": package.name, "version": package.version, "verdict": package.verdict}
    if package.reason:
        form["reason"] = package.reason
    if package.advisories:
        form["advisories"] = [
            {
                "id": each.id,
                "aliases": list(each.aliases),
                "summary": each.summary,
                "severity": each.severity,
                "fixedIn": list(each.fixed_in),
                "url": each.url,
            }
            for each in package.advisories
        ]
    return form
