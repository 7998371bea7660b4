"""An audit for a person at a terminal: what `qflow layers audit` prints."""

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from qflow_runner.advisories.model import Advisory, Audit, PackageAudit, Verdict
from qflow_runner.advisories.records import printable

_VERDICTS: dict[Verdict, tuple[str, str]] = {
    "vulnerable": ("✗ vulnerable", "bold red"),
    "not checked": ("? not checked", "yellow"),
    "clean": ("✓ clean", "green"),
}
_SHOWN = 10
"""Advisories shown of one package, the worst; hundreds would hide the other packages."""
_SEVERITIES = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "cyan"}


def audit_table(audit: Audit, *, title: str = "", clean: bool = False) -> RenderableType:
    """The vulnerable packages and those that were not checked, the clean ones too if wanted; then a line of counts."""
    parts: list[RenderableType] = [Text(printable(title, 200), style="bold")] if title else []
    verdicts: tuple[Verdict, ...] = ("vulnerable", "clean") if clean else ("vulnerable",)
    shown = [each for verdict in verdicts for each in audit.packages if each.verdict == verdict]
    if shown:
        table = Table(
            Column("Package", overflow="fold"),
            Column("", no_wrap=True),
            Column("Advisory", overflow="fold"),
            Column("Severity", no_wrap=True),
            Column("Fixed in", overflow="fold"),
            Column("What it is", ratio=1),
            box=SIMPLE_HEAD,
            expand=True,
            pad_edge=False,
            header_style="dim",
        )
        for each in shown:
            _rows(table, each)
        parts.append(table)
    parts += _unchecked(audit)
    parts.append(_counts(audit))
    return Group(*parts)


def _unchecked(audit: Audit) -> list[RenderableType]:
    """Those that could not be asked about, by the reason, which is often the same for all."""
    by_reason: dict[str, list[str]] = {}
    for each in audit.having("not checked"):
        by_reason.setdefault(each.reason, []).append(f"{each.name} {each.version}")
    word, style = _VERDICTS["not checked"]
    return [
        Text.assemble(
            (word, style), " ", printable(", ".join(names), 2_000), "\n  ", (printable(reason, 500), "dim")
        )
        for reason, names in by_reason.items()
    ]


def _rows(table: Table, package: PackageAudit) -> None:
    # Text, not markup: what an advisory says is not ours.
    name = Text(f"{package.name} {package.version}")
    word, style = _VERDICTS[package.verdict]
    verdict = Text(word, style=style)
    for each in package.advisories[:_SHOWN]:
        table.add_row(name, verdict, *_cells(each))
        name, verdict = Text(""), Text("")
    if (more := len(package.advisories) - _SHOWN) > 0:
        table.add_row(name, verdict, Text(f"and {more} more", style="dim"))
    if package.reason or not package.advisories:
        table.add_row(name, verdict, "", "", "", Text(printable(package.reason, 500), style="dim"))


def _cells(advisory: Advisory) -> tuple[Text, ...]:
    known = next((each for each in advisory.aliases if each.startswith("CVE-")), "")
    return (
        Text(
            advisory.id + (f" {known}" if known else ""), style=f"link {advisory.url}" if advisory.url else ""
        ),
        Text(advisory.severity.lower(), style=_SEVERITIES.get(advisory.severity, "")),
        Text(", ".join(advisory.fixed_in) or "none known"),
        Text(printable(advisory.summary, 120)),
    )


def _counts(audit: Audit) -> Text:
    line = Text()
    for verdict, (_, style) in _VERDICTS.items():
        if count := len(audit.having(verdict)):
            line.append(f"{', ' if line.plain else ''}{count} {verdict}", style=style)
    if not line.plain:
        line.append("No packages")
    return line.append(
        f" · {printable(audit.source, 200)} · {audit.checked_at:%Y-%m-%d %H:%M} UTC", style="dim"
    )
