"""The frames between runner and guest: golden bytes, and what is refused."""

import json
from pathlib import Path
from typing import get_args

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflow_agent import wire

MESSAGES: dict[str, tuple[wire.Message, int]] = {
    "hello": (wire.Hello("session", "tok", 1, "3.12.1", "0.1.0", 7, ["numpy"], "full"), 0),
    "environment": (wire.Environment("tok", "1a2b", ["pandas"]), 0),
    "fork": (wire.Fork("tok", True), 0),
    "egress": (wire.Egress("tok"), 0),
    "listen": (wire.Listen("127.7.0.2", 443, "api.example.org"), 0),
    "listening": (wire.Listening("127.7.0.2", 443, "in use"), 0),
    "kill": (wire.Kill("tok"), 0),
    "exited": (wire.Exited("tok", -9, True), 0),
    "define": (wire.Define("d", "def f(): pass", "f", "auto", "auto", "strict", 4, "shared"), 0),
    "run": (
        wire.Run(
            3,
            "d",
            "w",
            "e",
            "n",
            1.5,
            "stop",
            True,
            "http://127.7.0.1:3128",
            8,
            4,
            16,
            2,
            "00-1a-2b-01",
            True,
        ),
        5,
    ),
    "done": (
        wire.Done(3, 2, 1, {"code": 0.5}, [["stdout", "hi"]], ["h"], ["r"], 0.25, ["r"], {"cpu_ms": 1.5}),
        2,
    ),
    "failed": (wire.Failed(3, {"code": "x"}, {"code": 0.5}, usage={"cpu_ms": 1.5}), 0),
    "want": (wire.Want("r", "value"), 0),
    "have": (wire.Have("r", 9, "/files/r", "It is gone."), 0),
    "give": (wire.Give("f", "file", "a.png", "image/png"), 0),
    "part": (wire.Part("f", True), 3),
    "spill": (wire.Spill(["r"], True), 0),
    "spilled": (wire.Spilled({"r": "It holds a lock."}), 0),
    "progress": (wire.Progress(3, 0.5, "half"), 0),
    "printed": (wire.Printed(3, "stdout", "hi"), 0),
}
"""One of each, with the size of the payload that it announces."""

GOLDEN: dict[str, str] = json.loads((Path(__file__).parent / "golden_frames.json").read_text())


@pytest.mark.parametrize("name", MESSAGES)
def test_golden_bytes(name: str) -> None:
    """A message's bytes stay as they are: a runner and a guest one version apart must understand each other."""
    message, payload = MESSAGES[name]

    assert GOLDEN[name] == wire.encode(message, payload).hex()
    assert (message, payload) == wire.decode(bytes.fromhex(GOLDEN[name])[wire.HEADER_SIZE :])


def test_every_message_has_golden_bytes() -> None:
    """A new message cannot be forgotten here."""
    assert {*GOLDEN} == {*MESSAGES} == {kind.__name__.lower() for kind in get_args(wire.Message)}


def test_unknown_fields_are_dropped_and_missing_ones_take_their_default() -> None:
    """A side that is one version newer may say more, and an older one less."""
    packed = msgpack.packb({"t": "exited", "token": "t", "status": 0, "later": [1]})

    assert (wire.Exited("t", 0, False), 0) == wire.decode(packed)


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        msgpack.packb([1, 2]),
        msgpack.packb({"t": "nonsense"}),
        msgpack.packb({"t": ["run"]}),
        msgpack.packb({"t": "fork"}),
        msgpack.packb({"t": "fork", "token": 7}),
        msgpack.packb({"t": "fork", "token": "t", "n": -1}),
        msgpack.packb({"t": "fork", "token": "t", "n": True}),
        msgpack.packb({"t": "exited", "token": "t", "status": True}),
        msgpack.packb({"t": "fork", "token": "t"}) + b"more",
        msgpack.packb({1: 2}),
    ],
)
def test_malformed_messages_are_refused(body: bytes) -> None:
    """Whatever a guest sends is checked, and refused as one kind of error."""
    with pytest.raises(wire.WireError):
        wire.decode(body)


@given(st.binary(max_size=200))
def test_no_bytes_get_past_the_check(body: bytes) -> None:
    """Random bytes are a message or a WireError, never anything else."""
    try:
        message, size = wire.decode(body)
    except wire.WireError:
        return
    assert size >= 0
    assert isinstance(message, tuple(wire._TAGS.values()))


@pytest.mark.parametrize("size", [0, wire.MAX_MESSAGE + 1, 0xFFFFFFFF])
def test_message_sizes_are_bounded(size: int) -> None:
    """A length outside the limits ends the connection before memory is taken for it."""
    with pytest.raises(wire.WireError):
        wire.message_size(size.to_bytes(4, "big"))


def test_oversized_messages_are_not_sent() -> None:
    """A side that would break the limit hears of it at home."""
    with pytest.raises(wire.WireError):
        wire.encode(wire.Failed(1, {"detail": "x" * wire.MAX_MESSAGE}))
