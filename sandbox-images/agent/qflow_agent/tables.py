"""Tables and arrays on their way out: one row per item, as a dict of plain values.

Known by their classes' packages and names, so that none is imported. Rules, as docs/data.md states them: names of
columns become text, with _2, _3, … where two are the same; an index with a name, or one that is not of whole
numbers, stands before the columns; a column of several levels has its names joined with _.
"""

from typing import Any, Callable, Dict, List, Optional, Tuple

from qflow_agent import columns
from qflow_agent.plain import Notes, text

Columns = List[Tuple[str, List[Any]]]
Opener = Callable[[Any, Notes], List[Any]]

_OPENERS: Dict[type, Optional[Opener]] = {}


def opened(value: Any, notes: Notes) -> Any:
    """The rows or the elements of a table, a series or an array of one dimension; any other value itself."""
    opener = opener_of(type(value))
    return value if opener is None else opener(value, notes)


def opener_of(cls: type) -> Optional[Opener]:
    try:
        return _OPENERS[cls]
    except KeyError:
        found = next((_BY_NAME[name] for name in map(name_of, cls.__mro__) if name in _BY_NAME), None)
        _OPENERS[cls] = found
        return found


def name_of(cls: type) -> str:
    """``pandas.DataFrame``: the package and the class, wherever in the package it is defined."""
    return "%s.%s" % (cls.__module__.partition(".")[0], cls.__name__)


def columns_of(value: Any, notes: Notes) -> Optional[Columns]:
    """The columns of a table with their names; None for what is no table."""
    for base in type(value).__mro__:
        found = _COLUMNS.get(name_of(base))
        if found is not None:
            return found(value, notes)
    return None


def meaningful(index: Any) -> bool:
    """Whether the index of a pandas object says more than the number of the row."""
    if any(name is not None for name in index.names) or index.nlevels > 1:
        return True
    return len(index) > 0 and getattr(index.dtype, "kind", "O") not in "iu"


def unique(names: List[Any], notes: Notes, taken: "frozenset[str]" = frozenset()) -> List[str]:
    """The names as text, each once."""
    found: List[str] = []
    used = set(taken)
    given = set(map(_name, names)) if taken or len(set(map(_name, names))) < len(names) else set()
    for raw in names:
        name = wanted = _name(raw)
        number = 2
        while name in used or (name != wanted and name in given):
            name = "%s_%d" % (wanted, number)
            number += 1
        if name != wanted:
            notes.renamed.append("%s → %s" % (wanted, name))
        used.add(name)
        found.append(name)
    return found


def _name(raw: Any) -> str:
    if type(raw) is str:
        return text(raw)
    if isinstance(raw, tuple):
        parts = [_name(part) for part in raw]
        return "_".join(part for part in parts if part) or "null"
    if raw is None or raw != raw:  # noqa: PLR0124 - a name that is missing
        return "null"
    if raw is True or raw is False:
        return "true" if raw else "false"
    if hasattr(raw, "isoformat"):
        return str(raw.isoformat())
    return text(str(getattr(raw, "value", raw)))


def _pandas_columns(frame: Any, notes: Notes) -> Columns:
    names = unique(list(frame.columns), notes)
    values = _pandas_values(frame, notes)
    return _index(frame.index, names, notes) + list(zip(names, values))


def _pandas_values(frame: Any, notes: Notes) -> List[List[Any]]:
    kinds = set(frame.dtypes)
    if len(kinds) == 1 and getattr(next(iter(kinds)), "kind", "O") in "iufbMm" and frame.shape[1] > 100:
        only = next(iter(kinds))
        if type(only).__module__.partition(".")[0] == "numpy":
            # Many columns of one kind: to ask for each of them costs more than what is in it.
            return [columns.of_numpy(column, notes) for column in frame.to_numpy().T]
    return [columns.of_pandas(frame.iloc[:, at], notes) for at in range(frame.shape[1])]


def _index(index: Any, names: List[str], notes: Notes) -> Columns:
    if not meaningful(index):
        return []
    levels = [index] if index.nlevels == 1 else [index.get_level_values(at) for at in range(index.nlevels)]
    fallback = ["index"] if index.nlevels == 1 else ["level_%d" % at for at in range(index.nlevels)]
    raw = [name if level.name is None else level.name for name, level in zip(fallback, levels)]
    own = unique(raw, notes, frozenset(names))
    return [(name, columns.of_pandas(level, notes)) for name, level in zip(own, levels)]


def _polars_columns(frame: Any, notes: Notes) -> Columns:
    return [(text(column.name), columns.of_polars(column, notes)) for column in frame.get_columns()]


def _arrow_columns(table: Any, notes: Notes) -> Columns:
    names = unique(list(table.schema.names), notes)
    return [(name, columns.of_arrow(table.column(at), notes)) for at, name in enumerate(names)]


def _structured_columns(array: Any, notes: Notes) -> Columns:
    return [(text(name), listed(array[name], notes)) for name in array.dtype.names]


def listed(array: Any, notes: Notes) -> Any:
    """The elements of a numpy array: rows of a structured one, lists of lists of one with more dimensions."""
    if array.dtype.names is not None and array.ndim == 1:
        return rows(_structured_columns(array, notes), len(array))
    if array.ndim == 1:
        return columns.of_numpy(array, notes)
    if array.ndim == 0:
        # An element of its own: an array of one has the same rules.
        return listed(array.reshape(1), notes)[0]
    if array.dtype.names is not None or array.dtype.kind in "Mm":
        return [listed(part, notes) for part in array]
    return array.tolist()


def rows(found: Columns, count: int) -> List[Dict[str, Any]]:
    if not found:
        return [{} for _ in range(count)]
    names = [name for name, _ in found]
    return [dict(zip(names, row)) for row in zip(*[values for _, values in found])]


def _series(series: Any, notes: Notes) -> List[Any]:
    """The elements alone, as those of a list; with what an index says, rows."""
    values = columns.of_pandas(series, notes)
    name = "value" if series.name is None else _name(series.name)
    index = _index(series.index, [name], notes)
    return rows([*index, (name, values)], len(values)) if index else values


_COLUMNS: Dict[str, Callable[[Any, Notes], Columns]] = {
    "pandas.DataFrame": _pandas_columns,
    "polars.DataFrame": _polars_columns,
    "polars.LazyFrame": lambda frame, notes: _polars_columns(frame.collect(), notes),
    "pyarrow.Table": _arrow_columns,
    "pyarrow.RecordBatch": _arrow_columns,
}

_BY_NAME: Dict[str, Opener] = {
    "pandas.DataFrame": lambda frame, notes: rows(_pandas_columns(frame, notes), len(frame)),
    "pandas.Series": _series,
    "pandas.Index": columns.of_pandas,
    "pandas.MultiIndex": lambda index, notes: rows(_index(index, [], notes), len(index)),
    "polars.DataFrame": lambda frame, notes: rows(_polars_columns(frame, notes), frame.height),
    "polars.LazyFrame": lambda frame, notes: opened(frame.collect(), notes),
    "polars.Series": columns.of_polars,
    "pyarrow.Table": lambda table, notes: rows(_arrow_columns(table, notes), table.num_rows),
    "pyarrow.RecordBatch": lambda batch, notes: rows(_arrow_columns(batch, notes), batch.num_rows),
    "pyarrow.RecordBatchReader": lambda reader, notes: opened(reader.read_all(), notes),
    "pyarrow.ChunkedArray": columns.of_arrow,
    "pyarrow.Array": columns.of_arrow,
    "numpy.ndarray": listed,
}
