"""Known vulnerabilities of installed packages, from OSV data: vulnerable, clean, or not checked."""

from qflow_runner.advisories.checker import Advisories, count_in_use, origin_of
from qflow_runner.advisories.model import Advisory, Audit, Origin, PackageAudit, Severity, Verdict, audit_form
from qflow_runner.advisories.policy import Policy, mended_by, refuse
from qflow_runner.advisories.show import audit_table

__all__ = [
    "Advisories",
    "Advisory",
    "Audit",
    "Origin",
    "PackageAudit",
    "Policy",
    "Severity",
    "Verdict",
    "audit_form",
    "audit_table",
    "count_in_use",
    "mended_by",
    "origin_of",
    "refuse",
]
