"""Writes the reference pages under docs/reference from the code: settings, errors, commands. A test holds them to it."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from pydantic_settings import BaseSettings

from qflow_runner import errors
from qflow_runner.cli import app
from qflow_runner.errors import QflowError
from qflow_runner.settings import Settings

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "<!-- Written by `make reference` from the code: change it there. -->\n"


def pages() -> dict[str, str]:
    """Each page's text by its file name."""
    return {"settings.md": settings_page(), "errors.md": errors_page(), "commands.md": commands_page()}


def settings_page() -> str:
    text = f"# Settings\n\n{MADE}\nEach is an environment variable of the runner. `qflow settings` prints the same table.\n"
    for group in groups():
        text += f"\n## {first_line(inspect.getmodule(group))}\n\n| variable | default | what it is for |\n| --- | --- | --- |\n"
        for name in vars(group).get("__annotations__", {}):
            text += _setting(name, Settings.model_fields[name])
    return text


def groups() -> list[type[BaseSettings]]:
    """The classes that hold the rows, in the order of the code."""
    return [
        each for each in Settings.__bases__ if issubclass(each, BaseSettings) and each is not BaseSettings
    ]


def _setting(name: str, field: Any) -> str:
    unit = field.json_schema_extra["unit"]
    default = None if field.default_factory else field.default
    if default is None:
        shown = ""
    elif isinstance(default, bool):
        shown = "yes" if default else "no"
    else:
        shown = f"`{default}`"
    return f"| `QFLOW_{name.upper()}` | {shown} | {cell(field.description)} ({unit}) |\n"


def errors_page() -> str:
    text = (
        f"# Errors\n\n{MADE}\nEvery failure is a problem document (RFC 9457) with these codes. What the code in a node did "
        "wrong has codes of its own, which the node shows with the line.\n"
    )
    for module in modules(errors):
        found = list(_classes(module))
        if found:
            text += f"\n## {first_line(module)}\n\n| code | category | status | what to do |\n| --- | --- | --- | --- |\n"
            text += "".join(
                f"| `{each.code}` | {each.category} | {each.status} | {cell(getattr(each, 'hint', '') or first_line(each))} |\n"
                for each in found
            )
    return text


def _classes(module: Any) -> Iterator[type[QflowError]]:
    """Those with a code of their own."""
    for each in vars(module).values():
        own = inspect.isclass(each) and each.__module__ == module.__name__
        if own and issubclass(each, QflowError) and "code" in vars(each):
            yield each


def commands_page() -> str:
    text = f"# Commands\n\n{MADE}"
    for path, each in sorted(_leaves("qflow", typer.main.get_command(app))):
        text += f"\n## `{path}`\n\n{(each.help or '').strip()}\n"
        shown = [part for part in each.params if part.name != "help" and not getattr(part, "hidden", False)]
        if shown:
            text += "\n| option | what it is for |\n| --- | --- |\n" + "".join(map(_option, shown))
    return text


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """typer brings a click of its own, whose classes are no types to others."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, each in command.commands.items():
        yield from _leaves(f"{path} {name}", each)


def _option(part: Any) -> str:
    argument = part.param_type_name == "argument"
    name = part.name.upper() if argument else ", ".join([*part.opts, *part.secondary_opts])
    return f"| `{name}` | {cell(getattr(part, 'help', '') or '')} |\n"


def modules(package: Any) -> list[Any]:
    return [
        importlib.import_module(f"{package.__name__}.{each.name}")
        for each in pkgutil.iter_modules(package.__path__)
    ]


def first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    print(f"Written: {', '.join(pages())}", file=sys.stderr)


if __name__ == "__main__":
    main()
