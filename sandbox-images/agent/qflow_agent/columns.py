"""A column of a table, or a row of numbers, as a list of Python values: vectorised, with null for what is missing.

Dates stay datetimes, which JSON writes in ISO form; those that Python cannot hold exactly become that text here.
"""

import sys
from typing import Any, List

from qflow_agent.codec import MAX_SAFE_INTEGER

_SECOND = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}


def of_numpy(array: Any, notes: Any) -> List[Any]:
    """The elements of an array with one dimension."""
    np = sys.modules["numpy"]
    kind = array.dtype.kind
    if hasattr(array, "mask") and hasattr(array, "filled"):
        return without(of_numpy(array.data, notes), np.ma.getmaskarray(array))
    if kind in "iu":
        return _integers(array, notes)
    if kind == "f":
        return _floats(array if array.dtype.itemsize <= 8 else array.astype("f8"), notes)
    if kind == "M":
        return _moments(np, array)
    if kind == "m":
        return without((array / np.timedelta64(1, "s")).tolist(), np.isnat(array))
    return array.tolist()


def of_pandas(series: Any, notes: Any) -> List[Any]:
    """Of a Series or an Index."""
    pandas = sys.modules["pandas"]
    dtype = series.dtype
    if hasattr(series, "to_series"):
        series = series.to_series(index=range(len(series)))
    if type(dtype).__module__.partition(".")[0] == "numpy":
        array = series.to_numpy()
        return of_numpy(array, notes) if dtype.kind != "O" else without(array, pandas.isna(array))
    name = type(dtype).__name__
    if name == "CategoricalDtype":
        values = [*of_pandas(dtype.categories, notes), None]
        return list(map(values.__getitem__, series.cat.codes.tolist()))
    if name == "DatetimeTZDtype":
        return _zoned(pandas, series)
    if name == "SparseDtype":
        return of_pandas(series.sparse.to_dense(), notes)
    if name == "ArrowDtype":
        return of_arrow(sys.modules["pyarrow"].chunked_array(series.array.__arrow_array__()), notes)
    missing = series.isna().to_numpy()
    plain = getattr(dtype, "numpy_dtype", None)
    if plain is not None and plain.kind in "iufb":
        return without(of_numpy(series.fillna(plain.type(0)).to_numpy(dtype=plain), notes), missing)
    values = series.to_numpy(dtype=object)
    if name in ("PeriodDtype", "IntervalDtype"):
        values = without(values, missing)
        return [None if value is None else str(value) for value in values]
    return without(values, missing)


def of_polars(series: Any, notes: Any) -> List[Any]:
    name = series.dtype.base_type().__name__
    if name.startswith(("Int", "UInt")):
        low, high = series.min(), series.max()
        values = series.to_list()
        unsafe = low is not None and (low < -MAX_SAFE_INTEGER or high > MAX_SAFE_INTEGER)
        return _with_text(values, notes) if unsafe else values
    if name.startswith("Float"):
        infinite = int(series.is_infinite().sum() or 0)
        notes.not_numbers += infinite
        values = series.fill_nan(None).to_list()
        return (
            [None if value is None or value - value != 0 else value for value in values]
            if infinite
            else values
        )
    if name == "Datetime":
        return _polars_moments(series)
    if name == "Duration":
        unit = _SECOND[series.dtype.time_unit]
        return [None if value is None else value / unit for value in series.to_physical().to_list()]
    return series.to_list()


def of_arrow(column: Any, notes: Any) -> List[Any]:
    """Of an Array or a ChunkedArray."""
    types = sys.modules["pyarrow"].types
    kind = column.type
    fast = "numpy" in sys.modules
    if types.is_integer(kind) and fast:
        missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
        filled = column.fill_null(0) if column.null_count else column
        values = of_numpy(_to_numpy(filled), notes)
        return values if missing is None else without(values, missing)
    if types.is_floating(kind) and fast:
        return of_numpy(_to_numpy(column), notes)
    if types.is_timestamp(kind):
        if kind.tz is not None:
            return _arrow_zoned(column)
        if fast:
            return of_numpy(_to_numpy(column), notes)
    if types.is_duration(kind):
        unit = _SECOND[kind.unit]
        return [None if value is None else value / unit for value in column.cast("int64").to_pylist()]
    return column.to_pylist()


def without(values: Any, missing: Any) -> List[Any]:
    """The values as a list, with None where `missing` says so."""
    found = values if type(values) is list else values.tolist()
    for index in missing.nonzero()[0].tolist():
        found[index] = None
    return found


def _to_numpy(column: Any) -> Any:
    return column.to_numpy() if hasattr(column, "chunks") else column.to_numpy(zero_copy_only=False)


def _integers(array: Any, notes: Any) -> List[Any]:
    unsafe = array.dtype.itemsize == 8 and len(array) and (int(array.max()) > MAX_SAFE_INTEGER)
    if unsafe or (array.dtype.itemsize == 8 and len(array) and int(array.min()) < -MAX_SAFE_INTEGER):
        return _with_text(array.tolist(), notes)
    return array.tolist()


def _with_text(values: List[Any], notes: Any) -> List[Any]:
    found = [
        value if value is None or -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else str(value)
        for value in values
    ]
    notes.integers += sum(type(value) is str for value in found)
    return found


def _floats(array: Any, notes: Any) -> List[Any]:
    np = sys.modules["numpy"]
    finite = np.isfinite(array)
    if finite.all():
        return array.tolist()
    notes.not_numbers += int(np.isinf(array).sum())
    return without(array.tolist(), ~finite)


def _moments(np: Any, array: Any) -> List[Any]:
    """Datetimes; as text in ISO form where they are finer than a microsecond, or outside of Python's years."""
    unit = np.datetime_data(array.dtype)[0]
    missing = np.isnat(array)
    if unit in ("ns", "ps", "fs", "as"):
        micro = array.astype("datetime64[us]")
        exact = bool(((micro.astype(array.dtype) == array) | missing).all())
    else:
        low = np.datetime64("0001-01-01T00:00:00", "us").astype("datetime64[%s]" % unit)
        high = np.datetime64("9999-12-31T23:59:59", "us").astype("datetime64[%s]" % unit)
        exact = bool((((array >= low) & (array <= high)) | missing).all())
        micro = array.astype("datetime64[us]") if exact else array
    if exact:
        return micro.tolist()
    return without(np.datetime_as_string(array), missing)


def _zoned(pandas: Any, series: Any) -> List[Any]:
    """Text: the wall clock's time, and its offset."""
    wall = series.dt.tz_localize(None)
    offset = (wall - series.dt.tz_convert("UTC").dt.tz_localize(None)).dt.total_seconds()
    codes, offsets = pandas.factorize(offset)
    texts = [_offset(int(seconds)) for seconds in offsets.tolist()]
    moments = _moments(sys.modules["numpy"], wall.to_numpy())
    return [
        None if moment is None else (moment if type(moment) is str else moment.isoformat()) + texts[code]
        for moment, code in zip(moments, codes.tolist())
    ]


def _offset(seconds: int) -> str:
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    text = "%s%02d:%02d" % (sign, seconds // 3600, seconds // 60 % 60)
    return text + (":%02d" % (seconds % 60) if seconds % 60 else "")


def _polars_moments(series: Any) -> List[Any]:
    if series.dtype.time_zone:
        # Polars' own text: its Python objects need a package for time zones on older Pythons.
        return series.dt.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_list()
    if series.dtype.time_unit == "ns" and bool((series.to_physical() % 1000 != 0).any()):
        return series.dt.strftime("%Y-%m-%dT%H:%M:%S%.9f").to_list()
    return series.to_list()


def _arrow_zoned(column: Any) -> List[Any]:
    pyarrow = sys.modules["pyarrow"]
    try:
        column = column.cast(pyarrow.timestamp("us", column.type.tz))
    except pyarrow.ArrowInvalid:
        # Finer than a microsecond: Arrow's own text, whose offset has no colon.
        from pyarrow import compute

        texts = compute.strftime(column, format="%Y-%m-%dT%H:%M:%S%z").to_pylist()
        return [None if text is None else text[:-2] + ":" + text[-2:] for text in texts]
    return [None if value is None else value.isoformat() for value in column.to_pylist()]
