"""The service: what is asked, what is believed, and what is said when it fails."""

import asyncio
import gzip
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from qflow_runner.advisories import Audit, PackageAudit, audit_form
from qflow_runner.advisories import checker as checker_module
from tests.unit.advisories.fakes import FakeOsv, a_record, checking

REQUESTS = [("requests", "2.19.0")]


@pytest.fixture
async def osv(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeOsv]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with FakeOsv().running() as server:
        server.add(a_record("GHSA-1", aliases=["CVE-1"], database_specific={"severity": "HIGH"}), "2.19.0")
        yield server


async def checked(osv: FakeOsv, cache: Path, packages: list[tuple[str, str]], **given: Any) -> Audit:
    async with checking(cache, advisories_url=osv.url, **given) as advisories:
        return await advisories.check(packages, origin="public")


async def test_three_packages_two_answers(osv: FakeOsv, tmp_path: Path) -> None:
    """In the order of the lock, with names as PEP 503 normalises them."""
    audit = await checked(
        osv, tmp_path, [("Flask_Login", "0.6.3"), ("Requests", "2.19.0"), ("numpy", "2.1.0")]
    )

    assert ["flask-login", "requests", "numpy"] == [each.name for each in audit.packages]
    assert ["clean", "vulnerable", "clean"] == [each.verdict for each in audit.packages]
    advisory = audit.packages[1].advisories[0]
    assert ("GHSA-1", ("CVE-1",), "HIGH", ("2.20.0",)) == (
        advisory.id,
        advisory.aliases,
        advisory.severity,
        advisory.fixed_in,
    )
    assert "https://osv.dev/vulnerability/GHSA-1" == advisory.url
    assert "vulnerable" == audit.worst
    assert osv.url.rstrip("/") == audit.source.rstrip("/")
    form = json.loads(json.dumps(audit_form(audit)))
    assert ["2.20.0"] == form["packages"][1]["advisories"][0]["fixedIn"]


@pytest.mark.parametrize("origin", ["private", "unknown", {"requests": "private"}, {}])
async def test_what_is_not_from_the_public_index_is_not_asked(
    osv: FakeOsv, tmp_path: Path, origin: Any
) -> None:
    """An empty answer would mean nothing, and the name would leave the house."""
    async with checking(tmp_path, advisories_url=osv.url) as advisories:
        audit = await advisories.check(REQUESTS, origin=origin)

    assert "not checked" == audit.worst
    assert audit.packages[0].reason
    assert [] == osv.paths


async def test_origins_by_name(osv: FakeOsv, tmp_path: Path) -> None:
    """By normalised name; those that are not named are unknown."""
    async with checking(tmp_path, advisories_url=osv.url) as advisories:
        audit = await advisories.check(
            [("My_Tools", "1.0"), ("requests", "2.19.0"), ("other", "1.0")],
            origin={"my-tools": "private", "Requests": "public"},
        )

    assert ["not checked", "vulnerable", "not checked"] == [each.verdict for each in audit.packages]
    assert ["requests"] == [each["package"]["name"] for each in osv.asked]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("requests", "2004d"),
        ("requests", ""),
        ("../../x", "1.0"),
        ("", "1.0"),
        ("a" * 300, "1.0"),
        ("réquests", "1.0"),
    ],
)
async def test_names_and_versions_that_no_public_project_has(
    osv: FakeOsv, tmp_path: Path, name: str, version: str
) -> None:
    """They are not asked about."""
    audit = await checked(osv, tmp_path, [(name, version)])

    assert ("not checked", []) == (audit.worst, osv.paths)


async def test_a_local_build_is_judged_by_its_original_and_never_clean(osv: FakeOsv, tmp_path: Path) -> None:
    """2.19.0+patched has the mistakes of 2.19.0; of what was changed nobody knows."""
    audit = await checked(osv, tmp_path, [("requests", "2.19.0+patched"), ("torch", "2.1.0+cpu")])

    assert ["vulnerable", "not checked"] == [each.verdict for each in audit.packages]
    assert ["2.19.0", "2.1.0"] == [each["version"] for each in osv.asked]
    assert "2.19.0+patched" == audit.packages[0].version


async def test_pages_are_followed(osv: FakeOsv, tmp_path: Path) -> None:
    """All ids of all pages."""
    osv.page_size = 2
    for at in range(5):
        osv.add(a_record(f"P-{at}", "big"), "1.0")

    audit = await checked(osv, tmp_path, [("big", "1.0"), ("small", "1.0")])

    assert [f"P-{at}" for at in range(5)] == [each.id for each in audit.packages[0].advisories]
    assert "clean" == audit.packages[1].verdict
    assert 3 == osv.paths.count("/v1/querybatch")


async def test_many_packages_are_asked_in_batches(osv: FakeOsv, tmp_path: Path) -> None:
    """And those that stand twice in the question are asked once."""
    packages = [(f"package-{at}", "1.0") for at in range(600)]
    audit = await checked(osv, tmp_path, packages + packages)

    assert (1200, "clean") == (len(audit.packages), audit.worst)
    assert (2, 600) == (len(osv.paths), len(osv.asked))


async def test_pages_without_end_are_not_clean(osv: FakeOsv, tmp_path: Path) -> None:
    """A service that always has a further page is stopped."""
    osv.batch = lambda _: web.json_response({"results": [{"next_page_token": "more"}]})

    audit = await checked(osv, tmp_path, REQUESTS)

    assert "not checked" == audit.worst
    assert "pages" in audit.packages[0].reason


async def test_withdrawn_advisories_do_not_count(osv: FakeOsv, tmp_path: Path) -> None:
    """Their databases took them back."""
    osv.records["GHSA-1"]["withdrawn"] = "2026-01-01T00:00:00Z"

    assert "clean" == (await checked(osv, tmp_path, REQUESTS)).worst


def answer(body: Any = None, **more: Any) -> Any:
    def handler(_: web.Request) -> web.Response:
        return web.json_response(body) if not more else web.Response(**more)

    return handler


DEEP = b"[" * 200_000
FAULTS: dict[str, Any] = {
    "500": answer(status=500),
    "404": answer(status=404),
    "204": answer(status=204),
    "no JSON": answer(body=b"<html>"),
    "half JSON": answer(body=b'{"results": [{'),
    "no UTF-8": answer(body=b"\xff\xfe\x00"),
    "deep": answer(body=DEEP),
    "huge": answer(body=b'{"results": [' + b" " * (9 << 20) + b"{}]}"),
    "a list": answer([]),
    "nothing": answer({}),
    "too few": answer({"results": []}),
    "too many": answer({"results": [{}, {}]}),
    "null": answer({"results": [None]}),
    "text": answer({"results": ["clean"]}),
    "vulns text": answer({"results": [{"vulns": "none"}]}),
    "vulns null": answer({"results": [{"vulns": [None]}]}),
    "id number": answer({"results": [{"vulns": [{"id": 7}]}]}),
    "id path": answer({"results": [{"vulns": [{"id": "../../v1/querybatch"}]}]}),
    "token number": answer({"results": [{"next_page_token": 7}]}),
    "token long": answer({"results": [{"next_page_token": "x" * 10_000}]}),
    "bad gzip": answer(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_service_that_answers_nonsense_is_never_clean(
    osv: FakeOsv, tmp_path: Path, fault: str
) -> None:
    """Each with a reason that a person can read; and nothing of it is kept."""
    osv.batch = FAULTS[fault]
    audit = await checked(osv, tmp_path, REQUESTS)
    osv.batch = osv._batch

    assert "not checked" == audit.worst
    assert 10 < len(audit.packages[0].reason) < 400
    assert "vulnerable" == (await checked(osv, tmp_path, REQUESTS)).worst


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_redirects_are_refused_and_so_never_loop(osv: FakeOsv, tmp_path: Path, code: int) -> None:
    """One call, and a sentence that says what to set."""
    osv.batch = answer(status=code, headers={"Location": "/v1/querybatch"})

    audit = await checked(osv, tmp_path, REQUESTS)

    assert "QFLOW_ADVISORIES_URL" in audit.packages[0].reason
    assert 1 == len(osv.paths)


async def test_a_compressed_bomb_is_cut(osv: FakeOsv, tmp_path: Path) -> None:
    """What counts is the size after unpacking."""
    bomb = gzip.compress(b" " * (200 << 20), 9)
    osv.batch = answer(body=bomb, headers={"Content-Encoding": "gzip"})

    audit = await checked(osv, tmp_path, REQUESTS)

    assert "not checked" == audit.worst


async def test_a_slow_service_is_left_at_the_deadline(osv: FakeOsv, tmp_path: Path) -> None:
    """And not asked again at once."""
    osv.batch = stuck
    async with checking(tmp_path, advisories_url=osv.url, advisories_deadline_s=0.3) as advisories:
        started = time.monotonic()
        first = await advisories.check(REQUESTS, origin="public")
        second = await advisories.check(REQUESTS, origin="public")
        took = time.monotonic() - started

    assert ["not checked"] * 2 == [first.worst, second.worst]
    assert "0.3 s" in second.packages[0].reason
    assert took < 3
    assert 1 == len(osv.paths)


async def stuck(request: web.Request) -> web.StreamResponse:
    """Answers when the client is gone."""
    transport = request.transport
    async with asyncio.timeout(20):
        while transport is not None and not transport.is_closing():
            await asyncio.sleep(0.02)
    return web.Response(status=500)


async def test_an_endless_answer_is_left_at_the_deadline(osv: FakeOsv, tmp_path: Path) -> None:
    """A service that sends a byte now and then holds nobody up."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(1_000):
                await response.write(b" ")
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        return response

    osv.batch = drip
    audit = await checked(osv, tmp_path, REQUESTS, advisories_deadline_s=0.3)

    assert "not checked" == audit.worst


async def test_a_service_that_is_away(tmp_path: Path, unused_tcp_port: int) -> None:
    """Nothing is raised."""
    async with checking(
        tmp_path, advisories_url=f"http://someone:secret@127.0.0.1:{unused_tcp_port}"
    ) as advisories:
        audit = await advisories.check(REQUESTS, origin="public")

    assert "not checked" == audit.worst
    assert "cannot be asked" in audit.packages[0].reason
    assert "secret" not in repr(audit)


@pytest.mark.parametrize(
    "vuln",
    [
        answer(status=500),
        answer(body=b"{"),
        answer({"id": "GHSA-2"}),
        answer([]),
        answer(body=b" " * (5 << 20)),
        stuck,
    ],
)
async def test_an_advisory_without_text_is_told_by_its_id(osv: FakeOsv, tmp_path: Path, vuln: Any) -> None:
    """Vulnerable is vulnerable; and as it is not all that there is, it is not kept."""
    osv.vuln = vuln
    audit = await checked(osv, tmp_path, REQUESTS, advisories_deadline_s=1)
    osv.vuln = osv._vuln

    assert "vulnerable" == audit.worst
    assert ["GHSA-1"] == [each.id for each in audit.packages[0].advisories]
    assert audit.packages[0].reason
    again = await checked(osv, tmp_path, REQUESTS)
    assert ("2.20.0",) == again.packages[0].advisories[0].fixed_in


async def test_answers_are_kept_in_memory_and_in_the_file(osv: FakeOsv, tmp_path: Path) -> None:
    """A second runner on the same cache asks nothing, and `fresh` asks all."""
    async with checking(tmp_path, advisories_url=osv.url) as advisories:
        first = await advisories.check([*REQUESTS, ("numpy", "2.1.0")], origin="public")
        again = await advisories.check([*REQUESTS, ("numpy", "2.1.0")], origin="public")
    calls = len(osv.paths)
    other = await checked(osv, tmp_path, [*REQUESTS, ("numpy", "2.1.0")])

    assert first.packages == again.packages == other.packages
    assert (2, 2) == (calls, len(osv.paths))
    assert other.checked_at <= first.checked_at
    async with checking(tmp_path, advisories_url=osv.url) as advisories:
        await advisories.check(REQUESTS, origin="public", fresh=True)
    assert 4 == len(osv.paths)


async def test_answers_grow_old(osv: FakeOsv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked again; while the service is away an old "vulnerable" is still said, an old "clean" is not."""
    await checked(osv, tmp_path, [*REQUESTS, ("numpy", "2.1.0")])
    now = time.time()
    monkeypatch.setattr(checker_module.time, "time", lambda: now + 100_000)
    osv.batch = answer(status=500)
    audit = await checked(osv, tmp_path, [*REQUESTS, ("numpy", "2.1.0")])

    assert ["vulnerable", "not checked"] == [each.verdict for each in audit.packages]
    assert all("the last answer is of 20" in each.reason for each in audit.packages)
    osv.batch = osv._batch
    osv.known[("numpy", "2.1.0")] = ["GHSA-1"]
    audit = await checked(osv, tmp_path, [("numpy", "2.1.0")])
    assert "vulnerable" == audit.worst


async def test_answers_of_the_future_are_not_believed(
    osv: FakeOsv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that was wrong would make them last for years."""
    await checked(osv, tmp_path, REQUESTS)
    now = time.time()
    monkeypatch.setattr(checker_module.time, "time", lambda: now - 1_000_000)
    await checked(osv, tmp_path, REQUESTS)

    assert 2 == osv.paths.count("/v1/querybatch")


async def test_answers_of_another_service_are_not_taken(osv: FakeOsv, tmp_path: Path) -> None:
    """Each source has its own."""
    await checked(osv, tmp_path, REQUESTS)
    async with FakeOsv().running() as other:
        audit = await checked(other, tmp_path, REQUESTS)

    assert "clean" == audit.worst
    assert ["/v1/querybatch"] == other.paths


async def test_a_damaged_cache_is_replaced(osv: FakeOsv, tmp_path: Path) -> None:
    """So are rows that are not ours."""
    path = tmp_path / "advisories" / "answers.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 1_000)
    assert "vulnerable" == (await checked(osv, tmp_path, REQUESTS)).worst
    assert path.read_bytes().startswith(b"SQLite format 3")

    for row in ("[]x", '[{"id": 7}]', "null", '[{"id": "A", "severity": "GOOD"}]', "[" * 100_000):
        base = sqlite3.connect(path)
        base.execute("update answers_1 set advisories = ?", (row,))
        base.commit()
        base.close()
        assert "vulnerable" == (await checked(osv, tmp_path, REQUESTS)).worst


async def test_without_a_cache_directory_it_works_on(osv: FakeOsv, tmp_path: Path) -> None:
    """A file stands where the directory should be."""
    (tmp_path / "advisories").write_text("in the way")

    assert "vulnerable" == (await checked(osv, tmp_path, REQUESTS)).worst


async def test_switched_off_asks_nothing_and_says_so(osv: FakeOsv, tmp_path: Path) -> None:
    """Off is not clean."""
    audit = await checked(osv, tmp_path, REQUESTS, advisories="off")

    assert (
        PackageAudit(
            "requests", "2.19.0", "not checked", (), "the lookup is switched off (QFLOW_ADVISORIES=off)"
        ),
    ) == audit.packages
    assert [] == osv.paths
    assert not (tmp_path / "advisories").exists()


async def test_no_packages(osv: FakeOsv, tmp_path: Path) -> None:
    """An empty lock has nothing to be asked about."""
    audit = await checked(osv, tmp_path, [])

    assert ((), "clean", []) == (audit.packages, audit.worst, osv.paths)


async def test_checks_at_once(osv: FakeOsv, tmp_path: Path) -> None:
    """They do not disturb each other."""
    async with checking(tmp_path, advisories_url=osv.url) as advisories:
        audits = await asyncio.gather(
            *(advisories.check([*REQUESTS, (f"other-{at}", "1.0")], origin="public") for at in range(20))
        )

    assert {("vulnerable", "clean")} == {tuple(each.verdict for each in audit.packages) for audit in audits}
