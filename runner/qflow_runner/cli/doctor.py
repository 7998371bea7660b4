"""`qflow doctor`: whether this host is fit for a runner, and whether its boundary holds."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from qflow_runner.cli.reading import read_settings
from qflow_runner.cli.terminal import Terminal
from qflow_runner.settings import Settings

SIGNS = {
    "ok": "[green]ok[/green]     ",
    "warning": "[yellow]warning[/yellow]",
    "problem": "[red]problem[/red]",
}


def doctor(
    attack: Annotated[
        bool, typer.Option(help="Attack a runner of its own on this host, and show the card")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Write the card as JSON to this file")] = None,
) -> None:
    """Look at what a runner needs of this host; with --attack, try to break out of its sandboxes. Exits 1 on a problem."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    settings = read_settings({})
    sound = asyncio.run(_attack(settings, output) if attack else _examine(settings))
    raise SystemExit(0 if sound else 1)


async def _examine(settings: Settings) -> bool:
    from qflow_runner.doctor import Finding, examine

    console = Terminal(markup=True)

    def tell(finding: Finding) -> None:
        console.print(f"{SIGNS[finding.grade]}  [bold]{finding.part}[/bold]: {escape(finding.found)}")
        if finding.advice:
            console.print(f"         {escape(finding.advice)}")

    findings = await examine(settings, tell)
    return all(each.grade != "problem" for each in findings)


async def _attack(settings: Settings, output: Path | None) -> bool:
    from qflow_runner.attack import HOSTILE, Verdict, attack, card

    console = Terminal(markup=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        job = progress.add_task("attacking", total=len(HOSTILE))

        def tell(verdict: Verdict) -> None:
            progress.update(job, advance=1, description=verdict.suite.removeprefix("hostile: "))

        verdicts = await attack(settings, tell)
    card.show(verdicts, console)
    if output is not None:
        card.write(verdicts, output)
    return all(each.verdict == "pass" for each in verdicts)
