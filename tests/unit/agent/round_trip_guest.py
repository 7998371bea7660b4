"""What the round trips need within the guest: names for their sources, and an exact comparison. A layer's module, Python 3.8."""

# ruff: noqa: UP006, UP035, UP045 - Python 3.8 too

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import math
import pathlib
import uuid
from typing import Dict, List, NamedTuple, Optional

import numpy as np
import pandas as pd
import PIL.Image
import polars as pl
import pyarrow as pa
import pydantic

from qflow import File

try:
    from zoneinfo import ZoneInfo
except ImportError:
    ZoneInfo = None

try:
    from typing_extensions import TypedDict
except ImportError:
    from typing import TypedDict


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Line:
    name: str
    price: decimal.Decimal
    due: Optional[dt.datetime] = None


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    lines: List[Line]
    colour: Colour = Colour.RED


class Point(NamedTuple):
    x: float
    label: str
    on: dt.date


class Person(TypedDict):
    name: str
    born: dt.date


class Street(pydantic.BaseModel):
    name: str
    number: int


class Customer(pydantic.BaseModel):
    id: int
    seen: dt.datetime
    homes: List[Street]
    marks: Dict[str, float] = {}


def made(source):
    return eval(source, globals())


def difference(value, expected):
    """Empty where both are the same to the last bit: type, dtype, index, order, sign of zero; else what differs."""
    if type(value) is not type(expected):
        return f"type {type(value)!r}, not {type(expected)!r}"
    if isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
        return _pandas(value, expected)
    if isinstance(value, (pl.DataFrame, pl.Series)):
        same = value.equals(expected, null_equal=True)
        told = (value.schema, expected.schema) if hasattr(value, "schema") else (value.dtype, expected.dtype)
        return "" if same and told[0] == told[1] else f"{value!r}, not {expected!r}"
    if isinstance(value, (pa.Table, pa.RecordBatch, pa.Array, pa.ChunkedArray)):
        told = [each.schema if hasattr(each, "schema") else each.type for each in (value, expected)]
        same = str(value.to_pylist()) == str(expected.to_pylist())
        return "" if same and told[0] == told[1] else f"{value!r}, not {expected!r}"
    if isinstance(value, np.ndarray):
        return _array(value, expected)
    if isinstance(value, PIL.Image.Image):
        told = [(each.mode, each.size, each.tobytes(), each.getpalette()) for each in (value, expected)]
        return "" if told[0] == told[1] else "another picture"
    if isinstance(value, File):
        told = [(each.name, each.mime, each.read_bytes()) for each in (value, expected)]
        return "" if told[0] == told[1] else f"{told[0]!r}, not {told[1]!r}"
    return _plain(value, expected)


def _plain(value, expected):
    if isinstance(value, np.generic):
        same = value.dtype == expected.dtype and repr(value) == repr(expected)
        return "" if same else f"{value!r}, not {expected!r}"
    if isinstance(value, float):
        same = repr(value) == repr(expected) and math.copysign(1, value) == math.copysign(1, expected)
        return "" if same else f"{value!r}, not {expected!r}"
    if dataclasses.is_dataclass(value):
        return difference(vars(value), vars(expected))
    if isinstance(value, dict):
        if list(value) != list(expected):
            return f"keys {list(value)!r}, not {list(expected)!r}"
        return next(filter(None, (difference(value[key], expected[key]) for key in value)), "")
    if isinstance(value, (list, tuple, collections.deque)):
        if len(value) != len(expected):
            return f"{len(value)} parts, not {len(expected)}"
        return next(filter(None, map(difference, value, expected)), "")
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        same = value == expected and value.utcoffset() == expected.utcoffset() and value.fold == expected.fold
        return "" if same else f"{value!r}, not {expected!r}"
    return "" if repr(value) == repr(expected) or value == expected else f"{value!r}, not {expected!r}"


def _pandas(value, expected):
    exact = {"check_exact": True, "check_freq": False}
    try:
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(
                value, expected, check_column_type="exact", check_index_type="exact", **exact
            )
            if list(map(str, value.dtypes)) != list(map(str, expected.dtypes)):
                return f"{value.dtypes!r}, not {expected.dtypes!r}"
        elif isinstance(value, pd.Series):
            pd.testing.assert_series_equal(value, expected, check_index_type="exact", **exact)
        else:
            pd.testing.assert_index_equal(value, expected, exact=True)
    except AssertionError as error:
        return str(error)
    return ""


def _array(value, expected):
    if (value.dtype, value.shape) != (expected.dtype, expected.shape):
        return f"{value.dtype!r} {value.shape!r}, not {expected.dtype!r} {expected.shape!r}"
    if value.dtype.hasobject or "f16" in str(
        value.dtype.descr
    ):  # numbers of 16 bytes have some that mean nothing
        return difference(value.tolist(), expected.tolist())
    return "" if value.tobytes() == expected.tobytes() else f"{value!r}, not {expected!r}"


NOW = (fractions, ipaddress, pathlib, np, pa)
"""Sources name these modules."""
