"""Tables of pandas, polars and Arrow, drawn as source: names × kinds of columns × values × an index."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.unit.agent.drawn import Drawn
from tests.unit.agent.drawn_columnar import ARROW, POLARS
from tests.unit.agent.drawn_columns import PANDAS, Column

_ROWS = 4


class Table(NamedTuple):
    source: str
    rows: list[dict[str, Any]]


def named(names: list[Any]) -> list[str]:
    """The rule of docs/data.md: text, and the second of one name is ``name_2``."""
    found: list[str] = []
    for raw in names:
        text = {None: "null", True: "true"}[raw] if raw is None or raw is True else str(raw)
        count = sum(each.partition("_")[0] == text for each in found)
        found.append(f"{text}_{count + 1}" if count else text)
    return found


@st.composite
def _columns(draw: st.DrawFn, kinds: list[Column]) -> tuple[int, list[tuple[Column, list[Drawn]]]]:
    count = draw(st.integers(0, _ROWS))
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    return count, [(kind, draw(st.lists(kind.cell, min_size=count, max_size=count))) for kind in chosen]


def _written(kind: Column, cells: list[Drawn], name: str = "''") -> str:
    return kind.form.replace("NAME", name) % ", ".join(cell.source for cell in cells)


def _rows(count: int, names: list[str], columns: list[list[Drawn]]) -> list[dict[str, Any]]:
    return [{name: cells[at].json for name, cells in zip(names, columns, strict=True)} for at in range(count)]


@st.composite
def pandas_frames(draw: st.DrawFn) -> Table:
    """With names that are no text or come twice, and an index of several kinds."""
    count, columns = draw(_columns(PANDAS))
    name = st.sampled_from(["a", "b", "ü", "with space", 1, 2024, None, True])
    names = draw(st.lists(name, min_size=len(columns), max_size=len(columns)))
    parts = ", ".join(_written(kind, cells) for kind, cells in columns)
    source = f"pd.concat([{parts}], axis=1).set_axis(pd.Index({names!r}, dtype=object), axis=1)"
    json = [cells for _, cells in columns]
    shown = named(names)
    how = draw(st.sampled_from(["", "", "whole", "named", "kind", "levels"]))
    if how in ("whole", "named"):
        numbers = draw(st.lists(st.integers(0, 99), min_size=count, max_size=count))
        title = ", name='idx'" if how == "named" else ""
        source += f".set_axis(pd.Index({numbers}, dtype='int64'{title}), axis=0)"
        if title:
            shown, json = ["idx", *shown], [[Drawn("", n) for n in numbers], *json]
    elif how == "kind" and count:
        kind = draw(st.sampled_from([each for each in PANDAS if each.index and "int" not in each.form]))
        cells = draw(st.lists(kind.cell, min_size=count, max_size=count))
        source += f".set_axis(pd.Index({_written(kind, cells)}), axis=0)"
        shown, json = ["index", *shown], [cells, *json]
    elif how == "levels" and count:
        words = draw(st.lists(st.sampled_from("pq"), min_size=count, max_size=count))
        numbers = list(range(count))
        source += f".set_axis(pd.MultiIndex.from_arrays([{words}, {numbers}], names=['word', None]), axis=0)"
        shown = ["word", "level_1", *shown]
        json = [[Drawn("", word) for word in words], [Drawn("", n) for n in numbers], *json]
    return Table(source, _rows(count, shown, json))


@st.composite
def polars_frames(draw: st.DrawFn) -> Table:
    count, columns = draw(_columns(POLARS))
    names = draw(
        st.lists(
            st.sampled_from(["a", "b", "ü", "with space", "$x"]),
            min_size=len(columns),
            max_size=len(columns),
            unique=True,
        )
    )
    parts = ", ".join(
        _written(kind, cells, ascii(name)) for name, (kind, cells) in zip(names, columns, strict=True)
    )
    return Table(f"pl.DataFrame([{parts}])", _rows(count, names, [cells for _, cells in columns]))


@st.composite
def arrow_tables(draw: st.DrawFn) -> Table:
    """In one piece or two, and as a batch."""
    count, columns = draw(_columns(ARROW))
    names = [f"c{at}" for at in range(len(columns))]
    parts = ", ".join(
        f"'{name}': {_written(kind, cells)}" for name, (kind, cells) in zip(names, columns, strict=True)
    )
    source = f"pa.table({{{parts}}})"
    rows = _rows(count, names, [cells for _, cells in columns])
    how = draw(st.sampled_from(["", "twice", "slice", "batch"]))
    if how == "twice":
        source, rows = f"pa.concat_tables([{source}] * 2)", rows * 2
    elif how == "slice" and count:
        source, rows = f"{source}.slice(1)", rows[1:]
    elif how == "batch" and count:
        source = f"{source}.to_batches()[0]"
    return Table(source, rows)


@st.composite
def series(draw: st.DrawFn) -> Table:
    """One column alone: its elements are items."""
    kind = draw(st.sampled_from([*PANDAS, *POLARS, *ARROW]))
    cells = draw(st.lists(kind.cell, max_size=_ROWS))
    return Table(
        _written(kind, cells),
        [cell.json if isinstance(cell.json, dict) else {"value": cell.json} for cell in cells],
    )
