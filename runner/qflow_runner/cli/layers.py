"""`qflow layers`: the installed packages of this machine."""

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from qflow_runner.cli.reading import read_settings, read_text
from qflow_runner.cli.terminal import Terminal, complain, refuse, say, show, table
from qflow_runner.cli.upgrade import by_runner, on_disk
from qflow_runner.layers import BuildProgress, Layers, compile_here
from qflow_runner.observe import logs

app = typer.Typer(help="The installed packages.", no_args_is_help=True)

T = TypeVar("T")

Requirements = Annotated[
    list[str] | None,
    typer.Argument(help="Requirement lines, as in: 'pandas>=2' requests", show_default=False),
]
File = Annotated[
    Path | None,
    typer.Option("--requirements", "-r", help="A file of them, or a pyproject; - for standard input"),
]
Python = Annotated[str, typer.Option(help="The Python version that will import them")]


@app.command("list")
def layers_list() -> None:
    """What is installed, the longest unused first."""

    async def work(layers: Layers) -> None:
        shown = table("Layer", "Python", "MB", "Last used", "Packages", "Notes")
        for info in layers.list():
            used = datetime.datetime.fromtimestamp(info.used, tz=datetime.UTC).astimezone()
            names = ", ".join(f"{package.name} {package.version}" for package in info.packages)
            shown.add_row(
                info.id,
                info.python,
                f"{info.bytes / 2**20:.1f}",
                f"{used:%Y-%m-%d %H:%M}",
                names,
                " ".join(info.warnings),
            )
        show(
            shown,
            "No packages are installed yet: a node that needs some has them installed, or `qflow layers build`.",
        )

    _with_layers(work)


@app.command("build")
def layers_build(requirements: Requirements = None, file: File = None, python: Python = "") -> None:
    """Install packages ahead of their first use. Quick when they are there."""
    given = _given(requirements, file)

    async def work(layers: Layers) -> None:
        lock = await layers.locks.lock(given, python or read_settings({}).python)
        for warning in lock.warnings:
            complain(warning)
        building = asyncio.create_task(layers.layer(lock))
        # It is begun once it ran to its first wait.
        await asyncio.sleep(0)
        async for each in layers.events(lock.id):
            complain(_sentence(each))
        layer = await building
        say(f"{layer.id}  Python {layer.python}  {layer.bytes / 2**20:.1f} MB  {layer.path}")

    _with_layers(work)


@app.command("remove")
def layers_remove(layer: Annotated[list[str], typer.Argument(help="Ids, or their beginnings")]) -> None:
    """Remove layers that nobody uses. They are built again when a node wants them."""

    async def work(layers: Layers) -> None:
        known = [info.id for info in layers.list()]
        for given in layer:
            found = [each for each in known if each.startswith(given)]
            chosen = found[0] if len(found) == 1 else given
            await layers.remove(chosen)
            print(chosen)

    _with_layers(work)


@app.command("audit")
def layers_audit(
    *,
    clean: Annotated[bool, typer.Option("--all", help="Show packages without findings too")] = False,
) -> None:
    """What is known to be vulnerable in the installed packages. Ends with 1 where something is, with 3 where that is not known."""
    # Its HTTP client takes a while to import, and the other commands do not need it.
    from qflow_runner.advisories import Advisories, audit_table
    from qflow_runner.vetting import Vetting

    worst: set[str] = set()

    async def work(layers: Layers) -> None:
        settings = read_settings({})
        vetting = Vetting(settings, Advisories(settings))
        await vetting.open()
        try:
            packages = {package for info in layers.list() for package in info.packages}
            audit = await vetting.audit(sorted(packages, key=lambda package: (package.name, package.version)))
        finally:
            await vetting.close()
        Terminal().print(audit_table(audit, clean=clean))
        worst.add(audit.worst)

    _with_layers(work)
    raise SystemExit(1 if "vulnerable" in worst else 3 if "not checked" in worst else 0)


@app.command("upgrade")
def layers_upgrade(
    requirements: Requirements = None,
    file: File = None,
    python: Python = "",
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Use the new versions; without it they are only shown")
    ] = False,
    back: Annotated[
        bool, typer.Option("--back", help="Go back to the versions before the last upgrade")
    ] = False,
    runner: Annotated[str, typer.Option(help="Have a running runner do it: its address")] = "",
    definition: Annotated[
        str, typer.Option(help="Id of a definition that the runner runs with both; other results are refused")
    ] = "",
    items: Annotated[
        Path | None, typer.Option(help="A JSON file of n8n items to run it with; one empty item when absent")
    ] = None,
) -> None:
    """Show what newer versions would change, or change it. A runner that runs on the same files follows."""
    given = _given(requirements, file)
    if items is not None and not definition:
        refuse("Say with --definition what is to be run with the items.")
    if definition and not runner:
        refuse("A definition is run by a running runner: say with --runner where it is.")
    settings = read_settings({})
    if runner:
        by_runner(settings, runner, given, python, yes=yes, back=back, definition=definition, items=items)
    else:
        _with_layers(on_disk(given, python or settings.python, yes=yes, back=back))


def _sentence(progress: BuildProgress) -> str:
    sizes = f" {progress.bytes_done >> 20} of {progress.bytes_total >> 20} MB" if progress.bytes_total else ""
    return f"{progress.phase} {progress.package}{sizes}".replace("  ", " ")


def _given(requirements: Sequence[str] | None, file: Path | None) -> list[str]:
    if file is None:
        if not requirements:
            refuse("Name packages, or a file of them with --requirements.")
        return list(requirements)
    return [*(requirements or []), read_text(file)]


def _with_layers(work: Callable[[Layers], Awaitable[T]]) -> T:
    settings = read_settings({})
    logs.configure(settings.log_format, "warning")

    async def run() -> T:
        layers = Layers(settings, compile_here)
        await layers.open()
        try:
            return await work(layers)
        finally:
            await layers.close()

    return asyncio.run(run())
