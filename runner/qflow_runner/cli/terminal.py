"""What a command says to a person. Names, messages and output of strangers are shown there, and never obeyed."""

import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from qflow_runner.visible import visible


class Terminal(Console):
    """Without `markup`, square brackets are text: for what others named and wrote."""

    def __init__(self, *, markup: bool = False, stderr: bool = False) -> None:
        super().__init__(markup=markup, emoji=False, highlight=False, stderr=stderr)

    def render_str(self, text: str, **options: Any) -> Text:  # pyright: ignore[reportIncompatibleMethodOverride] - they are passed on
        """Before it is laid out, because what is seen takes room."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What came as Rich's own objects. Escape sequences are made of styles only after this."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


def table(*columns: Column | str) -> Table:
    return Table(*columns, box=SIMPLE)


def show(rows: Table, none: str) -> None:
    """`none` is the sentence for where there are no rows."""
    if rows.row_count:
        Terminal().print(rows)
    else:
        complain(none)


def say(text: str) -> None:
    print(visible(text))


def complain(text: str) -> None:
    """On standard error, where it does not mix with a result."""
    print(visible(text), file=sys.stderr)


def refuse(text: str) -> NoReturn:
    """What was given is no good: nothing was done."""
    complain(text)
    raise SystemExit(2)
