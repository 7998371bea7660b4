"""A check as a person reads it in a terminal."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qflow_runner.workflows.check import Check

_MARKS = {
    "assignable": "[green]✓ fits[/]",
    "convertible": "[green]✓ converts[/]",
    "unchecked": "[yellow]? unchecked[/]",
    "incompatible": "[red]✗ refused[/]",
}


def show_check(console: Console, name: str, check: Check) -> None:
    """A table of links, what is wrong with each that is refused, and the errors of the code."""
    if check.links:
        table = Table("From", "gives", "To", "takes", "", box=box.SIMPLE)
        for each in check.links:
            about = each.verdict
            takes = f"{about.parameter}: {about.target}" if about.parameter else about.target
            cells = (each.link.source, about.source, each.link.target, takes)
            table.add_row(*map(escape, cells), _MARKS[about.judgement.verdict])
        console.print(table)
    for each in check.refused:
        console.print(f"[red]✗[/] {escape(each.sentence)}")
        console.print(f"  [dim]{escape(each.verdict.judgement.suggestion)}[/]")
        for fitting in (one for one in check.suggestions if one.source == each.link.source):
            console.print(f"  [dim]would fit: {escape(fitting.signature)} in '{escape(fitting.node)}'[/]")
    broken = [(node, finding) for node in check.nodes for finding in node.findings]
    for node, finding in broken:
        console.print(f"[red]✗[/] '{escape(node.name)}', line {finding.line}: {escape(finding.message)}")
        console.print(f"[dim]{escape(finding.source)}[/]")
    refused = len(check.refused)
    counted = f"{_many(len(check.links), 'link')} between {_many(len(check.nodes), 'Qflow node')}"
    outcome = f"[red]{refused} refused[/]" if refused else "[green]none refused[/]"
    console.print(f"[bold]{escape(name)}[/]: {counted}, {outcome}")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
