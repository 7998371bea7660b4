"""The kinds of columns that polars and Arrow have."""

import datetime as dt

from hypothesis import strategies as st

from tests.unit.agent.drawn import SAFE, ZONES, Drawn, Moment, Seconds, clean_text, float_source, real
from tests.unit.agent.drawn_columns import (
    DAYS,
    MONEY,
    WORDS,
    Column,
    cells,
    day_source,
    floats,
    ints,
    moment_of,
    moments,
    money_source,
    spans,
    time_source,
)


def _zoned(zone: str) -> str:
    return f", '{zone}'" if zone else ""


POLARS = [
    Column("pl.Series(NAME, [%s], dtype=pl.Decimal(12, 2))", cells(MONEY, money_source, str)),
    Column("pl.Series(NAME, [%s], dtype=pl.Enum(['x', 'y', 'z']))", cells(st.sampled_from("xyz"), repr, str)),
    Column("pl.Series(NAME, [%s], dtype=pl.Null)", st.just(Drawn("None", None))),
    Column(
        "pl.Series(NAME, [%s], dtype=pl.List(pl.Date))",
        cells(
            st.lists(DAYS, max_size=3),
            lambda days: "[" + ", ".join(map(day_source, days)) + "]",
            lambda days: [day.isoformat() for day in days],
        ),
    ),
    Column(
        "pl.Series(NAME, [%s], dtype=pl.List(pl.Float64))",
        cells(
            st.lists(st.floats(), max_size=3),
            lambda xs: "[" + ", ".join(map(float_source, xs)) + "]",
            lambda xs: [real(x) for x in xs],
        ),
    ),
    *(
        Column(
            f"pl.Series(NAME, [%s], dtype=pl.{'' if signed else 'U'}Int{bits})",
            ints(bits, signed=signed, none="None"),
        )
        for bits in (8, 32, 64)
        for signed in (True, False)
    ),
    Column("pl.Series(NAME, [%s], dtype=pl.Float32)", floats(32, "None")),
    Column("pl.Series(NAME, [%s], dtype=pl.Float64)", floats(64, "None")),
    Column("pl.Series(NAME, [%s], dtype=pl.Boolean)", cells(st.booleans(), repr, bool)),
    Column("pl.Series(NAME, [%s], dtype=pl.Utf8)", WORDS),
    Column(
        "pl.Series(NAME, [%s], dtype=pl.Utf8).cast(pl.Categorical)", cells(st.sampled_from("xyz"), repr, str)
    ),
    Column("pl.Series(NAME, [%s], dtype=pl.Date)", cells(DAYS, day_source, dt.date.isoformat)),
    Column(
        "pl.Series(NAME, [%s], dtype=pl.Time)",
        cells(st.times(), time_source, dt.time.isoformat),
    ),
    *(
        Column(
            f"pl.Series(NAME, [%s], dtype=pl.Int64).cast(pl.Datetime('{unit}'))",
            cells(moments(step), lambda n, step=step: repr(n // step), moment_of),
        )
        for unit, step in (("ms", 10**6), ("us", 1000), ("ns", 1))
    ),
    *(
        Column(
            f"pl.Series(NAME, [%s], dtype=pl.Int64).cast(pl.Datetime('{unit}', '{zone}'))",
            cells(
                moments(step, zone),
                lambda n, step=step: repr(n // step),
                lambda n, zone=zone: moment_of(n, zone),
            ),
        )
        for unit, step in (("us", 1000), ("ns", 1))
        for zone in ZONES
    ),
    *(
        Column(
            f"pl.Series(NAME, [%s], dtype=pl.Int64).cast(pl.Duration('{unit}'))",
            cells(spans(step), lambda n, step=step: repr(n // step), lambda n: Seconds(n / 1e9)),
        )
        for unit, step in (("ms", 10**6), ("us", 1000), ("ns", 1))
    ),
    Column(
        "pl.Series(NAME, [%s], dtype=pl.List(pl.Int64))",
        cells(st.lists(st.integers(-SAFE, SAFE), max_size=3), repr, list),
    ),
    Column(
        "pl.Series(NAME, [%s], dtype=pl.Struct({'a': pl.Int64, 'b': pl.Utf8}))",
        cells(st.fixed_dictionaries({"a": st.integers(-SAFE, SAFE), "b": clean_text(4)}), ascii, dict, ""),
    ),
]

ARROW = [
    Column("pa.array([%s], pa.null())", st.just(Drawn("None", None))),
    Column("pa.array([%s], pa.date64())", cells(DAYS, day_source, dt.date.isoformat)),
    Column(
        "pa.array([%s], pa.time32('s'))",
        cells(st.times().map(lambda t: t.replace(microsecond=0)), time_source, dt.time.isoformat),
    ),
    Column(
        "pa.array([%s], pa.list_(pa.timestamp('us')))",
        cells(
            st.lists(
                st.datetimes(
                    dt.datetime.fromisoformat("1900-01-01"), dt.datetime.fromisoformat("2100-01-01")
                ),
                max_size=2,
            ),
            lambda all_: repr(all_).replace("datetime.", "dt."),
            lambda all_: [Moment(each.isoformat()) for each in all_],
        ),
    ),
    Column(
        "pa.array([%s], pa.list_(pa.float64()))",
        cells(
            st.lists(st.floats(), max_size=3),
            lambda xs: "[" + ", ".join(map(float_source, xs)) + "]",
            lambda xs: [real(x) for x in xs],
        ),
    ),
    Column(
        "pa.array([%s], pa.map_(pa.string(), pa.int64()))",
        cells(
            st.dictionaries(clean_text(3), st.integers(-SAFE, SAFE), max_size=2),
            lambda d: ascii(list(d.items())),
            lambda d: [list(pair) for pair in d.items()],
        ),
    ),
    *(
        Column(
            f"pa.array([%s], pa.{'' if signed else 'u'}int{bits}())", ints(bits, signed=signed, none="None")
        )
        for bits in (8, 32, 64)
        for signed in (True, False)
    ),
    Column("pa.array([%s], pa.float32())", floats(32, "None")),
    Column("pa.array([%s], pa.float64())", floats(64, "None")),
    Column("pa.array([%s], pa.bool_())", cells(st.booleans(), repr, bool)),
    Column("pa.array([%s], pa.string())", WORDS),
    Column("pa.array([%s], pa.large_string())", WORDS),
    Column("pa.array([%s], pa.string()).dictionary_encode()", cells(st.sampled_from("xyz"), repr, str)),
    Column("pa.array([%s], pa.date32())", cells(DAYS, day_source, dt.date.isoformat)),
    Column(
        "pa.array([%s], pa.time64('us'))",
        cells(st.times(), time_source, dt.time.isoformat),
    ),
    *(
        Column(
            f"pa.array([%s], pa.int64()).cast(pa.timestamp('{unit}'{_zoned(zone)}))",
            cells(
                moments(step, zone),
                lambda n, step=step: repr(n // step),
                lambda n, zone=zone: moment_of(n, zone),
            ),
        )
        for unit, step in (("s", 10**9), ("ms", 10**6), ("us", 1000), ("ns", 1))
        for zone in ("", *ZONES)
    ),
    *(
        Column(
            f"pa.array([%s], pa.int64()).cast(pa.duration('{unit}'))",
            cells(spans(step), lambda n, step=step: repr(n // step), lambda n: Seconds(n / 1e9)),
        )
        for unit, step in (("s", 10**9), ("ms", 10**6), ("us", 1000), ("ns", 1))
    ),
    Column(
        "pa.array([%s], pa.decimal128(12, 2))",
        cells(st.decimals(-(10**6), 10**6, places=2), lambda d: f"decimal.Decimal('{d}')", str),
    ),
    Column(
        "pa.array([%s], pa.list_(pa.int64()))",
        cells(st.lists(st.integers(-SAFE, SAFE), max_size=3), repr, list),
    ),
    Column(
        "pa.array([%s], pa.struct([('a', pa.int64())]))",
        cells(st.fixed_dictionaries({"a": st.integers(-SAFE, SAFE)}), repr, dict),
    ),
]
