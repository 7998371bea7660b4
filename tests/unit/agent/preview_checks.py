"""Previews of many kinds of objects, with real packages. Run by test_previews.py in several Pythons."""

import json
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from PIL import Image
from sklearn.linear_model import LogisticRegression

from qflow_agent.previews import LIMIT, preview


def seen(value):
    """The preview, which has to be short, strict JSON, and quick."""
    began = time.perf_counter()
    document = preview(value)
    assert time.perf_counter() - began < 1
    text = json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    assert len(text) < LIMIT * 1.3, len(text)
    return document


def check_pandas():
    frame = pd.DataFrame(
        {"n": [1.5, float("nan")], "t": [pd.Timestamp("2026-01-02"), pd.NaT], "o": [[1], None]}
    )
    document = seen(frame)
    assert document["type"] == "pandas.DataFrame"
    assert document["shape"] == [2, 3]
    assert list(document["columns"]) == ["n", "t", "o"]
    assert document["columns"]["n"] == "float64"
    assert document["bytes"] > 0
    assert document["preview"][0] == {"n": 1.5, "t": "2026-01-02T00:00:00", "o": "[1]"}
    assert document["preview"][1]["n"] is None
    assert document["preview"][1]["t"] is None
    assert seen(pd.Series([1, 2, 3]))["preview"] == [1, 2, 3]
    assert seen(pd.Index(["a"]))["preview"] == ["a"]
    assert seen(pd.MultiIndex.from_tuples([(1, "a")]))["shape"] == [1]
    assert seen(pd.DataFrame())["preview"] == []
    assert seen(pd.DataFrame({"a": pd.Categorical(["x"]), "b": pd.array([None], dtype="Int64")}))[
        "preview"
    ] == [{"a": "x", "b": None}]


def check_awkward_columns():
    document = seen(pd.DataFrame([[1, 2, 3]], columns=["a", "a", ("b", 1)]))
    assert list(document["columns"])[:2] == ["a", "a (2)"]
    assert len(document["columns"]) == 3
    assert list(document["preview"][0].values()) == [1, 2, 3]
    document = seen(pd.DataFrame(np.zeros((3, 10_000))))
    assert document["shape"] == [3, 10_000]
    assert len(document["columns"]) + document["more_columns"] == 10_000
    seen(pd.DataFrame([["y" * 5_000] * 40], columns=[f"{'c' * 500}{n}" for n in range(40)]))


def check_polars_and_arrow():
    assert seen(pl.DataFrame({"a": [1, None], "b": [[1, 2], []]}))["preview"][0]["a"] == 1
    assert seen(pl.DataFrame({"a": [1]}).lazy())["type"] == "polars.LazyFrame"
    assert seen(pl.Series([1.0, float("nan")]))["preview"] == [1.0, None]
    table = pa.table({"a": [1, 2], "l": [list(range(100_000)), []]})
    document = seen(table)
    assert document["type"] == "pyarrow.Table"
    assert document["shape"] == [2, 2]
    assert document["columns"]["a"] == "int64"
    assert document["preview"][0]["a"] == 1
    assert seen(pa.array([1, 2]))["preview"] == [1, 2]
    assert seen(pa.chunked_array([[1], [2]]))["preview"] == [1, 2]
    assert seen(pl.DataFrame())["shape"] == [0, 0]


def check_numpy():
    assert seen(np.arange(1_000_000.0))["preview"] == list(map(float, range(10)))
    assert seen(np.zeros((3, 4)))["shape"] == [3, 4]
    assert seen(np.full((2, 2, 2), np.inf))["preview"] == [None] * 8
    assert seen(np.array(["2026-01-01"], dtype="datetime64[ns]"))["preview"] == [
        "2026-01-01T00:00:00.000000000"
    ]
    assert seen(np.int64(3))["preview"] == 3
    assert seen(np.array(3))["shape"] == []
    seen(np.zeros(2, dtype=[("a", int), ("b", float)]))
    seen(np.array([object(), [1]], dtype=object))
    assert seen(np.array(["x" * 100_000]))["preview"][0].endswith("…")


def check_models_and_pictures():
    model = LogisticRegression(C=2.0)
    assert seen(model)["preview"]["fitted"] is False
    assert seen(model)["preview"]["parameters"]["C"] == 2.0
    assert seen(model.fit([[0.0], [1.0]], [0, 1]))["preview"]["fitted"] is True
    from scipy.sparse import csr_matrix

    assert "1 values" in seen(csr_matrix([[0, 1]]))["preview"]
    assert seen(Image.new("RGB", (4, 3)))["shape"] == [3, 4]


def check_plain_python():
    assert seen({"a": 1, 2: "b"})["preview"] == {"a": 1, "2": "b"}
    assert seen([1, "a", None, float("nan")])["preview"] == [1, "a", None, None]
    assert seen(list(range(10_000_000)))["shape"] == [10_000_000]
    assert seen({n: n for n in range(100_000)})["shape"] == [100_000]
    assert seen(deque(range(50)))["shape"] == [50]
    assert seen(n for n in range(3))["type"] == "generator"
    assert "seen(value)" in seen(seen)["preview"]
    assert seen(b"x" * 10_000_000)["bytes"] == 10_000_000
    assert seen("x" * 10_000_000)["preview"].endswith("…")
    assert "bits" in seen(10**100_000)["preview"]
    assert seen(2**60)["preview"] == str(2**60)
    assert seen(Decimal("1.5"))["preview"] == "Decimal('1.5')"
    assert seen(threading.Lock())["type"] == "_thread.lock"
    assert seen(OrderedDict(a=1))["preview"] == {"a": 1}
    assert seen("\ud800 half")["preview"]
    seen({"\ud800": "\ud800"})
    itself = []
    itself.append(itself)
    seen(itself)
    seen(object())
    seen(int)
    seen(json)


@dataclass
class Order:
    id: int
    lines: list = field(default_factory=lambda: list(range(1_000_000)))


class Huge:
    def __init__(self):
        self.data = list(range(3_000_000))

    def __repr__(self):
        return repr(self.data)


class Slotted:
    __slots__ = ("data",)

    def __init__(self):
        self.data = ["x" * 100] * 1_000_000

    def __repr__(self):
        return repr(self.data)


class Leaves:
    def __repr__(self):
        raise SystemExit(3)


class Endless(list):
    def __iter__(self):
        while True:
            yield 1

    def __len__(self):
        raise RuntimeError


class Odd:
    def __repr__(self):
        return 5

    def __getattr__(self, name):
        raise KeyboardInterrupt


class Deep:
    def __init__(self, below):
        self.below = below

    def __repr__(self):
        return f"Deep({self.below!r})"


def check_hostile_objects():
    deep = None
    for _ in range(5_000):
        deep = Deep(deep)
    assert seen(Order(1))["preview"] == "Order(id=1, lines=[…])"
    assert "Huge" in seen(Huge())["preview"]
    assert "Slotted" in seen(Slotted())["preview"]
    assert "SystemExit" in seen(Leaves())["preview"]
    assert "raised" in seen(Endless())["preview"]
    assert seen(Odd())["type"] == "Odd"
    assert seen(deep)["type"] == "Deep"
    seen([Leaves(), Huge(), deep])
    seen({"a": Leaves(), Slotted(): 1})
    seen(pd.DataFrame({"a": [Leaves(), deep]}))
