"""The card: one row per case, as a table and as JSON."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from qflow_runner.attack.model import Verdict


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """All suites with their counts, and every case that failed with what went wrong."""
    table = Table(
        Column("Suite", no_wrap=True),
        Column("Pass", justify="right"),
        Column("Fail", justify="right"),
        box=SIMPLE,
    )
    for suite in dict.fromkeys(each.suite for each in verdicts):
        rows = [each for each in verdicts if each.suite == suite]
        failed = sum(each.verdict == "fail" for each in rows)
        table.add_row(suite, str(len(rows) - failed), f"[red]{failed}[/red]" if failed else "0")
    console.print(table)
    for each in verdicts:
        if each.verdict == "fail":
            console.print(f"[red]fail[/red] {each.suite}: {each.case}", highlight=False)
            console.print(f"     {each.detail}", highlight=False, markup=False)


def write(verdicts: Iterable[Verdict], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([each.row() for each in verdicts], indent=1) + "\n")
