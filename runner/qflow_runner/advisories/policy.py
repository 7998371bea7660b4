"""What follows from an audit: a refusal, where the administrator wants one."""

from typing import Literal

from qflow_runner.advisories.model import Audit, PackageAudit, audit_form
from qflow_runner.advisories.records import in_order
from qflow_runner.errors import PackageVulnerable

Policy = Literal["off", "warn", "block"]
_NAMED = 5


def refuse(audit: Audit, policy: Policy) -> None:
    """Raises PackageVulnerable under "block" when a package is known to be vulnerable.

    What could not be checked is not refused: a service that is away would stop every workflow. It stays visible as
    "not checked", and a kept answer that is too old still says what was vulnerable.
    """
    vulnerable = audit.having("vulnerable")
    if policy != "block" or not vulnerable:
        return
    detail = f"The policy of this runner refuses packages with known vulnerabilities: {sentence(vulnerable)}."
    form = {each["name"]: each for each in audit_form(audit)["packages"] if each["verdict"] == "vulnerable"}
    raise PackageVulnerable(detail, hint=_hint(vulnerable), packages=list(form.values()))


def sentence(packages: tuple[PackageAudit, ...]) -> str:
    """Packages, ids and the versions that mend them, without a full stop; the first few of many."""
    parts = [
        f"{each.name} {each.version} ("
        + _counted([f"{one.id}, {_fixed(one.fixed_in)}" for one in each.advisories], "; ")
        + ")"
        for each in packages
    ]
    return _counted(parts, ", ")


def mended_by(package: PackageAudit) -> str | None:
    """The lowest version that is known to mend every advisory of a package; None where one has no fix.

    Each advisory's nearest fix, and the highest of them: a later version may have advisories of its own.
    """
    nearest = [each.fixed_in[0] if each.fixed_in else None for each in package.advisories]
    known = [each for each in nearest if each is not None]
    return in_order(known)[-1] if known and len(known) == len(nearest) else None


def _hint(packages: tuple[PackageAudit, ...]) -> str:
    mended = {each.name: version for each in packages if (version := mended_by(each)) is not None}
    parts: list[str] = []
    if mended:
        wanted = _counted([f"{name}>={version}" for name, version in mended.items()], ", ")
        parts.append(f"Ask for {wanted} in the node's requirements.")
    if len(mended) < len(packages):
        without = _counted([each.name for each in packages if each.name not in mended], ", ")
        parts.append(f"No fixed version is known for {without}: use another package.")
    parts.append("An administrator can allow them with QFLOW_ADVISORIES=warn.")
    return " ".join(parts)


def _fixed(versions: tuple[str, ...]) -> str:
    return f"fixed in {' or '.join(versions[:3])}" if versions else "no fixed version known"


def _counted(parts: list[str], separator: str) -> str:
    rest = len(parts) - _NAMED
    return separator.join(parts[:_NAMED]) + (f"{separator}and {rest} more" if rest > 0 else "")
