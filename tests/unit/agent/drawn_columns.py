"""Columns of tables, a kind for each dtype: what all packages have in common, and those of pandas."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.unit.agent.drawn import ZONES, Drawn, Moment, Seconds, clean_text, float_source, real, whole
from tests.unit.agent.drawn_arrays import integer

_EPOCH = dt.datetime.fromisoformat("1970-01-01")
_YEARS = 60 * 365 * 86400


class Column(NamedTuple):
    """How a column is written around its cells, and what may be in it."""

    form: str
    cell: st.SearchStrategy[Drawn]
    index: bool = False
    """Whether an index of pandas may be made of it."""


def cells(
    values: st.SearchStrategy[Any],
    source: Callable[[Any], str],
    json: Callable[[Any], Any],
    none: str = "None",
) -> st.SearchStrategy[Drawn]:
    """With missing ones, written as `none`; empty: without."""
    present = values.map(lambda value: Drawn(source(value), json(value)))
    return present | st.just(Drawn(none, None)) if none else present


def ints(bits: int, *, signed: bool, none: str = "") -> st.SearchStrategy[Drawn]:
    return cells(integer(bits, signed=signed), repr, whole, none)


def floats(width: int, none: str = "") -> st.SearchStrategy[Drawn]:
    return cells(st.floats(width=width), float_source, real, none)  # type: ignore[arg-type]


def moments(step_ns: int, zone: str = "") -> st.SearchStrategy[int]:
    """Nanoseconds since 1970, in whole steps; with a zone in years for which every table of zones has the same rules."""
    low = 0 if zone else -_YEARS
    return st.integers(low * 10**9 // step_ns, _YEARS * 10**9 // step_ns).map(lambda count: count * step_ns)


def moment_of(nanos: int, zone: str = "") -> Moment:
    seconds, rest = divmod(nanos, 10**9)
    at = _EPOCH + dt.timedelta(seconds=seconds)
    if not zone:
        return Moment(f"{at.isoformat()}.{rest:09}")
    local = at.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone))
    return Moment(f"{local.replace(tzinfo=None).isoformat()}.{rest:09}{local.isoformat()[-6:]}")


def spans(step_ns: int) -> st.SearchStrategy[int]:
    return st.integers(-(10**12) // step_ns, 10**12 // step_ns).map(lambda count: count * step_ns)


WORDS = cells(clean_text(8), ascii, str)
DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))


MONEY = st.decimals(-(10**6), 10**6, places=2)


def money_source(value: Decimal) -> str:
    return f"decimal.Decimal('{value}')"


def time_source(value: dt.time) -> str:
    return repr(value).replace("datetime.", "dt.")


def day_source(day: dt.date) -> str:
    return f"dt.date({day.year}, {day.month}, {day.day})"


def _pandas_moments(zone: str = "") -> Column:
    form = "pd.Series(np.array([%s], dtype='M8[ns]'))"
    if zone:
        form += f".dt.tz_localize('UTC').dt.tz_convert('{zone}')"
    cell = cells(
        moments(1, zone), lambda n: f"np.datetime64({n}, 'ns')", lambda n: moment_of(n, zone), "'NaT'"
    )
    return Column(form, cell, index=True)


PANDAS = [
    *(
        Column(
            f"pd.Series([%s], dtype='{'' if signed else 'u'}int{bits}')", ints(bits, signed=signed), signed
        )
        for bits in (8, 16, 32, 64)
        for signed in (True, False)
    ),
    *(
        Column(
            f"pd.Series(pd.array([%s], dtype='{'' if signed else 'U'}Int{bits}'))",
            ints(bits, signed=signed, none="pd.NA"),
        )
        for bits in (8, 64)
        for signed in (True, False)
    ),
    Column("pd.Series([%s], dtype='float32')", floats(32)),
    Column("pd.Series([%s], dtype='float64')", floats(64)),
    Column("pd.Series(pd.array([%s], dtype='Float64'))", floats(64, "pd.NA")),
    Column("pd.Series([%s], dtype='bool')", cells(st.booleans(), repr, bool, "")),
    Column("pd.Series(pd.array([%s], dtype='boolean'))", cells(st.booleans(), repr, bool, "pd.NA")),
    Column("pd.Series([%s], dtype='object')", WORDS, index=True),
    Column("pd.Series([%s], dtype='object')", WORDS | ints(60, signed=True, none="float('nan')")),
    Column("pd.Series([%s], dtype='object')", cells(DAYS, day_source, dt.date.isoformat)),
    Column(
        "pd.Series(pd.array([%s], dtype='string'))", cells(clean_text(8), ascii, str, "pd.NA"), index=True
    ),
    Column("pd.Series(pd.Categorical([%s]))", cells(st.sampled_from("xyz"), repr, str)),
    Column(
        "pd.Series(pd.Categorical([%s], categories=[3, 1, 2], ordered=True))",
        cells(st.integers(1, 3), repr, int),
    ),
    _pandas_moments(),
    *map(_pandas_moments, ZONES),
    *(
        Column(
            f"pd.Series(np.array([%s], dtype='M8[{unit}]'))",
            cells(
                moments(step),
                lambda n, unit=unit, step=step: f"np.datetime64({n // step}, '{unit}')",
                moment_of,
                "'NaT'",
            ),
        )
        for unit, step in (("s", 10**9), ("ms", 10**6), ("us", 1000))
    ),
    Column("pd.Series(pd.array([%s], dtype='Float32'))", floats(32, "pd.NA")),
    Column("pd.Series(pd.array([%s], dtype='int64[pyarrow]'))", ints(64, signed=True, none="None")),
    Column("pd.Series(pd.array([%s], dtype='string[pyarrow]'))", WORDS),
    Column(
        "pd.Series(pd.array([%s], dtype=pd.ArrowDtype(pa.timestamp('us'))))",
        cells(moments(1000), lambda n: f"pd.Timestamp({n}, unit='ns')", moment_of),
    ),
    Column("pd.Series(pd.arrays.SparseArray([%s], dtype='Sparse[float64]'))", floats(64)),
    Column("pd.Series([%s], dtype='object')", cells(st.times(), time_source, dt.time.isoformat)),
    Column("pd.Series([%s], dtype='object')", cells(MONEY, money_source, str)),
    Column("pd.Series([%s], dtype='object')", cells(st.uuids(), lambda u: f"uuid.UUID('{u}')", str)),
    Column(
        "pd.Series(np.array([%s], dtype='m8[ns]'))",
        cells(spans(1), lambda n: f"np.timedelta64({n}, 'ns')", lambda n: Seconds(n / 1e9), "'NaT'"),
        index=True,
    ),
    Column(
        "pd.Series(pd.PeriodIndex([%s], freq='D'))",
        cells(DAYS, lambda day: f"'{day}'", str, "'NaT'"),
    ),
    Column("pd.Series([%s], dtype='object')", cells(st.lists(st.integers(0, 9), max_size=3), repr, list)),
]
