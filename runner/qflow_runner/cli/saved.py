"""`qflow definitions`: what was saved by name, in the runner's database. The runner may run meanwhile, or not."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from qflow_runner.cli.reading import read_settings, read_text
from qflow_runner.cli.terminal import complain, say, show, table
from qflow_runner.observe import logs
from qflow_runner.settings import Settings
from qflow_runner.store import Database, NewVersion, Saved, SavedDefinitions, SavedVersion

app = typer.Typer(help="The definitions that were saved by name.", no_args_is_help=True)

T = TypeVar("T")
PAGE = 200

Name = Annotated[str, typer.Argument(help="The name, in any case")]


@app.command("list")
def definitions_list(part: Annotated[str, typer.Argument(help="Part of a name")] = "") -> None:
    """What there is, in alphabetical order."""

    async def work(saved: SavedDefinitions) -> list[Saved]:
        found: list[Saved] = []
        while page := await saved.page(part, found[-1].key if found else "", PAGE):
            found += page
        return found

    shown = table("Name", "Version", "Function", "Updated")
    for each in _with_saved(read_settings({}), work):
        updated = f"{each.updated.astimezone():%Y-%m-%d %H:%M}"
        shown.add_row(each.name, str(each.version), each.signature or each.function, updated)
    show(
        shown,
        f"No name has {part!r} in it."
        if part
        else "Nothing is saved yet: `qflow definitions save` does that.",
    )


@app.command("show")
def definitions_show(
    name: Name,
    version: Annotated[int | None, typer.Option(min=1, help="Which version; the latest when absent")] = None,
) -> None:
    """Print the code of a definition; what else is known of it goes to standard error."""
    found = _with_saved(read_settings({}), lambda saved: saved.get(name, version))
    about = f"{found.name}, version {found.version} of {found.latest}, {found.created:%Y-%m-%d %H:%M} UTC"
    complain(": ".join(filter(None, (about, found.note))))
    print(str(found.content["code"]).rstrip("\n"))


@app.command("save")
def definitions_save(
    file: Annotated[Path, typer.Argument(help="A Python file, or - for standard input")],
    name: Annotated[str, typer.Option(help="The name to save it under")],
    function: Annotated[str, typer.Option(help="The function to call; the only one when absent")] = "",
    python: Annotated[str, typer.Option(help="The Python version that will run it")] = "",
    note: Annotated[str, typer.Option(help="What this version is about")] = "",
) -> None:
    """Save a node's code under a name, for nodes to choose. Other code makes a new version."""
    settings, code = read_settings({}), read_text(file)

    async def work(saved: SavedDefinitions) -> tuple[SavedVersion, bool]:
        return await saved.put(name, await _new_version(settings, code, function, python, note))

    found, added = _with_saved(settings, work)
    say(f"{found.name}, version {found.version}{'' if added else ' (as before)'}: {found.signature}")


async def _new_version(settings: Settings, code: str, function: str, python: str, note: str) -> NewVersion:
    from pydantic import ValidationError

    from qflow_runner.analysis import Analyzer
    from qflow_runner.api.bodies import sentence
    from qflow_runner.api.saving import new_version
    from qflow_runner.definitions import DefinitionRequest, Definitions
    from qflow_runner.errors import RequestError
    from qflow_runner.sandbox.images import SUPPORTED

    try:
        request = DefinitionRequest(code=code, function=function, python=python)
    except ValidationError as error:
        raise RequestError(f"This cannot be saved: {sentence(error)}.") from None
    analyzer = Analyzer()
    await analyzer.open()
    try:
        return await new_version(request, note, analyzer, Definitions(settings, SUPPORTED), settings)
    finally:
        await analyzer.close()


def _with_saved(settings: Settings, work: Callable[[SavedDefinitions], Awaitable[T]]) -> T:
    logs.configure(settings.log_format, "error")

    async def run() -> T:
        database = Database(settings)
        try:
            await database.opened()
            return await work(SavedDefinitions(database))
        finally:
            await database.close()

    return asyncio.run(run())
