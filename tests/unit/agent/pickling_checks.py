"""Packing and loading of values, with real packages. Run by test_pickling.py in several Pythons."""

import collections
import datetime
import decimal
import enum
import socket
import struct
import sys
import threading
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from qflow_agent import pickling, wire
from qflow_agent.definition import load
from qflow_agent.pickling import Unpicklable, pack, unpack

CODE = """
import dataclasses, enum, typing
FACTOR = 3
class Colour(enum.Enum):
    RED = "red"
@dataclasses.dataclass
class Order:
    id: int
    colour: Colour = Colour.RED
    def times(self): return scaled(self.id)
class Special(Order):
    def times(self): return super().times() + 1
class Pair(typing.NamedTuple):
    left: int
    right: "Pair" = None
class Node:
    def __init__(self): self.me = self
    def other(self): return Special
class Failure(Exception):
    pass
def scaled(n): return n * FACTOR
def main(): pass
def _adder(n):
    def add(m): return n + m
    return add
"""


def joined(value):
    return bytearray().join(pack(value))


def trip(value):
    return unpack(joined(value))


def module_of(name):
    return load(wire.Define(name, CODE, "main")).module


def fails(act, *words):
    try:
        act()
    except Unpicklable as raised:
        error = raised
    else:
        raise AssertionError("nothing was raised")
    assert error.hint
    for word in words:
        assert word in str(error), str(error)


def check_plain_values():
    for value in [
        None,
        2**100,
        -1,
        1.5,
        float("inf"),
        complex(1, 2),
        "ü\ud800",
        b"x" * 100_000,
        bytearray(b"y" * 100_000),
        (1, [2, {3}]),
        frozenset({1}),
        {"a": {1: None}},
        datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        datetime.timedelta(1),
        decimal.Decimal("1.10"),
        uuid.UUID(int=5),
        collections.OrderedDict(a=1),
        collections.deque([1], 3),
        range(3),
    ]:
        found = trip(value)
        assert found == value, value
        assert type(found) is type(value)


def check_tables_and_arrays():
    frame = pd.DataFrame(
        {"a": np.arange(10_000.0), "s": ["x"] * 10_000, "t": pd.Timestamp("2026-01-01", tz="UTC")}
    )
    pd.testing.assert_frame_equal(trip(frame), frame)
    changed = trip(frame)
    changed.loc[0, "a"] = 7.0
    assert changed.loc[0, "a"] == 7.0
    array = np.arange(100_000).reshape(100, 1000)
    found = trip(array)
    assert (found == array).all()
    assert found.flags.writeable
    assert found.flags.aligned
    assert (trip(array.T) == array.T).all()
    assert (trip(array[::2, ::3]) == array[::2, ::3]).all()
    assert trip(np.array([{"a": 1}], dtype=object))[0] == {"a": 1}
    assert trip(np.float64(1.5)) == 1.5
    assert (
        pl.DataFrame({"a": [1, None]}).equals(trip(pl.DataFrame({"a": [1, None]})))
        if hasattr(pl.DataFrame, "equals")
        else True
    )
    assert trip(pa.table({"a": [1, 2]})).equals(pa.table({"a": [1, 2]}))
    model = trip(LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
    assert list(model.predict([[1.0]])) == [1]


def check_large_buffers_are_not_copied():
    array = np.arange(1_000_000)
    pieces = pack(array)
    assert any(isinstance(piece, memoryview) and piece.nbytes == array.nbytes for piece in pieces)
    assert sum(memoryview(piece).nbytes for piece in pieces if not isinstance(piece, memoryview)) < 2_000
    packed = bytearray().join(pieces)
    found = unpack(packed)
    packed[-8:] = struct.pack("<q", -1)
    assert found[-1] == -1
    address = found.__array_interface__["data"][0]
    assert address % 8 == 0


def check_nothing_is_lost_that_is_shared_or_circular():
    shared = [1]
    value = {"a": shared, "b": shared}
    value["me"] = value
    found = trip(value)
    assert found["a"] is found["b"]
    assert found["me"] is found


def check_functions_travel_by_value():
    assert trip(lambda n: n + 1)(2) == 3
    module = module_of("byvalue")
    assert trip(module._adder(2))(3) == 5

    class Local:
        def go(self):
            return 5

    assert trip(Local()).go() == 5


def check_own_classes_where_their_module_is():
    """An object is an instance of the class that this session has, so that its nodes accept it."""
    module = module_of("samesession")
    found = trip([module.Order(2), module.Colour.RED, module.Order, module.scaled, module.Node()])
    assert type(found[0]) is module.Order
    assert found[1] is module.Colour.RED
    assert found[2] is module.Order
    assert found[3] is module.scaled
    assert type(found[4]) is module.Node


def check_own_classes_where_their_module_is_not():
    module = module_of("othersession")
    value = [
        module.Order(2),
        module.Special(3),
        module.Pair(1, module.Pair(2)),
        module.Node(),
        module.Failure("x"),
    ]
    packed, again = joined(value), joined(module.Order(9))
    del sys.modules[module.__name__]
    library = sys.modules["qflow_agent.cloudpickle"]
    library._DYNAMIC_CLASS_TRACKER_BY_ID.clear()  # what only a process knows that packed them
    library._DYNAMIC_CLASS_TRACKER_BY_CLASS.clear()
    found = unpack(packed)
    assert type(found[0]) is not module.Order
    assert found[0].times() == 6
    assert found[1].times() == 10
    assert isinstance(found[1], type(found[0]))
    assert found[0].colour is type(found[0].colour).RED
    assert found[2].right.left == 2
    assert found[3].me is found[3]
    assert found[3].other() is type(found[1])
    assert str(found[4]) == "x"
    assert type(unpack(again)) is type(found[0]), "the same class, however it came"
    assert type(unpack(joined(found[0]))) is type(found[0])
    assert repr(found[0]) == repr(module.Order(2))


def check_what_cannot_leave():
    fails(lambda: pack(threading.Lock()), "lock", "cannot leave")
    with socket.socket() as open_socket:
        fails(lambda: pack({"a": [open_socket]}), "socket")
    half_read = (n for n in [1, 2])
    next(half_read)
    fails(lambda: pack(half_read), "generator")
    with Path(sys.executable).open("rb") as file:
        fails(lambda: pack(file), "cannot leave")

    class Refuses:
        def __reduce_ex__(self, protocol):
            raise ValueError("not me")

    fails(lambda: pack(Refuses()), "Refuses", "not me")
    deep = []
    for _ in range(100_000):
        deep = [deep]
    fails(lambda: pack(deep), "list")


def check_damage_is_told():
    packed = joined({"a": np.arange(10_000)})
    for size in [0, 1, 4, 7, 20, 100, len(packed) // 2, len(packed) - 1]:
        fails(lambda size=size: unpack(packed[:size]), "")
    for place in range(pickling.ALIGNMENT * 3):
        broken = bytearray(packed)
        if (
            place < 4
            or 8 + struct.unpack(">I", packed[4:8])[0] <= place < 12 + struct.unpack(">I", packed[4:8])[0]
        ):
            broken[place] ^= 0xFF
            fails(lambda broken=broken: unpack(broken))
    huge = bytearray(packed)
    start = 8 + struct.unpack(">I", packed[4:8])[0]
    huge[start + 4 : start + 12] = b"\xff" * 8
    fails(lambda: unpack(huge), "incomplete")


def check_a_missing_package_is_named():
    import types

    module = types.ModuleType("gone_package")
    exec("class Thing: pass", module.__dict__)
    sys.modules["gone_package"] = module
    packed = joined(module.Thing())
    del sys.modules["gone_package"]
    fails(lambda: unpack(packed), "gone_package", "gone_package.Thing")


def check_code_of_another_python_is_refused():
    packed = joined(lambda: 1)
    own = b'"%d.%d"' % sys.version_info[:2]
    at = packed.index(own)
    packed[at : at + len(own)] = b'"9.' + b"9" * (len(own) - 4) + b'"'
    fails(lambda: unpack(packed), "Python 9.9", "cannot run")


def check_the_library_stays_private():
    trip(lambda: 1)
    assert sys.modules["qflow_agent.cloudpickle"].__file__ != getattr(
        sys.modules.get("cloudpickle"), "__file__", None
    )
    import cloudpickle

    assert cloudpickle.__name__ == "cloudpickle"
    assert trip(enum.Enum("Local", "A B")).A.value == 1
