"""What may stand in a node's Network Access, and what the administrator lets stand there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflow_runner.egress import Policy, Target, target_of, targets_of
from qflow_runner.egress.names import pattern_of
from qflow_runner.errors import EgressInvalid, EgressNotAllowed
from qflow_runner.settings import Settings


@pytest.mark.parametrize(
    ("line", "normal"),
    [
        ("api.example.org:443", "api.example.org:443"),
        (" API.Example.ORG.:0443 ", "api.example.org:443"),
        ("*.example.com:443", "*.example.com:443"),
        ("bücher.example:80", "xn--bcher-kva.example:80"),
        ("straße.example:80", "xn--strae-oqa.example:80"),
        ("db:5432", "db:5432"),
        ("my_db.internal:5432", "my_db.internal:5432"),
        ("_srv.example.org:1", "_srv.example.org:1"),
        ("3com.example:65535", "3com.example:65535"),
    ],
)
def test_a_line_is_a_name_and_a_port(line: str, normal: str) -> None:
    """In one way of writing, so that the same list makes the same definition."""
    assert normal == str(target_of(line))


@pytest.mark.parametrize(
    "line",
    [
        "api.example.org",
        "https://api.example.org/v1",
        "https://api.example.org:443",
        "api.example.org:443/path",
        "api.example.org:0",
        "api.example.org:65536",
        "api.example.org:https",
        "api.example.org:٤٤٣",
        "api.example.org:+443",
        "user@api.example.org:443",
        "api..example.org:443",
        ".example.org:443",
        "-x.example.org:443",
        "x" * 64 + ".example.org:443",
        "a.*.example.org:443",
        "*:443",
        "*.:443",
        "*.*.org:443",
        "a b.example.org:443",
        "a\nb.example.org:443",
        "a\x00.example.org:443",
        "a\t127.0.0.1.example.org:443",
        "10.0.0.5:5432",
        "127.1:80",
        "0x7f000001:80",
        "0x7f.1:80",
        "2130706433:80",
        "０.０.０.０:80",
        "１２７.0.0.1:80",
        "[::1]:80",
        "::1:80",
        "[::ffff:127.0.0.1]:80",
        "localhost:80",
        "LOCALHOST.:80",
        "db.localhost:80",
        "sandbox:80",
        "ip6-localhost:80",
        "*.localhost:80",
        "ⓛocalhost:80",
        "x" * 400 + ":443",
        ":443",
    ],
)
def test_what_is_no_name_with_a_port_is_refused(line: str) -> None:
    """Addresses in every form, the sandbox itself, URLs, and what could break a line of the hosts file."""
    with pytest.raises(EgressInvalid) as refused:
        target_of(line)
    assert refused.value.hint
    assert "\n" not in refused.value.detail


@given(st.text(max_size=60))
def test_nothing_that_passes_can_break_a_line_of_the_hosts_file(text: str) -> None:
    """Whatever is written: the name is lower case ASCII, with dots between labels."""
    try:
        target = target_of(text)
    except EgressInvalid:
        return
    assert target.host.removeprefix("*.").replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert target.host.isascii()
    assert target_of(str(target)) == target


def test_a_list_is_sorted_and_has_each_line_once() -> None:
    assert ("a.example:1", "b.example:2") == tuple(
        map(str, targets_of(["b.example:2", "", "A.example:1", "a.example:1", " "]))
    )


@pytest.mark.parametrize(
    ("pattern", "line", "covered"),
    [
        ("api.example.org:443", "api.example.org:443", True),
        ("api.example.org:443", "api.example.org:80", False),
        ("api.example.org:*", "api.example.org:80", True),
        ("*:443", "anything.example:443", True),
        ("*:443", "*.example:443", True),
        ("*:443", "anything.example:80", False),
        ("*.example.org:443", "api.example.org:443", True),
        ("*.example.org:443", "a.b.example.org:443", True),
        ("*.example.org:443", "example.org:443", False),
        ("*.example.org:443", "badexample.org:443", False),
        ("*.example.org:443", "*.example.org:443", True),
        ("*.example.org:443", "*.api.example.org:443", True),
        ("*.api.example.org:443", "*.example.org:443", False),
        ("api.example.org:443", "*.example.org:443", False),
        ("api.example.org:443", "*.api.example.org:443", False),
        ("*:*", "*.example:1", True),
    ],
)
def test_a_pattern_covers_a_line_when_it_covers_all_that_it_stands_for(
    pattern: str, line: str, covered: bool
) -> None:
    assert covered == pattern_of(pattern).covers(target_of(line))


def test_nothing_may_be_listed_by_default() -> None:
    """The sentence names the host and the setting, and its hint says what to do."""
    with pytest.raises(EgressNotAllowed) as refused:
        Policy(Settings()).check([Target("api.example.org", 443)])

    assert "api.example.org:443" in refused.value.detail
    assert "QFLOW_EGRESS_ALLOW" in refused.value.detail
    assert "QFLOW_EGRESS_ALLOW" in (refused.value.hint or "")
    assert ("policy", 403) == (refused.value.category, refused.value.status)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("egress_allow", "api.example.org"),
        ("egress_allow", "10.0.0.1:80"),
        ("egress_private", "10.0.0.0/40"),
        ("egress_private", "127.0.0.1:99999"),
        ("egress_hosts", "db.internal"),
        ("egress_hosts", "db.internal=localhost"),
        ("egress_hosts", "*.internal=127.0.0.1"),
        ("egress_hosts", "localhost=127.0.0.1"),
    ],
)
def test_a_setting_that_cannot_be_read_is_refused_with_its_name(setting: str, value: str) -> None:
    with pytest.raises(EgressInvalid, match=f"QFLOW_{setting.upper()}"):
        Policy(Settings(**{setting: value}))


def test_entries_are_separated_by_spaces_commas_or_lines() -> None:
    settings = Settings(egress_allow="a.example:1, b.example:2\n*:443")  # pyright: ignore[reportArgumentType]

    assert ["a.example:1", "b.example:2", "*:443"] == [str(each) for each in Policy(settings).allow]
