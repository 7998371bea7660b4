"""An analysis for a person at a terminal: what `qflow analyze` prints."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from qflow_runner.analysis.model import Analysis, Finding, Function, Parameter
from qflow_runner.analysis.source import printable

_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_SCRIPTS = {
    "native": "a script for n8n's Code node (_items, _item)",
    "pyodide": "a script for n8n's former Code node (_input, _json)",
    "community": "a script for the former community node (items, item)",
}


def show(analysis: Analysis) -> RenderableType:
    parts: list[RenderableType] = []
    if analysis.script:
        parts.append(Text(f"This is {_SCRIPTS[analysis.script]}; it runs as a whole."))
    for function in analysis.functions:
        parts += _function(function, is_entry=function.name == analysis.entry)
    if analysis.requirements:
        parts += [Text("Requirements", style="bold"), _requirements(analysis)]
    if analysis.findings:
        parts.append(Text(_counted(analysis.findings), style="bold"))
        parts += [part for finding in analysis.findings for part in _finding(finding)]
    elif not parts:
        parts.append(Text("There is nothing in it."))
    return Group(*parts)


def _function(function: Function, *, is_entry: bool) -> Iterator[RenderableType]:
    private = function.name.startswith("_")
    words = ["async"] if function.is_async else []
    words += ["def"]
    yield Text.assemble(
        (" ".join(words) + " ", "magenta"),
        (function.signature, "dim" if private else "bold"),
        ("  called when the node names none" if is_entry else "", "green"),
    )
    if function.doc:
        yield Padding(Text(_clean(function.doc.partition("\n\n")[0])), (0, 0, 0, 2))
    if not private and (function.parameters or function.returns):
        yield Padding(_parameters(function), (0, 0, 0, 1))
    else:
        yield Text("")


def _parameters(function: Function) -> Table:
    table = Table(
        Column("Parameter", style="cyan", overflow="fold"),
        Column("Type", overflow="fold"),
        Column("Default", overflow="fold", style="dim"),
        Column("What it is", ratio=1),
        box=SIMPLE_HEAD,
        expand=True,
        pad_edge=False,
        header_style="dim",
    )
    for parameter in function.parameters:
        default = "required" if parameter.required else parameter.default or ""
        name = parameter.name + (" (by name)" if parameter.keyword_only else "")
        table.add_row(*map(Text, (name, _type(parameter), _clean(default), _clean(parameter.doc))))
    returns = (function.returns or "unknown") + (" (inferred)" if function.inferred else "")
    table.add_row(Text("returns", style="magenta"), *map(Text, (returns, "", _clean(function.returns_doc))))
    return table


def _type(parameter: Parameter) -> str:
    return (parameter.type or "unknown") + (" (inferred)" if parameter.inferred else "")


def _requirements(analysis: Analysis) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    for requirement in analysis.requirements:
        origin = f"for import {requirement.module}" if requirement.module else "from the script header"
        rows.add_row(Text(requirement.requirement, style="green"), Text(origin, style="dim"))
    return Padding(rows, (0, 0, 1, 2))


def _counted(findings: tuple[Finding, ...]) -> str:
    counts = [(name, sum(f.severity == name for f in findings)) for name in _STYLES]
    words = {"error": "errors", "warning": "warnings", "info": "notes"}
    single = {"error": "error", "warning": "warning", "info": "note"}
    return ", ".join(
        f"{count} {single[name] if count == 1 else words[name]}" for name, count in counts if count
    )


def _finding(finding: Finding) -> Iterator[RenderableType]:
    place = f"line {finding.line}, column {finding.column}"
    yield Text.assemble(
        (finding.severity, _STYLES[finding.severity]), f" {place}: {finding.message} ", (finding.code, "dim")
    )
    if finding.source.strip(" ^\n"):
        line, _, caret = finding.source.expandtabs(4).partition("\n")
        excerpt = Text(line, overflow="crop", no_wrap=True)
        yield Padding(excerpt, (0, 0, 0, 4))
        yield Padding(
            Text(caret, style=_STYLES[finding.severity], overflow="crop", no_wrap=True), (0, 0, 0, 4)
        )
    if finding.hint:
        yield Padding(Text(finding.hint), (0, 0, 0, 4))
    yield Text("")


def _clean(text: str) -> str:
    return printable(" ".join(text.split()))
