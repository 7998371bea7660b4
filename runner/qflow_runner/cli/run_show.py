"""The run of a workflow in a terminal: what each node is doing, and a table when it is over."""

from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from qflow_runner.workflows.graph import QFLOW_TYPE

Json = dict[str, Any]

PRINTED_LINES = 20
"""Of what a node printed; the last of it says most."""

_MARKS = {"ok": "[green]✓ ok[/]", "error": "[red]✗ failed[/]", "skipped": "[yellow]– skipped[/]"}


class Progress:
    """Nodes that have begun, as long as they run. Nothing where it is not `shown`."""

    def __init__(self, console: Console, workflow: Json, *, shown: bool) -> None:
        self._nodes = _qflow_nodes(workflow)
        self._running: dict[str, Spinner] = {}
        self._ended = 0
        self._live = Live(console=console, transient=True) if shown and console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._update()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def told(self, kind: str, about: Any) -> None:
        """An event of the execution."""
        if not isinstance(about, dict) or not about.get("node"):
            return
        node = str(about["node"])
        if kind == "ended":
            self._running.pop(node, None)
            self._ended += 1
        else:
            said = "" if kind == "started" else f" [dim]{escape(_said(kind, about))}[/]"
            spinner = self._running.setdefault(node, Spinner("dots"))
            spinner.update(text=f"{escape(node)}{said}")
        self._update()

    def _update(self) -> None:
        if self._live is None:
            return
        grid = Table.grid()
        for spinner in list(self._running.values())[:PRINTED_LINES]:
            grid.add_row(spinner)
        grid.add_row(f"[dim]{min(self._ended, self._nodes)} of {self._nodes} nodes[/]")
        self._live.update(grid)


def show_run(console: Console, name: str, answer: Json) -> None:
    """A table of nodes, what each printed, and why those failed that did."""
    nodes: dict[str, Json] = answer["nodes"]
    listed = [each for each in answer["order"] if each in nodes]
    table = Table("Node", "Status", "Items", "ms", box=box.SIMPLE)
    for column in table.columns[2:]:
        column.justify = "right"
    for each in dict.fromkeys([*listed, *nodes]):
        about = nodes[each]
        ran = about["status"] != "skipped"
        counts = " + ".join(str(len(output)) for output in about["items"]) if ran else ""
        table.add_row(
            escape(each),
            _MARKS[about["status"]],
            counts or ("0" if ran else ""),
            f"{about['ms']:.1f}" if ran else "",
        )
    console.print(table)
    for each in (*listed, *(other for other in nodes if other not in listed)):
        _show_more(console, each, nodes[each])
    for hint in answer.get("hints") or ():
        console.print(f"[dim]{escape(str(hint))}[/]")
    failed = sum(each["status"] == "error" for each in nodes.values())
    outcome = f"[red]{failed} failed[/]" if failed else "[green]ok[/]"
    count = f"{len(nodes)} Qflow node{'' if len(nodes) == 1 else 's'}"
    console.print(f"[bold]{escape(name)}[/]: {count} in {answer['ms'] / 1000:.2f} s, {outcome}")


def _show_more(console: Console, name: str, about: Json) -> None:
    lines = "".join(each["text"] for each in about["logs"]).splitlines()
    if lines:
        console.print(f"[dim]'{escape(name)}' printed:[/]")
        for line in lines[-PRINTED_LINES:]:
            console.print(f"  {escape(line)}", highlight=False)
    for hint in about["hints"]:
        console.print(f"[dim]'{escape(name)}': {escape(str(hint))}[/]")
    if about["status"] == "skipped":
        console.print(f"[yellow]–[/] '{escape(name)}' was skipped: {escape(str(about.get('reason', '')))}")
    for each in about.get("errors") or ():
        item = f", item {each['item']}" if each.get("item") is not None else ""
        console.print(f"[yellow]![/] '{escape(name)}'{item}: {escape(str(each.get('detail', '')))}")
    problem = about.get("problem")
    if problem:
        console.print(f"[red]✗[/] '{escape(name)}': {escape(str(problem['detail']))}")
        for key in ("hint", "traceback"):
            if problem.get(key):
                console.print(f"[dim]{escape(str(problem[key]).rstrip())}[/]", highlight=False)


def _said(kind: str, about: Json) -> str:
    fraction = about.get("fraction")
    percent = f"{fraction:.0%} " if isinstance(fraction, int | float) else ""
    return percent + str(about.get("text") or about.get("step") or kind)


def _qflow_nodes(workflow: Json) -> int:
    nodes = workflow.get("nodes")
    found = [each for each in nodes if isinstance(each, dict)] if isinstance(nodes, list) else []
    kinds = [str(each.get("type", "")) for each in found if not each.get("disabled")]
    return sum(kind.rpartition(".")[2] == QFLOW_TYPE for kind in kinds)
