"""The frames between runner and guest: golden bytes, and what is refused."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflow_agent import wire

GOLDEN = {
    "hello": (
        wire.Hello("session", "tok", 1, "3.12.1", "0.1.0", 7),
        "0000004c88a174a568656c6c6fa16e00a4726f6c65a773657373696f6ea5746f6b656ea3746f6ba870726f746f636f6c01a6"
        "707974686f6ea6332e31322e31a56167656e74a5302e312e30a370696407",
    ),
    "fork": (wire.Fork("tok"), "0000001583a174a4666f726ba16e00a5746f6b656ea3746f6b"),
    "kill": (wire.Kill("tok"), "0000001583a174a46b696c6ca16e00a5746f6b656ea3746f6b"),
    "exited": (
        wire.Exited("tok", -9, True),
        "0000002e85a174a6657869746564a16e00a5746f6b656ea3746f6ba6737461747573f7ad6f75745f6f665f6d656d6f7279c3",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes(name: str) -> None:
    """A message's bytes stay as they are: a runner and a guest one version apart must understand each other."""
    message, golden = GOLDEN[name]

    assert golden == wire.encode(message).hex()


def test_golden_run() -> None:
    """The message of a run announces its payload and does not hold it."""
    message = wire.Run(1, "abc", "w", "e", "n", 30.0, "stop")

    body = msgpack.unpackb(wire.encode(message, 12)[4:])

    assert {
        "t": "run",
        "n": 12,
        "run": 1,
        "definition": "abc",
        "workflow": "w",
        "execution": "e",
        "node": "n",
        "time_limit_s": 30.0,
        "on_error": "stop",
    } == body


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
