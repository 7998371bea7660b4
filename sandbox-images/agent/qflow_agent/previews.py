"""What a reference tells about its object: type, shape, columns, size and a first look, in at most LIMIT bytes of JSON.

Objects of packages are known by the names of their classes, so nothing is imported. No more than a few rows are
read, however large the object is, and no failure of the object's own gets out.
"""

from itertools import islice
from types import FunctionType, GeneratorType
from typing import Any, Callable, Dict, Iterable, List, Tuple

from qflow_agent import codec
from qflow_agent.glances import cell, clipped, glance, type_text
from qflow_agent.problem import TimeLimit
from qflow_agent.tracebacks import type_name

Json = Dict[str, Any]

LIMIT = 4_000
"""Bytes."""

ROWS = 5
COLUMNS = 10
"""Columns whose first cells are shown."""

NAMED_COLUMNS = 50
ELEMENTS = 10
_MEASURED_COLUMNS = 200
"""To ask a frame with more for its size would cost more than the preview."""

_CELL_BYTES = 100_000
"""Of a column whose first cells hold more, none is read."""


def preview(value: Any) -> Json:
    """``{"type", "shape"?, "dtype"?, "columns"?, "more_columns"?, "bytes"?, "preview"}`` of any object."""
    document: Json = {"type": type_text(type(value))}
    try:
        document.update(_maker_of(type(value))(value))
    except TimeLimit:
        raise
    except BaseException as error:  # the object's class may be anybody's
        document["preview"] = "(a look at it raised %s)" % clipped(type_name(error))
    return _fitted(document)


def _fitted(document: Json) -> Json:
    """`document` with less and less of its preview and its columns, until it is short enough."""
    while len(codec.dumps(document)) > LIMIT:
        shown = document.get("preview")
        columns = document.get("columns")
        if type(shown) is list and len(shown) > 1:
            document["preview"] = shown[: len(shown) // 2]
        elif type(shown) is list or type(shown) is dict:
            document["preview"] = "(too wide to show)"
        elif columns:
            kept = dict(islice(columns.items(), len(columns) // 2))
            document["more_columns"] = document.get("more_columns", 0) + len(columns) - len(kept)
            document["columns"] = kept
        else:
            break
    return document


def _maker_of(cls: type) -> Callable[[Any], Json]:
    for base in cls.__mro__:
        module = base.__module__ if isinstance(base.__module__, str) else ""
        maker = _MAKERS.get("%s.%s" % (module.partition(".")[0], base.__name__))
        if maker is not None:
            return maker
    if cls.__module__.startswith("scipy.sparse"):
        return _sparse
    return _estimator if hasattr(cls, "get_params") and hasattr(cls, "fit") else _object


def _columns(pairs: Iterable[Tuple[Any, Any]], count: int) -> Json:
    """Column names with their types; what has the name of an earlier one is numbered."""
    found: Dict[str, str] = {}
    for name, dtype in islice(pairs, NAMED_COLUMNS):
        words = unique = clipped(name if type(name) is str else glance(name))
        number = 2
        while unique in found:
            unique = "%s (%d)" % (words, number)
            number += 1
        found[unique] = clipped(str(dtype), 40)
    more = count - len(found)
    return {"columns": found, "more_columns": more} if more > 0 else {"columns": found}


def _rows(document: Json, rows: Iterable[Iterable[Any]]) -> Json:
    """`document` with the cells of the first rows by the names of their columns."""
    names = list(islice(document["columns"], COLUMNS))
    document["preview"] = [dict(zip(names, map(cell, row))) for row in islice(rows, ROWS)]
    return document


def _shape(value: Any) -> List[int]:
    return [int(size) for size in value.shape]


def _pandas_frame(value: Any) -> Json:
    count = len(value.columns)
    pairs = zip(value.columns[:NAMED_COLUMNS].tolist(), value.dtypes.iloc[:NAMED_COLUMNS].tolist())
    document = {"shape": _shape(value), **_columns(pairs, count)}
    if count <= _MEASURED_COLUMNS:
        columns = sum(series.nbytes for _, series in value.items())
        document["bytes"] = int(columns + value.index.memory_usage(deep=False))
    return _rows(document, zip(*(series.tolist() for _, series in value.iloc[:ROWS, :COLUMNS].items())))


def _pandas_series(value: Any) -> Json:
    first = value.iloc[:ELEMENTS] if hasattr(value, "iloc") else value[:ELEMENTS]
    size = value.memory_usage(deep=False)
    return {
        "shape": _shape(value),
        "dtype": clipped(str(value.dtype)),
        "bytes": int(size),
        "preview": list(map(cell, first.tolist())),
    }


def _polars_frame(value: Any) -> Json:
    schema = value.schema
    document = {"shape": _shape(value), **_columns(schema.items(), len(schema))}
    document["bytes"] = int(value.estimated_size())
    columns = [_polars_cells(value[:ROWS, index]) for index in range(min(COLUMNS, len(schema)))]
    return _rows(document, zip(*columns))


def _polars_cells(series: Any) -> List[Any]:
    nested = getattr(series.dtype, "is_nested", None)
    if nested is not None and nested():
        return ["(%s)" % clipped(str(series.dtype), 40)] * len(series)
    return list(map(cell, series.to_list()))


def _polars_series(value: Any) -> Json:
    return {
        "shape": _shape(value),
        "dtype": clipped(str(value.dtype)),
        "bytes": int(value.estimated_size()),
        "preview": _polars_cells(value.head(ELEMENTS)),
    }


def _polars_lazy(_value: Any) -> Json:
    return {"preview": "(a query that has not run yet)"}


def _arrow_table(value: Any) -> Json:
    fields = [value.schema.field(index) for index in range(min(NAMED_COLUMNS, value.num_columns))]
    document = {
        "shape": [value.num_rows, value.num_columns],
        **_columns(((field.name, field.type) for field in fields), value.num_columns),
        "bytes": int(value.nbytes) if value.num_columns <= _MEASURED_COLUMNS else 0,
    }
    columns = [_arrow_cells(value.column(index)) for index in range(min(COLUMNS, value.num_columns))]
    return _rows(document, zip(*columns))


def _arrow_cells(column: Any) -> List[Any]:
    first = column.slice(0, ROWS)
    if first.nbytes > _CELL_BYTES:
        return ["(%s)" % clipped(str(first.type), 40)] * len(first)
    return list(map(cell, first.to_pylist()))


def _arrow_array(value: Any) -> Json:
    document = {"shape": [len(value)], "dtype": clipped(str(value.type)), "bytes": int(value.nbytes)}
    return {**document, "preview": _arrow_cells(value)}


def _array(value: Any) -> Json:
    ndim = value.ndim
    if ndim == 0:
        shown: Any = cell(value[()])
    elif ndim == 1:
        shown = _cells(value[:ELEMENTS])
    elif ndim == 2:
        shown = [_cells(row) for row in value[:ROWS, :COLUMNS]]
    else:
        shown = _cells(value.flat[:ELEMENTS])
    size = int(value.nbytes)
    return {"shape": _shape(value), "dtype": clipped(str(value.dtype)), "bytes": size, "preview": shown}


def _cells(row: Any) -> List[Any]:
    """Of a numpy array of a few elements; the elements of its dates and structures are scalars of numpy."""
    return list(map(cell, row.tolist() if row.dtype.kind not in "mMV" else row))


def _tensor(value: Any) -> Json:
    document = {"shape": _shape(value), "dtype": clipped(str(value.dtype))}
    return {**document, "preview": "(on %s)" % clipped(str(value.device))}


def _sparse(value: Any) -> Json:
    shown = "(%d values that are not zero, %s)" % (value.nnz, clipped(str(value.format)))
    return {"shape": _shape(value), "dtype": clipped(str(value.dtype)), "preview": shown}


def _estimator(value: Any) -> Json:
    settings = value.get_params(deep=False)
    attributes = vars(value)
    asked = getattr(type(value), "__sklearn_is_fitted__", None)  # where a class says it in a way of its own
    fitted = (
        bool(asked(value))
        if asked
        else any(name.endswith("_") and not name.startswith("_") for name in attributes)
    )
    shown = {clipped(str(name)): cell(part) for name, part in islice(settings.items(), 20)}
    return {"preview": {"fitted": fitted, "parameters": shown}}


def _image(value: Any) -> Json:
    width, height = value.size
    return {"shape": [height, width], "preview": "(%s, %d × %d)" % (clipped(value.mode), width, height)}


def _mapping(value: Any) -> Json:
    shown = {clipped(str(cell(name))): cell(dict.get(value, name)) for name in islice(dict.keys(value), 20)}
    return {"shape": [dict.__len__(value)], "preview": shown}


def _sequence(value: Any) -> Json:
    return {"shape": [len(value)], "preview": list(map(cell, islice(iter(value), ELEMENTS)))}


def _generator(value: GeneratorType) -> Json:  # type: ignore[type-arg]
    return {"preview": "(generator %s, read step by step)" % clipped(value.__qualname__)}


def _function(value: FunctionType) -> Json:
    code = value.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return {"preview": clipped("def %s(%s)" % (value.__name__, ", ".join(names)))}


def _bytes(value: Any) -> Json:
    return {"bytes": memoryview(value).nbytes, "preview": glance(value)}


def _object(value: Any) -> Json:
    return {"preview": cell(value)}


_MAKERS: Dict[str, Callable[[Any], Json]] = {
    "pandas.DataFrame": _pandas_frame,
    "pandas.Series": _pandas_series,
    "pandas.Index": _pandas_series,
    "polars.DataFrame": _polars_frame,
    "polars.Series": _polars_series,
    "polars.LazyFrame": _polars_lazy,
    "pyarrow.Table": _arrow_table,
    "pyarrow.RecordBatch": _arrow_table,
    "pyarrow.Array": _arrow_array,
    "pyarrow.ChunkedArray": _arrow_array,
    "numpy.ndarray": _array,
    "numpy.generic": _array,
    "torch.Tensor": _tensor,
    "PIL.Image": _image,
    "builtins.dict": _mapping,
    "builtins.list": _sequence,
    "builtins.tuple": _sequence,
    "builtins.set": _sequence,
    "builtins.frozenset": _sequence,
    "collections.deque": _sequence,
    "builtins.generator": _generator,
    "builtins.function": _function,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
}
