"""`qflow analyze`, `qflow check` and `qflow n8n-files`: what helps to write, without a running runner."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from qflow_runner import __version__
from qflow_runner.analysis import Analysis, Analyzer
from qflow_runner.cli.reading import read_settings, read_text
from qflow_runner.cli.terminal import Terminal, refuse, say

Format = Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it")]
CheckFormat = Annotated[Literal["table", "json", "sarif"], typer.Option("--format", help="How to print it")]


def analyze(
    file: Annotated[Path, typer.Argument(help="A Python file, or - for standard input")],
    python: Annotated[str, typer.Option(help="The Python version that will run it")] = "",
    form: Format = "table",
) -> None:
    """Show the functions, types, packages and mistakes of a node's code, without running it. Exit 1 on an error."""
    from qflow_runner.analysis import to_json
    from qflow_runner.analysis.show import show

    code = read_text(file)
    analysis = asyncio.run(_analyze(code, python or read_settings({}).python))
    if form == "json":
        print(json.dumps(to_json(analysis), indent=2))
    else:
        Terminal().print(show(analysis))
    if any(finding.severity == "error" for finding in analysis.findings):
        raise SystemExit(1)


def check(
    workflow: Annotated[
        list[Path], typer.Argument(help="n8n workflow files (JSON), or - for standard input")
    ],
    form: CheckFormat = "table",
) -> None:
    """Check that the nodes of n8n workflows fit together. Exit 1 on an incompatible link or code with an error."""
    from qflow_runner.workflows import Check, Checker, Workflow
    from qflow_runner.workflows.form import check_form, sarif
    from qflow_runner.workflows.show import show_check

    async def run() -> list[tuple[Path, str, Check]]:
        analyzer = Analyzer()
        await analyzer.open()
        try:
            checker = Checker(analyzer, read_settings({}).python)
            return [(path, each.name, await checker.check(each)) for path, each in read]
        finally:
            await analyzer.close()

    read: list[tuple[Path, Workflow]] = []
    for path in workflow:
        try:
            read.append((path, Workflow.model_validate_json(read_text(path))))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            refuse(f"{path} is not an n8n workflow: {where}: {first['msg']}.")
    done = asyncio.run(run())
    if form == "sarif":
        runs = [sarif(found, str(path), __version__) for path, _, found in done]
        print(json.dumps(runs[0] | {"runs": [each["runs"][0] for each in runs]}, indent=2))
    elif form == "json":
        forms = [{"file": str(path), **check_form(found)} for path, _, found in done]
        print(json.dumps(forms[0] if len(forms) == 1 else forms, indent=2))
    else:
        for path, name, found in done:
            show_check(Terminal(markup=True), name or path.name, found)
    if any(not found.ok or any(node.findings for node in found.nodes) for _, _, found in done):
        raise SystemExit(1)


def n8n_files(
    directory: Annotated[Path, typer.Argument(help="Where n8n can read them")],
    url: Annotated[str, typer.Option(help="The runner's address, as n8n reaches it")] = "",
) -> None:
    """Write the files that let n8n check links: the hook file and the editor extension, with the runner's address."""
    from qflow_runner.identity import DataDir
    from qflow_runner.n8n_files import write_files

    settings = read_settings({})
    token = DataDir.kept_token(settings)
    if not url and settings.host in {"0.0.0.0", "::"}:  # noqa: S104 - it is refused here
        refuse(
            f"QFLOW_HOST={settings.host} is no address to call: say with --url how n8n reaches the runner."
        )
    address = url or f"http://{settings.host}:{settings.port}"
    for sentence in write_files(directory, address, token):
        say(sentence)


async def _analyze(code: str, python: str) -> Analysis:
    analyzer = Analyzer()
    await analyzer.open()
    try:
        return await analyzer.analyze(code, python)
    finally:
        await analyzer.close()
