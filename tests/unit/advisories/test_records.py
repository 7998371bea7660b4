"""What is read of a record, and how several records become one answer."""

from typing import Any

import pytest

from qflow_runner.advisories.model import Advisory
from qflow_runner.advisories.records import merged, printable, read_record
from qflow_runner.advisories.severity import base_score, severity_of
from tests.unit.advisories.fakes import a_record


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N/E:P/RL:O", 5.9),
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0),
        ("AV:N/AC:M/Au:N/C:N/I:P/A:N", 4.3),
        ("(AV:L/AC:H/Au:N/C:C/I:C/A:C)", 6.2),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
        ("CVSS:3.1/AV:N/AC:L", None),
        ("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
        ("high", None),
        ("", None),
    ],
)
def test_base_scores_are_those_of_the_standard(vector: str, score: float | None) -> None:
    """Examples from the CVSS guides; a vector that is not whole has no score."""
    assert score == base_score(vector)


@pytest.mark.parametrize(
    ("record", "severity"),
    [
        ({"database_specific": {"severity": "MODERATE"}}, "MEDIUM"),
        ({"database_specific": {"severity": "low"}, "severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"}]}, "LOW"),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}, "CRITICAL"),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"}]}, "HIGH"),
        ({"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}]}, "UNKNOWN"),
        ({"severity": "HIGH"}, "UNKNOWN"),
        ({"severity": [None, 7, {"score": 9.8}], "database_specific": ["HIGH"]}, "UNKNOWN"),
        ({"database_specific": {"severity": "terrible"}}, "UNKNOWN"),
        ({}, "UNKNOWN"),
    ],
)  # fmt: skip
def test_severity_in_one_word(record: dict[str, Any], severity: str) -> None:
    """The database's own word first."""
    assert severity == severity_of(record)


@pytest.mark.parametrize(
    "raw", [None, [], "x", 7, {}, {"id": 7}, {"id": ""}, {"id": "../../etc/passwd"}, {"id": "a" * 200}]
)
def test_what_is_no_record(raw: Any) -> None:
    """An id is a name, never a path."""
    assert read_record(raw) is None


@pytest.mark.parametrize(
    "affected",
    [
        "x",
        [None],
        [{"package": 7}],
        [{"package": {"ecosystem": "PyPI"}}],
        [{"package": {"ecosystem": 1, "name": "a"}}],
    ],
)
def test_a_record_that_names_no_package_is_incomplete(affected: Any) -> None:
    """It may be about any package."""
    record = read_record({"id": "A-1", "affected": affected})

    assert record is not None
    assert not record.complete
    assert () == record.affected


def test_other_ecosystems_and_repositories_are_passed_over() -> None:
    """A record can be about several packages, and about a repository without one."""
    record = read_record(
        {
            "id": "A-1",
            "affected": [
                {"package": {"ecosystem": "npm", "name": "requests"}, "versions": ["1.0"]},
                {"ranges": [{"type": "GIT", "events": []}]},
                {"package": {"ecosystem": "PyPI", "name": "Zope.Interface"}, "versions": ["1.0"]},
            ],
        }
    )

    assert record is not None
    assert record.complete
    assert ["zope-interface"] == [each.name for each in record.affected]
    assert "no" == record.judge("requests", "1.0")[0].affects
    assert "yes" == record.judge("zope-interface", "1.0")[0].affects


def test_entries_of_one_package_are_one_answer() -> None:
    """Each branch has an entry of its own in GitHub's records."""
    raw = a_record("GHSA-1", "django", introduced="2.2", fixed="2.2.20")
    raw["affected"] += a_record("GHSA-1", "Django", introduced="3.0", fixed="3.0.14")["affected"]
    record = read_record(raw)

    assert record is not None
    assert ("yes", ("3.0.14",)) == (
        record.judge("django", "3.0.1")[0].affects,
        record.judge("django", "3.0.1")[1].fixed_in,
    )
    assert "no" == record.judge("django", "2.2.20")[0].affects


def test_wrong_types_make_the_package_doubtful() -> None:
    """It is named, but not to be judged."""
    for member in ({"versions": "1.0"}, {"ranges": {}}, {"versions": [], "ranges": 7}):
        record = read_record(
            {"id": "A-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}} | member]}
        )

        assert record is not None
        assert "unknown" == record.judge("a", "1.0")[0].affects


def test_a_malicious_package_is_critical() -> None:
    """Its record has no score."""
    record = read_record(a_record("MAL-2026-1", "reqeusts", fixed=None))

    assert record is not None
    assert "CRITICAL" == record.judge("reqeusts", "1.0")[1].severity


def test_one_vulnerability_under_several_ids_is_told_once() -> None:
    """Aliases join, also over a third record; what each knows is kept; the worst comes first."""
    found = merged(
        [
            Advisory("PYSEC-2", summary="other", severity="LOW"),
            Advisory("PYSEC-1", ("CVE-1",), "", "UNKNOWN", ("2.0",), "https://osv.dev/vulnerability/PYSEC-1"),
            Advisory("GHSA-1", ("GHSA-x",), "Summary", "HIGH", ("1.9",)),
            Advisory("OTHER-1", ("CVE-1", "GHSA-x")),
        ]
    )

    assert ["PYSEC-1", "PYSEC-2"] == [each.id for each in found]
    assert ("CVE-1", "GHSA-1", "GHSA-x", "OTHER-1") == found[0].aliases
    assert ("Summary", "HIGH", ("1.9", "2.0")) == (found[0].summary, found[0].severity, found[0].fixed_in)
    assert "https://osv.dev/vulnerability/PYSEC-1" == found[0].url


def test_text_of_an_advisory_is_one_printable_line() -> None:
    """Whatever is in it: colours, lines, sizes."""
    assert "a b [31mred" == printable("a\n\tb \x1b[31mred\x07", 100)
    assert 10 == len(printable("x" * 50, 10))
    raw = a_record("A-1", summary="", details="First\nparagraph.\n\nSecond.")
    record = read_record(raw)

    assert record is not None
    assert "First paragraph." == record.summary
