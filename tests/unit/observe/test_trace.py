"""The header `traceparent`, as W3C Trace Context has it."""

import pytest

from qflow_runner.observe.trace import Trace, read_trace

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{ID}-{SPAN}-01", True),
        (f"00-{ID}-{SPAN}-00", False),
        (f" 00-{ID}-{SPAN}-03 ", True),
        (f"01-{ID}-{SPAN}-01-later-versions-say-more", True),
    ],
)
def test_a_trace_is_read(header: str, *, sampled: bool) -> None:
    """Also of later versions, which may say more."""
    trace = read_trace(header)

    assert trace == Trace(ID, SPAN, sampled)
    assert str(trace) == f"00-{ID}-{SPAN}-{'01' if sampled else '00'}"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{ID}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{ID}-{SPAN}",
        f"00-{ID}-{SPAN}-01\nX-Evil: 1",
        f"01-{ID}-{SPAN}-01-{'x' * 10_000}",
    ],
)
def test_what_is_none_begins_a_new_trace(header: str | None) -> None:
    """A caller's nonsense is neither passed on nor an error."""
    assert read_trace(header) is None
