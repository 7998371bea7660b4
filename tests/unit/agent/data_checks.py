"""Tables, arrays, files, pictures and the context, with real packages. Run by test_data.py in several Pythons."""

import base64
import datetime
import io
import json
import os
import tempfile
import time

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from matplotlib import pyplot as plt
from PIL import Image as Pil

from qflow import File, Image
from qflow_agent import wire
from qflow_agent.call import call
from qflow_agent.definition import load
from qflow_agent.exchange import LocalExchange
from qflow_agent.problem import Problem
from qflow_agent.references import Desk, Objects

COUNT = [0]
EXCHANGE = LocalExchange(tempfile.mkdtemp())
HEAD = """
import datetime, io, json, os
from decimal import Decimal
from pathlib import Path
from typing import *
from typing import IO, BinaryIO
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
import PIL.Image
from qflow import Context, File, Image, Secret
"""


def outcome(code, items=({},), args=(), on_error="stop", secrets=None, **options):
    COUNT[0] += 1
    define = wire.Define(
        "data%d" % COUNT[0],
        HEAD + code,
        "",
        options.get("mode", "auto"),
        options.get("output", "items"),
        options.get("validation", "strict"),
    )
    given = [item if "json" in item else {"json": item} for item in items]
    body = bytearray(json.dumps({"items": given, "args": list(args), "secrets": secrets or {}}).encode())
    desk = Desk(Objects(), EXCHANGE, False)
    facts = {"workflow": "w1", "execution": "e1"}
    return call(load(define), body, "My node", on_error, desk=desk, **facts)


def items_of(code, *more, **options):
    return json.loads(outcome(code, *more, **options).payload)


def run(code, *more, **options):
    return [item["json"] for item in items_of(code, *more, **options)]


def one(code, *more, **options):
    [found] = run(code, *more, **options)
    return found["value"] if list(found) == ["value"] else found


def fails(code, *more, **options):
    try:
        outcome(code, *more, **options)
    except Problem as problem:
        return problem
    raise AssertionError("it did not fail")


def gives(expression, **options):
    return run("def f():\n    return {}\n".format(expression), **options)


def inline(content, name="", mime=""):
    return {"data": base64.b64encode(content).decode(), "fileName": name, "mimeType": mime}


def content(document):
    if "data" in document:
        return base64.b64decode(document["data"])
    with open(EXCHANGE.fetch_file(document["file"]), "rb") as file:
        return file.read()


def png(size=(2, 3), mode="RGB", **more):
    stream = io.BytesIO()
    Pil.new(mode, size).save(stream, format="PNG", **more)
    return stream.getvalue()


# Tables in


ROWS = [{"a": 1, "b": "x"}, {"a": 2.5, "c": {"k": [1]}}, {"b": None}]


def check_tables_are_made_of_items():
    code = "def f(t: %s) -> str:\n    return json.dumps([%s, str(type(t))])"
    for name, shown in [
        ("pd.DataFrame", "list(t.columns), len(t), t['a'].isna().tolist(), t['c'][1]"),
        ("'pd.DataFrame'", "list(t.columns), len(t), t['a'].isna().tolist(), t['c'][1]"),
        ("Optional[pd.DataFrame]", "list(t.columns), len(t), t['a'].isna().tolist(), t['c'][1]"),
        ("pl.DataFrame", "t.columns, t.height, t['a'].is_null().to_list(), t['c'][1]"),
        ("pa.Table", "t.column_names, t.num_rows, t['a'].is_null().to_pylist(), t['c'][1].as_py()"),
    ]:
        found = json.loads(one(code % (name, shown), ROWS))
        assert found[:4] == [["a", "b", "c"], 3, [False, False, True], {"k": [1]}], (name, found)


def check_text_stays_text_unless_coerced():
    rows = [{"t": "2024-05-01T10:00:00Z", "s": "2024-05-01"}, {"t": None, "s": "soon"}]
    code = "def f(t: pd.DataFrame) -> str:\n    return t['t'].dtype.kind + str(t['s'][1])"
    assert one(code, rows)[0] in "OU"
    assert one(code, rows, validation="coerce") == "Msoon"
    code = "def f(t: pl.DataFrame) -> str:\n    return str(t.schema['t'])"
    assert "time_zone='UTC'" in one(code, rows, validation="coerce")
    code = "def f(t: pa.Table) -> str:\n    return str(t.schema.field('t').type)"
    assert one(code, rows, validation="coerce") == "timestamp[us, tz=UTC]"


def check_no_items_are_an_empty_table():
    for name, length in [
        ("pd.DataFrame", "len(t)"),
        ("pl.DataFrame", "t.height"),
        ("pa.Table", "t.num_rows"),
    ]:
        assert one("def f(t: {}) -> int:\n    return {}".format(name, length), []) == 0


def check_a_field_holds_a_table():
    item = {"rows": [{"x": 1}, {"x": 2}], "name": "n"}
    code = "def f(name: str, rows: pd.DataFrame) -> int:\n    return int(rows['x'].sum())"
    assert one(code, [item]) == 3
    code = "def f(name: str, rows: pl.LazyFrame) -> int:\n    return rows.collect()['x'].sum()"
    assert one(code, [item]) == 3
    code = "def f(name: str, rows: Annotated[pa.RecordBatch, 'x']) -> int:\n    return rows.num_rows"
    if "Annotated" in dir(__import__("typing")):
        assert one(code, [item]) == 2


def check_what_is_no_table_is_refused():
    code = "def f(name: str, rows: %s) -> int:\n    return 1"
    for name in ("pd.DataFrame", "pl.DataFrame", "pa.Table"):
        problem = fails(code % name, [{"name": "n", "rows": "no"}])
        assert (problem.code, problem.parameter) == ("argument_type", "rows"), problem.detail
        problem = fails(code % name, [{"name": "n", "rows": [{"a": 1}, 5]}])
        assert "[1]" in problem.detail and "object" in problem.detail, problem.detail
    mixed = {"name": "n", "rows": [{"a": 1}, {"a": "text"}]}
    assert one(code % "pd.DataFrame", [mixed]) == 1
    for name in ("pl.DataFrame", "pa.Table"):
        assert "'rows'" in fails(code % name, [mixed]).detail


def check_arrays_and_series_in():
    field = [{"name": "n", "x": [1, 2.5, None]}]
    for name, shown in [
        ("np.ndarray", "str(x.dtype) + str(np.isnan(x[2]))"),
        ("pd.Series", "str(x.dtype) + str(pd.isna(x[2]))"),
        ("pl.Series", "str(x.dtype).lower() + str(x[2] is None)"),
    ]:
        code = "def f(name: str, x: {}) -> str:\n    return {}".format(name, shown)
        assert one(code, field) == "float64True", name
    values = [{"value": 1}, {"value": 2}]
    assert one("def f(x: np.ndarray) -> int:\n    return int(x.sum())", values) == 3
    assert one("def f(x: pd.Series) -> int:\n    return int(x.sum())", values) == 3
    assert (
        one("def f(x: np.ndarray) -> str:\n    return str(x.dtype.names)", [{"a": 1, "b": 2.5}])
        == "('a', 'b')"
    )
    code = "import numpy.typing as npt\ndef f(x: npt.NDArray[np.float32]) -> str:\n    return str(x.dtype)"
    assert one(code, values) == "float32"
    assert one(
        "def f(name: str, x: np.ndarray) -> list:\n    return [list(x.shape)]",
        [{"name": "n", "x": [[1, 2], [3, 4]]}],
    ) == [2, 2]
    assert (
        "'x'"
        in fails("def f(name: str, x: np.ndarray) -> int:\n    return 1", [{"name": "n", "x": "no"}]).detail
    )


def check_single_values_of_packages_in():
    code = "def f(x: %s) -> str:\n    return type(x).__name__ + ' ' + str(x)"
    assert (
        one(code % "pd.Timestamp", [{"x": "2024-05-01T10:00:00Z"}]) == "Timestamp 2024-05-01 10:00:00+00:00"
    )
    assert one(code % "pd.Timedelta", [{"x": 90}]) == "Timedelta 0 days 00:01:30"
    assert one(code % "np.float64", [{"x": 2}]) == "float64 2.0"
    assert one(code % "np.int64", [{"x": 2}]) == "int64 2"
    assert (
        one(code % "np.datetime64", [{"x": "2024-05-01T00:00:00+02:00"}])
        == "datetime64 2024-04-30T22:00:00.000000"
    )
    for name, value in [("np.int64", 2.5), ("np.int8", 300), ("pd.Timestamp", "soon"), ("np.float64", "2")]:
        assert fails(code % name, [{"x": value}]).code == "argument_type", name


# From one kind of table to another


def check_between_tables():
    from qflow_agent.typing_kinds import KindMaker

    maker = KindMaker()
    zone = datetime.timezone.utc
    frame = pd.DataFrame(
        {
            "i": [1, 2],
            "s": ["x", None],
            "t": pd.to_datetime(["2024-01-01", None]),
            "z": pd.to_datetime(["2024-01-01", None]).tz_localize("UTC"),
            "o": [[1], [2]],
        }
    )
    tables = [frame, pl.from_pandas(frame), pa.Table.from_pandas(frame, preserve_index=False)]
    for source in tables:
        for cls in (pd.DataFrame, pl.DataFrame, pa.Table):
            made = maker.make(cls, {}).apply(source)
            assert type(made) is cls
            rows = (
                made.to_dict(orient="records")
                if cls is pd.DataFrame
                else ((made.to_arrow() if cls is pl.DataFrame else made).to_pylist())
            )
            assert rows[0]["i"] == 1 and rows[0]["s"] == "x" and list(rows[0]["o"]) == [1], (
                type(source),
                cls,
            )
            assert rows[0]["t"] == datetime.datetime(2024, 1, 1)
            assert rows[0]["z"] == datetime.datetime(2024, 1, 1, tzinfo=zone)
    grouped = frame.groupby("s")["i"].sum()
    assert maker.make(pl.DataFrame, {}).apply(grouped.to_frame()).columns == ["s", "i"]
    assert maker.make(pd.DataFrame, {}).apply(grouped)["i"].tolist() == [1]
    assert maker.make(np.ndarray, {}).apply(pl.Series([1, 2])).tolist() == [1, 2]


def check_between_tables_without_arrow():
    from qflow_agent import frames
    from qflow_agent.typing_kinds import KindMaker

    kept, frames.find_spec = frames.find_spec, lambda _name: None
    try:
        made = KindMaker().make(pl.DataFrame, {}).apply(pd.DataFrame({"a": [1, None], "b": ["x", "y"]}))
        assert made.to_dicts() == [{"a": 1.0, "b": "x"}, {"a": None, "b": "y"}]
        made = KindMaker().make(pd.DataFrame, {}).apply(made)
        assert made["b"].tolist() == ["x", "y"]
    finally:
        frames.find_spec = kept


# Tables out


def check_a_row_of_each_kind():
    assert gives("pd.DataFrame({'a': [1, 2], 'b': ['x', None]})") == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert gives("pl.DataFrame({'a': [1, 2], 'b': ['x', None]})") == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert gives("pl.LazyFrame({'a': [1]})") == [{"a": 1}]
    assert gives("pa.table({'a': [1, None], 'b': ['x', None]})") == [
        {"a": 1, "b": "x"},
        {"a": None, "b": None},
    ]
    assert gives("np.array([(1, 2.5)], dtype=[('a', 'i4'), ('b', 'f8')])") == [{"a": 1, "b": 2.5}]
    assert gives("pd.DataFrame()") == []
    assert gives("pd.DataFrame(index=range(2))") == [{}, {}]


def check_values_of_pandas_columns():
    frame = """pd.DataFrame({
        'f': [1.5, np.nan, np.inf], 'i': pd.array([1, None, 2**60], dtype='Int64'),
        'b': pd.array([True, None, False], dtype='boolean'), 's': pd.array(['x', None, 'y'], dtype='string'),
        'c': pd.Categorical(['x', None, 'y']), 'd': pd.to_timedelta([1.5, None, 3], unit='s'),
        't': pd.to_datetime(['2024-01-01 00:00:01.5', None, '2024-07-01 00:00:00.0']),
        'z': pd.to_datetime(['2024-01-01', None, '2024-07-01']).tz_localize('Europe/Oslo'),
        'p': pd.PeriodIndex(['2024-01', None, '2024-03'], freq='M'),
        'v': pd.IntervalIndex.from_tuples([(0, 1), None, (2, 3)]),
        'o': [{'k': np.int64(1)}, None, [Decimal('1.50'), pd.NaT, pd.NA]],
        'sp': pd.arrays.SparseArray([0, 0, 5]), 'ct': pd.Categorical(pd.to_datetime(['2024-01-01', None, None])),
    })"""
    first, second, third = gives(frame)
    assert first == {
        "f": 1.5,
        "i": 1,
        "b": True,
        "s": "x",
        "c": "x",
        "d": 1.5,
        "t": "2024-01-01T00:00:01.500000",
        "z": "2024-01-01T00:00:00+01:00",
        "p": "2024-01",
        "v": "(0.0, 1.0]",
        "o": {"k": 1},
        "sp": 0,
        "ct": "2024-01-01T00:00:00",
    }, first
    assert set(second.values()) - {0} == {None}, second
    assert third["i"] == str(2**60) and third["f"] is None and third["z"].endswith("+02:00")
    assert third["o"] == ["1.50", None, None]
    told = " ".join(outcome("def f():\n    return {}".format(frame)).hints)
    assert "infinities" in told and "2^53" in told, told


def check_moments_that_python_cannot_hold():
    assert gives("pd.DataFrame({'t': [pd.Timestamp('2024-01-01 00:00:00.000000001')]})") == [
        {"t": "2024-01-01T00:00:00.000000001"}
    ]
    assert gives("np.array(['20000-01-01', 'NaT'], dtype='M8[s]')") == [
        {"value": "20000-01-01T00:00:00"},
        {"value": None},
    ]
    zoned = "pl.DataFrame({'t': [datetime.datetime(2024, 7, 1)]}).with_columns("
    zoned += "pl.col('t').dt.replace_time_zone('Europe/Oslo'))"
    assert gives(zoned) == [{"t": "2024-07-01T00:00:00+02:00"}]
    zoned = "pa.table({'t': pa.array([1, None], pa.timestamp('ns', 'Europe/Oslo'))})"
    assert gives(zoned) == [{"t": "1970-01-01T01:00:00.000000001+01:00"}, {"t": None}]


def check_names_of_columns():
    assert gives("pd.DataFrame([[1, 2, 3]], columns=['a', 'a', 'a_2'])") == [{"a": 1, "a_3": 2, "a_2": 3}]
    assert gives("pd.DataFrame([[1, 2]], columns=[1, '1'])") == [{"1": 1, "1_2": 2}]
    assert "a → a_2" in " ".join(
        outcome("def f():\n    return pd.DataFrame([[1, 2]], columns=['a', 'a'])").hints
    )
    levels = "pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([('x', 'a'), ('x', '')]))"
    assert gives(levels) == [{"x_a": 1, "x": 2}]
    assert gives("pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=['a', 'a'])") == [
        {"a": 1, "a_2": 2}
    ]
    assert gives("pd.DataFrame({None: [1], 2.5: [2]})")[0].keys() >= {"2.5"}


def check_indexes():
    base = "pd.DataFrame({'k': ['a', 'b', 'b'], 'v': [1, 2, 3]})"
    assert gives(base + ".groupby('k').sum()") == [{"k": "a", "v": 1}, {"k": "b", "v": 5}]
    assert gives(base + ".groupby('k')['v'].sum()") == [{"k": "a", "v": 1}, {"k": "b", "v": 5}]
    assert gives(base + "[lambda d: d.v > 1]") == [{"k": "b", "v": 2}, {"k": "b", "v": 3}]
    assert gives(base + ".set_index(['k', 'v'], drop=False)")[0] == {"k_2": "a", "v_2": 1, "k": "a", "v": 1}
    assert gives("pd.DataFrame({'v': [1]}, index=['row'])") == [{"index": "row", "v": 1}]
    assert gives("pd.Series([1, 2], name='n')") == [{"value": 1}, {"value": 2}]
    assert gives("pd.Series([1], index=['x'])") == [{"index": "x", "value": 1}]


def check_ten_thousand_columns():
    started = time.perf_counter()
    [row] = gives("pd.DataFrame(np.ones((1, 10_000)))")
    assert len(row) == 10_000
    [row] = gives("pd.DataFrame({str(i): ['x'] if i % 2 else [i] for i in range(10_000)})")
    assert len(row) == 10_000
    code = "def f(t: pd.DataFrame) -> int:\n    return t.shape[1]"
    assert one(code, [row]) == 10_000
    assert time.perf_counter() - started < 15


def check_a_large_table_is_quick_both_ways():
    """The goal is 300 ms of a machine that does nothing else; a slow one of ours has four times that."""
    from qflow_agent.results import ItemWriter
    from qflow_agent.typing_kinds import KindMaker

    n = 100_000
    frame = pd.DataFrame(
        {
            "i": np.arange(n),
            "f": np.random.rand(n),
            "s": ["text %d" % i for i in range(n)],
            "b": np.arange(n) % 2 == 0,
            "t": pd.date_range("2024-01-01", periods=n, freq="min"),
            "n": pd.array([None if i % 7 == 0 else i for i in range(n)], dtype="Int64"),
        }
    )
    best = [9.0, 9.0]
    for _ in range(3):
        started = time.perf_counter()
        writer = ItemWriter()
        writer.write(frame)
        best[0] = min(best[0], time.perf_counter() - started)
        rows = [item["json"] for item in json.loads(writer.payload())]
        started = time.perf_counter()
        made = KindMaker().make(pd.DataFrame, {}).apply(rows)
        best[1] = min(best[1], time.perf_counter() - started)
    assert made["i"].tolist() == frame["i"].tolist() and made["n"].isna().sum() == frame["n"].isna().sum()
    assert max(best) < 1.2, best


def check_arrays_inside_of_fields():
    assert gives("{'s': pd.Series([1, 2]), 'a': np.array([1.0, np.nan]), 't': pd.DataFrame({'x': [1]})}") == [
        {"s": [1, 2], "a": [1.0, None], "t": [{"x": 1}]}
    ]
    code = "import dataclasses\n@dataclasses.dataclass\nclass R:\n    t: Any\n    n: Any\n"
    code += "def f() -> R:\n    return R(pl.DataFrame({'x': [1]}), np.float32(2))"
    assert one(code) == {"t": [{"x": 1}], "n": 2.0}
    assert gives("np.array(5)") == [{"value": 5}]
    assert gives("np.ma.array([1, 2], mask=[0, 1])") == [{"value": 1}, {"value": None}]
    assert gives("pa.array([1, None])") == [{"value": 1}, {"value": None}]
    assert gives("[pd.Timestamp('2024-01-01', tz='UTC'), pd.NaT, pd.NA, pd.Timedelta(seconds=2)]") == [
        {"value": "2024-01-01T00:00:00+00:00"},
        {"value": None},
        {"value": None},
        {"value": 2.0},
    ]


# Files in


def check_files_reach_their_parameters():
    item = {"json": {"n": 1}, "binary": {"data": inline(b"hello", "a.txt", "text/plain")}}
    code = "def f(x: %s) -> Any:\n    return %s"
    for name, shown in [
        ("File", "[x.name, x.mime, x.size, x.read_text()]"),
        ("Optional[File]", "[x.name, x.mime, x.size, x.open().read().decode()]"),
        ("bytes", "['a.txt', 'text/plain', len(x), x.decode()]"),
        ("Path", "[x.name, 'text/plain', x.stat().st_size, x.read_text()]"),
        ("BinaryIO", "['a.txt', 'text/plain', 5, x.read().decode()]"),
        ("IO[bytes]", "['a.txt', 'text/plain', 5, x.read().decode()]"),
        ("io.BytesIO", "['a.txt', 'text/plain', 5, x.getvalue().decode()]"),
        ("List[File]", "[x[0].name, x[0].mime, len(x) + 4, x[0].read_text()]"),
        ("Dict[str, File]", "[x['data'].name, x['data'].mime, len(x) + 4, x['data'].read_text()]"),
    ]:
        found = [each["value"] for each in run(code % (name, shown), [item])]
        assert found == ["a.txt", "text/plain", 5, "hello"], (name, found)


def check_a_file_beside_fields():
    item = {
        "json": {"n": 1, "title": "t"},
        "binary": {"one": inline(b"1", "1.txt"), "two": inline(b"2", "2.txt")},
    }
    assert one("def f(two: File, title: str) -> str:\n    return two.name + title", [item]) == "2.txtt"
    assert one("def f(title: str, one) -> str:\n    return one.name + title", [item]) == "1.txtt"
    assert one("def f(one: File, rest: Optional[File]) -> str:\n    return str(rest)", [item]) == "None"
    assert one("def f(x: File) -> str:\n    return x.name", [item], [{"x": "two"}]) == "2.txt"
    assert one("def f(x: List[File]) -> str:\n    return str(len(x))", [item]) == "2"
    both = "def f(x: List[File]) -> str:\n    return str(len(x))"
    assert one(both, [item, item, {"n": 2}], mode="all") == "4"
    assert one("def f(title: bytes) -> int:\n    return len(title)", [{"json": {"title": "aGk="}}]) == 2


def check_files_that_are_missing():
    item = {"json": {"n": 1}, "binary": {"invoice": inline(b"1", "1.txt"), "photo": inline(b"2", "2.txt")}}
    problem = fails("def f(voice: File) -> int:\n    return 1", [item])
    assert (problem.code, problem.parameter) == ("argument_missing", "voice")
    assert "invoice, photo" in problem.hint and "several" in problem.detail
    assert "no files" in fails("def f(x: File) -> int:\n    return 1", [{"n": 1}]).detail
    assert one("def f(x: File = None) -> bool:\n    return x is None", [{"n": 1}]) is True
    assert one("def f(x: Optional[File]) -> bool:\n    return x is None", [{"n": 1}]) is True
    assert one("def f(x: List[File]) -> int:\n    return len(x)", [{"n": 1}]) == 0
    problem = fails("def f(x: File) -> int:\n    return 1", [item], [{"x": "phot"}])
    assert "Did you mean 'photo'" in problem.hint
    problem = fails(
        "def f(x: File) -> int:\n    return 1", [{"json": {}, "binary": {"data": {"file": "gone"}}}]
    )
    assert problem.code == "file_gone" and problem.category == "unavailable"
    for broken in ({"data": "a"}, {"data": 5}, {}, 5, {"file": 5}):
        problem = fails("def f(x: File) -> int:\n    return 1", [{"json": {}, "binary": {"data": broken}}])
        assert "content" in problem.detail


def check_a_large_file_comes_by_its_id():
    given = EXCHANGE.give_file(b"x" * 100_000, "big.bin", "application/x-thing")
    item = {
        "json": {},
        "binary": {"data": {"file": given, "fileName": "big.bin", "mimeType": "application/x-thing"}},
    }
    code = "def f(x: File) -> Any:\n    return [x.size, x.path.name, x.path.read_bytes() == x.read_bytes()]"
    assert [each["value"] for each in run(code, [item])] == [100_000, "big.bin", True]
    assert one("def f(x: Path) -> str:\n    return x.name", [item]) == "big.bin"
    [passed] = items_of("def f(x: File) -> File:\n    return x", [item])
    assert passed["binary"]["data"]["file"] == given, "it is not uploaded again"


def check_names_of_strangers():
    home = os.path.realpath(tempfile.gettempdir())
    code = "def f(x: File) -> str:\n    return x.name + '|' + os.path.realpath(str(x.path))"
    for name in (
        "../../etc/passwd",
        "/etc/passwd",
        "a\0b.txt",
        "..",
        "",
        ".",
        "x" * 300 + ".txt",
        "..\\..\\a.txt",
        "a\u202etxt.exe",
        "a\nb",
        "\ud800.txt",
        "é" * 200,
        "con/",
        5,
        None,
    ):
        binary = {"data": {"data": "aGk=", "fileName": name, "mimeType": "text/plain"}}
        found = one(code, [{"json": {}, "binary": binary}])
        shown, _, path = found.partition("|")
        assert path.startswith(home + os.sep) and os.path.basename(path) == shown, (name, found)
        assert shown.isprintable() and len(shown.encode()) <= 160 and shown not in ("", ".", ".."), (
            name,
            shown,
        )
    assert one(
        code.replace("x.name +", "x.mime +"),
        [{"json": {}, "binary": {"data": {"data": "aGk=", "mimeType": "text/html\r\nX: y"}}}],
    ).startswith("application/octet-stream")


# Pictures


def check_pictures_in():
    item = {"json": {}, "binary": {"photo": inline(png(), "p.png", "image/png")}}
    assert one("def f(x: Image) -> list:\n    return [list(x.to_pil().size)]", [item]) == [2, 3]
    assert one("def f(x: PIL.Image.Image) -> list:\n    return [list(x.size)]", [item]) == [2, 3]
    assert one("def f(x: File) -> str:\n    return type(x).__name__", [item]) == "Image"
    problem = fails(
        "def f(x: PIL.Image.Image) -> int:\n    return 1",
        [{"json": {}, "binary": {"photo": inline(b"no picture", "p.png", "image/png")}}],
    )
    assert "no picture" in problem.detail and problem.parameter == "x"
    cut = {"json": {}, "binary": {"photo": inline(png((50, 50))[:-30], "p.png", "image/png")}}
    assert "no picture" in fails("def f(x: PIL.Image.Image) -> int:\n    return 1", [cut]).detail


def check_bombs_are_refused():
    bomb = png((20_000, 20_000), "1")
    item = {"json": {}, "binary": {"photo": inline(bomb, "p.png", "image/png")}}
    problem = fails("def f(x: PIL.Image.Image) -> int:\n    return 1", [item])
    assert "million pixels" in problem.detail, problem.detail
    between = png((10_000, 10_000), "1")
    item = {"json": {}, "binary": {"photo": inline(between, "p.png", "image/png")}}
    assert "million pixels" in fails("def f(x: Image) -> int:\n    return x.to_pil().width", [item]).detail


def check_pictures_out():
    [item] = items_of("def f() -> PIL.Image.Image:\n    return PIL.Image.new('RGB', (2, 3))")
    assert item["json"] == {} and item["binary"]["data"]["mimeType"] == "image/png"
    assert item["binary"]["data"]["fileName"] == "data.png"
    assert Pil.open(io.BytesIO(content(item["binary"]["data"]))).size == (2, 3)
    stream = io.BytesIO()
    Pil.new("RGB", (4, 4)).save(stream, format="JPEG")
    given = {"json": {}, "binary": {"photo": inline(stream.getvalue(), "p.jpg", "image/jpeg")}}
    [item] = items_of("def f(x: PIL.Image.Image):\n    return x", [given])
    assert item["binary"]["data"]["mimeType"] == "image/jpeg"
    for mode in ("CMYK", "F", "HSV", "LAB", "I", "1", "P", "LA", "RGBA", "YCbCr"):
        [item] = items_of("def f():\n    return PIL.Image.new({!r}, (2, 3))".format(mode))
        assert item["binary"]["data"]["mimeType"] == "image/png", mode


def check_figures_are_pictures_and_let_go():
    code = """
import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
def f() -> %s:
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    return %s
"""
    for annotation, shown in [("Figure", "fig"), ("plt.Axes", "ax"), ("'Any'", "[fig, ax][0]")]:
        [item] = items_of(code % (annotation, shown))
        assert item["binary"]["data"]["fileName"] == "data.png"
        assert content(item["binary"]["data"])[:4] == b"\x89PNG"
    assert plt.get_fignums() == []
    [item] = items_of(code % ("dict", "{'chart': fig, 'total': 3}"))
    assert item["json"] == {"total": 3} and list(item["binary"]) == ["chart"]
    assert item["binary"]["chart"]["fileName"] == "chart.png"
    found = items_of(code % ("list", "[fig, ax]"))
    assert len(found) == 2 and all("binary" in each for each in found)
    [item] = items_of(code % ("dict", "{'charts': [fig, fig], 'n': np.int64(1)}"))
    assert list(item["binary"]) == ["charts_0", "charts_1"] and item["json"] == {"n": 1}
    assert plt.get_fignums() == []


def check_plotly_figures():
    code = "import plotly.graph_objects as go\ndef f():\n    return {'plot': go.Figure(go.Bar(y=[1, 2]))}"
    [item] = items_of(code)
    document = item["binary"]["plot"]
    assert document["mimeType"] in ("text/html", "image/png")
    assert document["fileName"].startswith("plot.")


# Files out


def check_files_out():
    [item] = items_of("def f() -> bytes:\n    return b'%PDF-1.7 x'", [{}])
    assert item["binary"]["data"]["mimeType"] == "application/pdf"
    assert item["binary"]["data"]["fileName"] == "data.pdf" and item["pairedItem"] == 0
    assert item["binary"]["data"]["fileSize"] == 10
    for expression in ("bytearray(b'x')", "memoryview(b'x')", "np.bytes_(b'x')"):
        [item] = items_of("def f():\n    return {}".format(expression))
        assert content(item["binary"]["data"]) == b"x"
    [item] = items_of("def f() -> File:\n    return File.from_text('a;b', 'table.csv')")
    assert item["binary"]["data"] == {
        "mimeType": "text/csv",
        "fileName": "table.csv",
        "fileSize": 3,
        "data": base64.b64encode(b"a;b").decode(),
    }
    found = items_of("def f():\n    return [b'1', {'n': 1, 'doc': b'2'}, 5]")
    assert [each["json"] for each in found] == [{}, {"n": 1}, {"value": 5}]
    assert [list(each.get("binary", {})) for each in found] == [["data"], ["doc"], []]
    item = "{'json': {'n': 1, 'more': b'1'}, 'binary': {'data': b'2', 'old': {'data': 'aGk=', 'mimeType': 'a/b'}}}"
    [found] = items_of("def f():\n    return " + item)
    assert found["json"] == {"n": 1} and set(found["binary"]) == {"data", "old", "more"}
    assert found["binary"]["old"] == {"data": "aGk=", "mimeType": "a/b"}
    [found] = items_of("def f():\n    return pd.DataFrame({'n': [1], 'doc': [b'x']})")
    assert found["json"] == {"n": 1} and content(found["binary"]["doc"]) == b"x"


def check_paths_out():
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "report.txt")
    with open(path, "w") as file:
        file.write("hello")
    [item] = items_of("def f() -> Path:\n    return Path({!r})".format(path))
    assert item["binary"]["data"]["fileName"] == "report.txt" and content(item["binary"]["data"]) == b"hello"
    [item] = items_of("def f():\n    return {{'report': Path({!r}), 'n': 1}}".format(path))
    assert list(item["binary"]) == ["report"] and item["json"] == {"n": 1}
    assert gives("{'deep': {'path': Path('/not/there')}}") == [{"deep": {"path": "/not/there"}}]
    assert "no file" in fails("def f():\n    return Path('/not/there')").detail
    assert "directory" in fails("def f():\n    return {{'x': Path({!r})}}".format(folder)).detail
    assert "no regular file" in fails("def f():\n    return Path('/dev/zero')").detail
    assert "str(path)" in fails("def f():\n    return [1, Path('/not/there')]").detail


def check_arrays_take_a_field_of_all_items():
    items = [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}]
    assert one("def f(n: pd.Series) -> int:\n    return int(n.sum())", items) == 3
    assert one("def f(n: np.ndarray, s: pd.Series):\n    return [[n.tolist(), s.tolist()]]", items) == [
        [1, 2],
        ["a", "b"],
    ]
    assert one("def f(n: pl.Series) -> int:\n    return n.sum()", items) == 3
    assert one("def f(v: np.ndarray) -> float:\n    return v.mean()", [{"v": [1, 2, 3]}]) == 2
    assert one("def f(v: np.ndarray):\n    return [list(v.shape)]", [{"v": [1, 2]}, {"v": [3, 4]}]) == [2, 2]
    assert one("def f(rows: np.ndarray):\n    return [list(rows.dtype.names)]", items) == ["n", "s"]
    assert one("def f(xs: np.ndarray) -> int:\n    return int(xs.sum())", [{"value": 1}, {"value": 2}]) == 3


def check_streams_out():
    [item] = items_of(
        "def f():\n    b = io.BytesIO()\n    b.write(b'%PDF-1.7')\n    return {'doc': b, 'n': 1}"
    )
    assert item["json"] == {"n": 1} and content(item["binary"]["doc"]) == b"%PDF-1.7"
    assert item["binary"]["doc"]["mimeType"] == "application/pdf"
    [item] = items_of("def f() -> io.BytesIO:\n    return io.BytesIO(b'x')")
    assert content(item["binary"]["data"]) == b"x"
    [item] = items_of("def f():\n    return io.StringIO('Größe')")
    assert content(item["binary"]["data"]) == "Größe".encode()
    assert item["binary"]["data"]["mimeType"].startswith("text/plain")
    path = os.path.join(tempfile.mkdtemp(), "report.csv")
    for how in ("w", "wb", "w+", "wb+"):
        text = "b'a;b'" if "b" in how else "'a;b'"
        for end in ("", "\n    file.close()"):
            code = (
                "def f():\n    file = open({!r}, {!r})\n    file.write({}){}\n    return {{'report': file}}"
            )
            [item] = items_of(code.format(path, how, text, end))
            assert content(item["binary"]["report"]) == b"a;b", (how, end)
            assert item["binary"]["report"]["fileName"] == "report.csv"
    for how in ("r", "rb"):
        [item] = items_of("def f():\n    return open({!r}, {!r})".format(path, how))
        assert content(item["binary"]["data"]) == b"a;b"
    made = "import tempfile\ndef f():\n    file = tempfile.NamedTemporaryFile(suffix='.txt')\n    file.write(b'x')\n    return file"
    [item] = items_of(made)
    assert content(item["binary"]["data"]) == b"x"
    piped = "def f():\n    near, far = os.pipe()\n    os.write(far, b'piped')\n    os.close(far)\n    return {'x': open(near, 'rb')}"
    [item] = items_of(piped)
    assert content(item["binary"]["x"]) == b"piped"
    closed = "def f():\n    near, far = os.pipe()\n    os.close(far)\n    x = open(near, 'rb')\n    x.close()\n    return {'x': x}"
    assert "nothing to read" in fails(closed).detail
    [item] = items_of(
        "def f(ctx: Context) -> int:\n    ctx.files.add('a.bin', io.BytesIO(b'y'))\n    return 1"
    )
    assert content(item["binary"]["a"]) == b"y"


def check_large_files_are_handed_over():
    [item] = items_of("def f():\n    return b'x' * (64 * 1024)")
    assert "data" in item["binary"]["data"]
    [item] = items_of("def f():\n    return File.from_bytes(b'x' * (64 * 1024 + 1), 'a.bin')")
    document = item["binary"]["data"]
    assert "data" not in document and document["fileSize"] == 64 * 1024 + 1
    given = EXCHANGE.files[document["file"]]
    assert (given.name, given.mime) == ("a.bin", "application/octet-stream")
    assert len(content(document)) == 64 * 1024 + 1


def check_deep_files_are_refused():
    problem = fails("def f():\n    return {'a': {'b': b'x'}}")
    assert problem.extra["path"] == "a.b" and "field" in problem.hint
    assert fails("def f():\n    return {'a': [{'b': File.from_text('x')}]}").code == "result_type"


# Context and secrets


def check_context():
    code = """
def f(ctx: Context, n: int) -> dict:
    ctx.cache["seen"] = ctx.cache.get("seen", 0) + 1
    return {"w": ctx.workflow, "e": ctx.execution, "n": ctx.node, "i": ctx.item, "seen": ctx.cache["seen"], "v": n}
"""
    assert run(code, [{"n": 7}, {"n": 8}]) == [
        {"w": "w1", "e": "e1", "n": "My node", "i": 0, "seen": 1, "v": 7},
        {"w": "w1", "e": "e1", "n": "My node", "i": 1, "seen": 2, "v": 8},
    ]
    all_at_once = "def f(rows: List[dict], ctx: Optional[Context]) -> bool:\n    return ctx.item is None"
    assert one(all_at_once, [{"n": 7}, {"n": 8}]) is True
    asynchronous = "async def f(n: int, *, ctx: 'Context') -> int:\n    return ctx.item"
    assert one(asynchronous, [{"n": 7}]) == 0
    assert fails("def f(ctx: Context) -> int:\n    return 1", [{}], [{"ctx": 1}]).code == "argument_unknown"
    assert one("def f(ctx: Context) -> str:\n    return type(ctx).__name__", [{"ctx": 5}]) == "Context"


def check_files_of_the_context():
    code = (
        "def f(ctx: Context, n: int) -> dict:\n    ctx.files.add('report.txt', 'hello')\n    return {'n': n}"
    )
    found = items_of(code, [{"n": 1}, {"n": 2}])
    assert [each["binary"]["report"]["fileName"] for each in found] == ["report.txt"] * 2
    assert [each["pairedItem"] for each in found] == [0, 1]
    generator = """
def f(ctx: Context):
    for n in range(3):
        if n != 1:
            ctx.files.add("part", b"%d" % n)
        yield {"n": n}
"""
    assert [list(each.get("binary", {})) for each in items_of(generator)] == [["part"], [], ["part"]]
    late = "def f(ctx: Context):\n    yield {'n': 1}\n    ctx.files.add('late', b'1')\n"
    assert [each["json"] for each in items_of(late)] == [{"n": 1}, {}]
    nothing = "def f(ctx: Context):\n    ctx.files.add('a', b'1')\n    ctx.files.add('a', b'2', 'text/csv')\n"
    [item] = items_of(nothing)
    assert item["json"] == {} and list(item["binary"]) == ["a", "a_2"]
    assert item["binary"]["a_2"]["fileName"] == "a.csv"
    both = "def f(ctx: Context):\n    ctx.files.add('a', b'1')\n    return {'a': b'2'}\n"
    assert list(items_of(both)[0]["binary"]) == ["a", "a_2"]
    empty = "def f(ctx: Context):\n    ctx.files.add('a', b'1')\n    return []\n"
    assert items_of(empty)[0]["json"] == {}
    assert "is no file" in fails("def f(ctx: Context):\n    ctx.files.add('a', 5)").detail
    failing = (
        "def f(ctx: Context, n: int) -> dict:\n    ctx.files.add('a', b'1')\n    1 / n\n    return {'n': n}"
    )
    found = items_of(failing, [{"n": 0}, {"n": 1}], on_error="continue")
    assert "error" in found[0] and "binary" not in found[0] and "binary" in found[1]


def check_progress():
    before = len(EXCHANGE.told)
    code = """
def f(ctx: Context) -> int:
    for i in range(10_000):
        ctx.progress(i / 10_000, "working")
    ctx.progress(1.0, "done")
    ctx.progress(None)
    ctx.progress(float("nan"))
    return 1
"""
    assert one(code) == 1
    told = EXCHANGE.told[before:]
    assert told[0] == (0.0, "working") and (1.0, "done") in told and len(told) < 12


def check_the_logger_writes_levels():
    import contextlib

    code = "def f(ctx: Context) -> int:\n    ctx.logger.debug('a')\n    ctx.logger.warning('b %d', 5)\n    return 1"
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        outcome(code)
    assert told.getvalue() == "DEBUG: a\nWARNING: b 5\n"


def check_secrets():
    code = "def f(api_key: Secret) -> dict:\n    return {'s': str(api_key), 'r': repr(api_key), 'n': len(api_key.reveal())}"
    found = one(code, [{"api_key": "from the item"}], secrets={"api_key": "hush"})
    assert found == {"s": "***", "r": "Secret('api_key', ***)", "n": 4}
    problem = fails(code, secrets={"other": "hush"})
    assert (
        problem.code == "argument_missing"
        and "other" in problem.hint
        and "hush" not in str(problem.document())
    )
    code = "def f(ctx: Context) -> bool:\n    return ctx.secrets['api_key'].reveal() == 'hush' and len(ctx.secrets) == 1"
    assert one(code, secrets={"api_key": "hush"}) is True
    problem = fails("def f(k: Secret):\n    return {'k': k}", secrets={"k": "hush"})
    assert "secret" in problem.hint and "hush" not in str(problem.document())
    for way in ("__import__('pickle').dumps(k)", "__import__('copy').deepcopy(k)"):
        assert "Secret" in fails("def f(k: Secret):\n    return {}".format(way), secrets={"k": "hush"}).detail


def check_files_of_code():
    file = File.from_text("héllo", "note")
    assert (file.name, file.mime, file.read_text()) == ("note.txt", "text/plain", "héllo")
    assert file.path.read_text(encoding="utf-8") == "héllo" and file.path.name == "note.txt"
    assert os.stat(str(file.path)).st_mode & 0o222 == 0
    import pickle

    again = pickle.loads(pickle.dumps(file))
    assert (again.name, again.read_bytes()) == (file.name, file.read_bytes())
    assert Image.from_pil(Pil.new("RGB", (1, 1)), "x").name == "x.png"
    assert File.from_bytes(png()).name == "file.png"
    assert File.from_path(str(file.path)).name == "note.txt"
