"""The packed form of values: what is loaded is what was packed, in one Python and from one to another."""

import datetime
import decimal
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflow_agent.codec import dumps
from qflow_agent.copies import own_copy
from qflow_agent.pickling import pack, unpack
from qflow_agent.previews import LIMIT, preview
from qflow_runner.sandbox import vendor
from qflow_runner.sandbox.image_files import cache_dir
from tests.unit.agent import guest

FILE = "pickling_checks.py"

ZONES = st.timezones() | st.none()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(max_size=10_000)
    | st.complex_numbers()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=ZONES)
    | st.timedeltas()
    | st.sampled_from([math.inf, math.nan, decimal.Decimal("NaN"), datetime.UTC, range(3), int, len])
)
KEYS = st.text() | st.integers() | st.tuples(st.integers(), st.text()) | st.dates()
VALUES = st.recursive(
    SCALARS,
    lambda part: (
        st.lists(part)
        | st.dictionaries(KEYS, part)
        | st.tuples(part, part)
        | st.sets(st.integers() | st.text())
        | st.frozensets(st.binary())
        | st.binary(max_size=5_000).map(bytearray)
    ),
    max_leaves=20,
)

_PACK = """
import sys; sys.path[:0] = {paths!r}
import collections, datetime, decimal, numpy, pandas
from qflow_agent.pickling import pack
value = {{"d": decimal.Decimal("1.10"), "t": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
         "s": {{1, 2}}, "o": collections.OrderedDict(a=b"x"), "big": 2 ** 100, "nan": float("nan")}}
open(sys.argv[1], "wb").write(b"".join(pack(value)))
open(sys.argv[2], "wb").write(b"".join(pack(lambda: 1)))
"""
_UNPACK = """
import sys; sys.path[:0] = {paths!r}
from qflow_agent.pickling import Unpicklable, unpack
print(sorted(map(repr, unpack(bytearray(open(sys.argv[1], "rb").read())).values())))
try:
    print(unpack(bytearray(open(sys.argv[2], "rb").read()))())
except Unpicklable as error:
    print(error)
"""


@pytest.mark.parametrize("python", guest.PYTHONS)
@pytest.mark.parametrize("name", guest.names_of(FILE))
def test_pickling(name: str, python: str) -> None:
    """The check holds in every Python of this machine, with the packages that there are for it."""
    assert guest.results(FILE, python)[name] == ""


PAIRS = [
    (writer, reader)
    for writer in guest.PYTHONS
    for reader in guest.PYTHONS
    if {writer, reader} <= {*guest.WIDE} or writer == guest.PYTHONS[0] or reader == guest.PYTHONS[-1]
]
"""Any to any of the wide ones; of the others, from the oldest and to the newest."""


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_from_one_python_to_another(writer: str, reader: str, tmp_path: Path) -> None:
    """Data crosses; code only stays with its own Python, and the sentence says so."""
    data, code = tmp_path / "data", tmp_path / "code"
    guest.run(writer, _PACK.format(paths=paths(writer)), data, code)
    loaded, called = guest.run(reader, _UNPACK.format(paths=paths(reader)), data, code).splitlines()

    assert "Decimal('1.10')" in loaded
    assert str(2**100) in loaded
    assert "{1, 2}" in loaded
    assert called == "1" if writer == reader else f"Python {writer}" in called


def paths(python: str) -> list[str]:
    return [str(guest.AGENT), str(vendor.cached(python, cache_dir())), str(guest.packages(python))]


@given(VALUES)
def test_round_trip(value: Any) -> None:
    """Whatever data there is comes back the same, class by class."""
    assert same(unpack(bytearray().join(pack(value))), value)


@given(VALUES)
def test_a_copy_is_the_same_and_its_own(value: Any) -> None:
    """No list, dict, set or bytearray of the copy is one of the original's."""
    copied = own_copy(value)

    assert same(copied, value)
    assert not (changeable(copied) & changeable(value))


@given(VALUES)
def test_a_preview_of_anything_is_short_json(value: Any) -> None:
    """Whatever a value holds."""
    assert len(dumps(preview(value))) <= LIMIT


def same(one: Any, other: Any) -> bool:
    """Equal with equal classes, where NaN equals itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or repr(one) == repr(other)


def changeable(value: Any) -> set[int]:
    """The ids of all that can be changed in a value."""
    own = {id(value)} if isinstance(value, dict | list | set | bytearray) else set[int]()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return own.union(*map(changeable, parts))
