"""What follows from an audit: refusals, the table, the counts."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError
from rich.console import Console

from qflow_runner.advisories import (
    Advisory,
    Audit,
    PackageAudit,
    Policy,
    audit_table,
    count_in_use,
    mended_by,
    origin_of,
    refuse,
)
from qflow_runner.errors import PackageVulnerable
from qflow_runner.layers.index_hosts import PUBLIC
from qflow_runner.observe.registry import render
from qflow_runner.settings import Settings

PUBLIC_HOST = urlsplit(PUBLIC).hostname

REQUESTS = PackageAudit(
    "requests",
    "2.19.0",
    "vulnerable",
    (
        Advisory("PYSEC-1", ("CVE-1",), "Leaks [red]headers[/]", "HIGH", ("2.31.0", "3.0"), "https://osv.dev/vulnerability/PYSEC-1"),
        Advisory("PYSEC-2", (), "Another", "UNKNOWN", ("2.4.0",)),
    ),
)  # fmt: skip
UNFIXED = PackageAudit("py", "1.11.0", "vulnerable", (Advisory("PYSEC-3"),))
CLEAN = PackageAudit("numpy", "2.1.0", "clean")
UNKNOWN = PackageAudit("tools", "1.0", "not checked", reason="it is from an index of your own")


def an_audit(*packages: PackageAudit) -> Audit:
    return Audit(packages, datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "https://api.osv.dev")


@pytest.mark.parametrize(
    ("packages", "worst"),
    [
        ((CLEAN, UNKNOWN, REQUESTS), "vulnerable"),
        ((CLEAN, UNKNOWN), "not checked"),
        ((CLEAN, CLEAN), "clean"),
        ((), "clean"),
    ],
)
def test_the_worst_of_all(packages: tuple[PackageAudit, ...], worst: str) -> None:
    """One package that was not checked is enough for the whole not to be clean."""
    assert worst == an_audit(*packages).worst


@pytest.mark.parametrize("policy", ["off", "warn"])
def test_other_policies_refuse_nothing(policy: Policy) -> None:
    """They show it."""
    refuse(an_audit(REQUESTS), policy)


def test_what_was_not_checked_is_not_refused() -> None:
    """A service that is away stops no workflow."""
    refuse(an_audit(UNKNOWN, CLEAN), "block")


def test_a_refusal_names_packages_ids_and_the_versions_that_mend_them() -> None:
    """And says what to write into the node."""
    with pytest.raises(PackageVulnerable) as caught:
        refuse(an_audit(CLEAN, REQUESTS, UNFIXED, UNKNOWN), "block")

    document = caught.value.document()
    assert (422, "policy", "package_vulnerable") == (
        document["status"],
        document["category"],
        document["code"],
    )
    assert (
        "requests 2.19.0 (PYSEC-1, fixed in 2.31.0 or 3.0; PYSEC-2, fixed in 2.4.0), "
        "py 1.11.0 (PYSEC-3, no fixed version known)"
    ) in document["detail"]
    assert "Ask for requests>=2.31.0 in the node's requirements." in document["hint"]
    assert "No fixed version is known for py" in document["hint"]
    assert ["requests", "py"] == [each["name"] for each in document["packages"]]


def test_a_refusal_of_many_is_short() -> None:
    """The first few are named and the rest counted."""
    many = replace(REQUESTS, advisories=tuple(Advisory(f"A-{at}") for at in range(200)))
    with pytest.raises(PackageVulnerable) as caught:
        refuse(an_audit(*[replace(many, name=f"p{at}") for at in range(50)]), "block")

    assert len(caught.value.detail) < 2_000
    assert "and 195 more" in caught.value.detail
    assert "and 45 more" in caught.value.detail


def test_the_version_that_mends_all() -> None:
    """The highest of the nearest fixes, by version and not by text."""
    assert "2.31.0" == mended_by(REQUESTS)
    assert mended_by(UNFIXED) is None
    assert mended_by(CLEAN) is None


def shown(audit: Audit, **given: bool) -> str:
    console = Console(width=160, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as capture:
        console.print(audit_table(audit, title="Lock", **given))
    return capture.get()


def test_the_table_shows_what_matters_and_counts_all() -> None:
    """The reason of what was not checked stands there; text of an advisory is no markup."""
    text = shown(an_audit(CLEAN, REQUESTS, UNKNOWN))

    assert "1 vulnerable, 1 not checked, 1 clean · https://api.osv.dev · 2026-01-02 03:04 UTC" in text
    for part in (
        "PYSEC-1 CVE-1",
        "high",
        "2.31.0, 3.0",
        "Leaks [red]headers[/]",
        "it is from an index of your own",
    ):
        assert part in text
    assert "numpy" not in text
    assert "numpy 2.1.0" in shown(an_audit(CLEAN), clean=True)
    assert "No packages" in shown(an_audit())


def test_hundreds_of_advisories_do_not_hide_the_rest() -> None:
    """The worst ten are shown."""
    many = replace(REQUESTS, advisories=tuple(Advisory(f"A-{at}") for at in range(200)))
    text = shown(an_audit(many, UNKNOWN))

    assert "and 190 more" in text
    assert len(text.splitlines()) < 25


def test_packages_in_use_are_counted_once_by_their_worst_answer() -> None:
    """Two locks share numpy; of one of them it could not be checked."""
    count_in_use(
        [an_audit(CLEAN, REQUESTS), an_audit(replace(CLEAN, verdict="not checked"), REQUESTS, UNKNOWN)]
    )
    text = render().decode()

    assert 'qflow_packages_in_use{verdict="vulnerable"} 1.0' in text
    assert 'qflow_packages_in_use{verdict="not_checked"} 2.0' in text
    assert 'qflow_packages_in_use{verdict="clean"} 0.0' in text
    count_in_use([])  # as when a runner starts: other tests look at the series too


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (None, "public"),
        (PUBLIC, "public"),
        (PUBLIC.replace("://", "://user:secret@") + "/", "public"),
        (f"https://{PUBLIC_HOST}.example.com/simple", "unknown"),
        (f"https://example.com/{PUBLIC_HOST}/simple", "unknown"),
        ("file:///wheels", "unknown"),
        ("/wheels", "unknown"),
        ("http://[", "unknown"),
    ],
)
def test_where_an_index_leads(url: str | None, origin: str) -> None:
    """Only the public index has public packages alone."""
    assert origin == origin_of(url)


@pytest.mark.parametrize(
    "url", ["api.osv.dev", "ftp://x", "http://", "http://[", "http://a b", "http://a\n", ""]
)
def test_an_address_that_is_none_is_refused_at_start(url: str) -> None:
    """With the setting's name."""
    with pytest.raises(ValidationError, match="advisories_url"):
        Settings(advisories_url=url)
