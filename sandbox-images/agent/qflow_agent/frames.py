"""Tables on their way in: a DataFrame or an Arrow table of rows, or of a table of another package.

Fields that a row does not have are missing values; objects and lists in a row stay what they are. Text stays text,
dates too, unless conversions are lax: then a column that is nothing but ISO dates becomes one of dates.
"""

import re
import sys
from importlib.util import find_spec
from typing import Any, Callable, Dict, List, Optional, Tuple

from qflow_agent.kinds import ANY, Kind, Mismatch
from qflow_agent.scalars import iso_moment
from qflow_agent.tables import meaningful, name_of, opener_of

Table = Dict[str, List[Any]]

_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?")
_TYPES = (int, float)


def table(cls: Any, expected: str, *, lax: bool = False) -> Optional[Kind]:
    """The kind of a table, known by name: no package is imported to find out."""
    name = next((name for name in map(name_of, cls.__mro__) if name in _MAKERS), None)
    make = _MAKERS[name] if name else _of_unknown if cls.__name__ == "DataFrame" else None
    if make is None:
        return None

    def convert(value: Any) -> Any:
        if isinstance(value, cls):
            return value
        try:
            made = _from_frame(cls, value)
            return make(cls, _table(value, expected, lax=lax)) if made is None else made
        except Mismatch:
            raise
        except (MemoryError, RecursionError):
            raise
        except Exception as error:  # each package has errors of its own for columns that it cannot hold
            reason = str(error).strip().splitlines()
            raise Mismatch(
                expected, value, "%s cannot be made of it: %s" % (expected, reason[0] if reason else error)
            ) from None

    return Kind(expected, frozenset({cls}), convert, element=ANY)


def _table(value: Any, expected: str, *, lax: bool) -> Table:
    rows = value
    if opener_of(type(value)) is not None:
        return {name: list(values) for name, values in raw_columns(value, expected)}
    if type(rows) is tuple:
        rows = list(rows)
    if type(rows) is not list:
        if not lax or type(rows) is not dict:
            raise Mismatch(expected, value)
        rows = [rows]
    found = columns_of_rows(rows, expected)
    return {name: _dates(values) for name, values in found.items()} if lax else found


def columns_of_rows(rows: List[Any], expected: str) -> Table:
    """The columns, in the order in which their names first come. Rows that are no objects are a column ``value``."""
    kinds = set(map(type, rows))
    objects = {cls for cls in kinds if issubclass(cls, dict)}
    if objects != kinds:
        if objects:
            at = next(index for index, row in enumerate(rows) if not isinstance(row, dict))
            raise Mismatch("a row of %s, an object" % expected, rows[at]).at(at)
        return {"value": list(rows)}
    names: Dict[str, None] = {}
    for row in rows:
        if not names.keys() >= row.keys():
            names.update(dict.fromkeys(row))
    return {name: [row.get(name) for row in rows] for name in names}


def raw_columns(frame: Any, expected: str) -> List[Tuple[str, List[Any]]]:
    """Columns of Python objects, without a way through JSON's types."""
    if hasattr(frame, "collect") and hasattr(frame, "lazy"):
        frame = frame.collect()
    if hasattr(frame, "get_columns"):
        return [(column.name, column.to_list()) for column in frame.get_columns()]
    if hasattr(frame, "schema"):
        names = frame.schema.names
        return [(name, frame.column(at).to_pylist()) for at, name in enumerate(names)]
    if hasattr(frame, "iloc"):
        frame = frame.to_frame("value" if frame.name is None else frame.name) if frame.ndim == 1 else frame
        frame = _with_index(frame)
        return [(str(name), _objects(frame.iloc[:, at])) for at, name in enumerate(frame.columns)]
    if getattr(getattr(frame, "dtype", None), "names", None):
        return [(name, frame[name].tolist()) for name in frame.dtype.names]
    if getattr(frame, "ndim", 1) == 2:
        return [(str(at), frame[:, at].tolist()) for at in range(frame.shape[1])]
    if getattr(frame, "ndim", 1) == 1:
        return [("value", (frame.to_list if hasattr(frame, "to_list") else frame.tolist)())]
    raise Mismatch(expected, frame)


def _objects(series: Any) -> List[Any]:
    values = series.astype(object).tolist()
    return [None if gone else value for value, gone in zip(values, series.isna().tolist())]


def _with_index(frame: Any) -> Any:
    return frame.reset_index() if meaningful(frame.index) else frame


def _from_frame(cls: Any, value: Any) -> Any:
    """A table of one package as that of another, by their own ways, where Arrow is there to carry it; else None."""
    ours, theirs = name_of(cls), name_of(type(value))
    way = _WAYS.get((ours, theirs))
    if way is None or find_spec("pyarrow") is None:
        return None
    try:
        return way(cls, value)
    except Exception:
        return None  # a column that Arrow cannot carry: column by column, the error says which


_WAYS: Dict[Tuple[str, str], Callable[[Any, Any], Any]] = {
    ("pandas.DataFrame", "polars.DataFrame"): lambda _cls, frame: frame.to_pandas(),
    ("pandas.DataFrame", "pyarrow.Table"): lambda _cls, frame: frame.to_pandas(),
    ("polars.DataFrame", "pandas.DataFrame"): lambda _cls, frame: _polars().from_pandas(_with_index(frame)),
    ("polars.DataFrame", "pyarrow.Table"): lambda _cls, frame: _polars().from_arrow(frame),
    ("pyarrow.Table", "pandas.DataFrame"): lambda cls, frame: cls.from_pandas(
        _with_index(frame), preserve_index=False
    ),
    ("pyarrow.Table", "polars.DataFrame"): lambda _cls, frame: frame.to_arrow(),
}


def _polars() -> Any:
    return sys.modules["polars"]


def _of_pandas(cls: Any, found: Table) -> Any:
    return cls(found)


def _of_polars(cls: Any, found: Table) -> Any:
    return cls(dict(zip(found, map(_evened, found.values()))), strict=True)


def _of_lazy(_cls: Any, found: Table) -> Any:
    return _of_polars(_polars().DataFrame, found).lazy()


def _of_arrow(cls: Any, found: Table) -> Any:
    return cls.from_pydict(dict(zip(found, map(_evened, found.values()))))


def _of_unknown(cls: Any, found: Table) -> Any:
    """A DataFrame of a package that is not known here: most take a list of rows."""
    return cls([dict(zip(found, row)) for row in zip(*found.values())])


def _evened(values: List[Any]) -> List[Any]:
    """JSON writes 2.0 as 2: a column of both is one of floats for those that want one type."""
    kinds = set(map(type, values)) - {type(None)}
    return [None if value is None else float(value) for value in values] if kinds == set(_TYPES) else values


def _dates(values: List[Any]) -> List[Any]:
    """Datetimes where every text is an ISO date, in UTC where they have offsets; else the values."""
    if not set(map(type, values)) <= {str, type(None)}:
        return values
    texts = [value for value in values if value is not None]
    if not texts or not all(map(_DATE.fullmatch, texts)):
        return values
    try:
        found = [None if value is None else iso_moment(value) for value in values]
    except ValueError:
        return values
    aware = {value.tzinfo is not None for value in found if value is not None}
    if aware == {True}:
        import datetime

        utc = datetime.timezone.utc
        return [None if value is None else value.astimezone(utc) for value in found]
    return found if aware == {False} else values


_MAKERS: Dict[str, Callable[[Any, Table], Any]] = {
    "pandas.DataFrame": _of_pandas,
    "polars.DataFrame": _of_polars,
    "polars.LazyFrame": _of_lazy,
    "pyarrow.Table": _of_arrow,
    "pyarrow.RecordBatch": _of_arrow,
}
