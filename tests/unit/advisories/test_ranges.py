"""Whether a version is affected."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.version import Version

from qflow_runner.advisories.ranges import match


def a_range(*events: tuple[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"type": kind, "events": [{name: version} for name, version in events]}


BRANCHES = a_range(
    ("introduced", "3.0"),
    ("fixed", "3.0.14"),
    ("introduced", "2.2"),
    ("fixed", "2.2.20"),
    ("introduced", "3.1"),
)


@pytest.mark.parametrize(
    ("version", "affects", "fixed_in"),
    [
        ("2.1", "no", ("2.2.20",)),
        ("2.2", "yes", ("2.2.20",)),
        ("2.2.19.post1", "yes", ("2.2.20",)),
        ("2.2.20rc1", "yes", ("2.2.20",)),
        ("2.2.20", "no", ("3.0.14",)),
        ("3.0.1", "yes", ("3.0.14",)),
        ("3.0.14", "no", ()),
        ("3.1", "yes", ()),
        ("4!1.0", "yes", ()),
    ],
)
def test_branches_of_one_range_each_have_their_fix(
    version: str, affects: str, fixed_in: tuple[str, ...]
) -> None:
    """Events are sorted by version, not by place, and the fix is that of the version's own branch."""
    found = match(version, [], [BRANCHES])

    assert (affects, fixed_in) == (found.affects, found.fixed_in)


@pytest.mark.parametrize(
    ("events", "version", "affects"),
    [
        ([("introduced", "0")], "0.0.0.dev0", "yes"),
        ([("introduced", "0"), ("last_affected", "1.5")], "1.5", "yes"),
        ([("introduced", "0"), ("last_affected", "1.5")], "1.5.0", "yes"),
        ([("introduced", "0"), ("last_affected", "1.5")], "1.5.post1", "no"),
        ([("introduced", "1.5"), ("last_affected", "1.5")], "1.5", "yes"),
        ([("introduced", "0"), ("limit", "2.0")], "1.9", "yes"),
        ([("introduced", "0"), ("limit", "2.0")], "2.0", "no"),
        ([("introduced", "0"), ("limit", "2.0"), ("limit", "*")], "9.0", "yes"),
        ([("introduced", "0"), ("fixed", "2.1.0")], "2.1.0+cpu", "no"),
        ([("introduced", "0"), ("last_affected", "2.1.0")], "2.1.0+cpu", "yes"),
        ([("introduced", "1.0"), ("fixed", "1.0")], "0.9", "no"),
        ([("fixed", "1.0"), ("introduced", "1.0")], "1.0", "yes"),
    ],
)
def test_each_kind_of_event(events: list[tuple[str, str]], version: str, affects: str) -> None:
    """The rule of the OSV schema, with versions ordered as PEP 440 orders them."""
    assert affects == match(version, [], [a_range(*events)]).affects


def test_a_listed_version_is_affected_without_a_range() -> None:
    """And in whatever form it is written; a version that is not listed is not."""
    assert "yes" == match("1.0", ["1.0.0"], []).affects
    assert "no" == match("1.1", ["1.0.0"], []).affects
    assert "yes" == match("2004d", ["2004d"], []).affects


def test_commits_say_nothing_of_versions() -> None:
    """An advisory with commits alone cannot be judged; beside versions they change nothing."""
    commits = {"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "abc"}]}

    assert "unknown" == match("1.0", [], [commits]).affects
    assert "no" == match("1.0", ["0.9"], [commits]).affects
    assert "no" == match("3.0", [], [commits, a_range(("introduced", "0"), ("fixed", "2.0"))]).affects


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "text",
        {},
        {"type": "ECOSYSTEM"},
        {"type": "ECOSYSTEM", "events": []},
        {"type": "ECOSYSTEM", "events": [None]},
        {"type": "ECOSYSTEM", "events": [{"introduced": 0}]},
        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2019-09-12"}]},
        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"mended": "1.0"}]},
        {"type": "NEW", "events": [{"introduced": "0"}]},
    ],
)
def test_what_cannot_be_read_is_unknown_and_never_no(broken: Any) -> None:
    """But a version that is listed, or inside another range, is affected whatever else there is."""
    assert "unknown" == match("1.0", [], [broken]).affects
    assert "unknown" == match("1.0", ["2.0"], [broken]).affects
    assert "yes" == match("1.0", ["1.0"], [broken]).affects
    assert "yes" == match("1.0", [], [broken, a_range(("introduced", "0"))]).affects


def test_an_empty_advisory_is_unknown() -> None:
    """It names a package and no versions."""
    assert "unknown" == match("1.0", [], []).affects
    assert "unknown" == match("1.0", [7], []).affects


VERSIONS = st.builds(
    lambda parts, tail: ".".join(map(str, parts)) + tail,
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.sampled_from(["", "", ".dev1", "a1", "rc2", ".post1"]),
)


@given(version=VERSIONS, bounds=st.lists(VERSIONS, min_size=2, max_size=6, unique_by=Version))
def test_intervals_are_half_open(version: str, bounds: list[str]) -> None:
    """Against the plainest model: the version stands at or above a start, and below the end that follows it.

    The start "0" is before every version.
    """
    ordered = sorted(bounds, key=Version)
    assume("0" not in ordered[2::2])  # as a start it is before every version, also those that come before 0
    pairs = list(zip(ordered[::2], ordered[1::2], strict=False))
    events = [event for start, end in pairs for event in (("introduced", start), ("fixed", end))]
    expected = any(
        (start == "0" or Version(start) <= Version(version)) and Version(version) < Version(end)
        for start, end in pairs
    )

    assert ("yes" if expected else "no") == match(version, [], [a_range(*reversed(events))]).affects
