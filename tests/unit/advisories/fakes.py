"""OSV in small: records, an export of them, and a service on loopback that can be made to fail."""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from qflow_runner.advisories import Advisories
from qflow_runner.settings import Settings

Handler = Callable[[web.Request], Any]


def a_record(
    name: str,
    package: str = "requests",
    *,
    introduced: str = "0",
    fixed: str | None = "2.20.0",
    versions: Sequence[str] = (),
    **members: Any,
) -> dict[str, Any]:
    """A record as OSV writes it: one package, one range."""
    events: list[dict[str, str]] = [{"introduced": introduced}]
    if fixed is not None:
        events.append({"fixed": fixed})
    affected = {
        "package": {"ecosystem": "PyPI", "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
        "versions": list(versions),
    }
    record = {
        "id": name,
        "modified": "2026-01-02T03:04:05Z",
        "summary": f"About {package}",
        "affected": [affected],
    }
    return record | members


def an_export(path: Path, records: Sequence[Any], others: Mapping[str, bytes] | None = None) -> Path:
    """A zip of one file for each record, and of other files by their name in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
        for name, data in (others or {}).items():
            archive.writestr(name, data)
    return path


class FakeOsv:
    """Answers by exact name and version; `paths` are the calls that it saw."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], list[str]] = {}
        self.records: dict[str, Any] = {}
        self.page_size = 1_000
        self.paths: list[str] = []
        self.asked: list[Any] = []
        self.batch: Handler = self._batch
        self.vuln: Handler = self._vuln
        self.url = ""

    def add(self, record: dict[str, Any], *versions: str) -> None:
        self.records[record["id"]] = record
        for affected in record["affected"]:
            for version in versions:
                self.known.setdefault((affected["package"]["name"], version), []).append(record["id"])

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeOsv"]:
        async def batch(request: web.Request) -> web.StreamResponse:
            self.paths.append(request.path)
            return await _answer(self.batch, request)

        async def vuln(request: web.Request) -> web.StreamResponse:
            self.paths.append(request.path)
            return await _answer(self.vuln, request)

        app = web.Application()
        app.router.add_post("/v1/querybatch", batch)
        app.router.add_get("/v1/vulns/{id}", vuln)
        server = TestServer(app)
        await server.start_server()
        self.url = str(server.make_url("/"))
        try:
            yield self
        finally:
            await server.close()

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        results: list[Any] = []
        for query in (await request.json())["queries"]:
            self.asked.append(query)
            assert "PyPI" == query["package"]["ecosystem"]
            ids = self.known.get((query["package"]["name"], query["version"]), [])
            at = int(query.get("page_token", 0))
            result: dict[str, Any] = {}
            if ids[at:]:
                page = ids[at : at + self.page_size]
                result["vulns"] = [{"id": each, "modified": "2026-01-02T03:04:05Z"} for each in page]
            if ids[at + self.page_size :]:
                result["next_page_token"] = str(at + self.page_size)
            results.append(result)
        return web.json_response({"results": results})

    async def _vuln(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.records[request.match_info["id"]])


async def _answer(handler: Handler, request: web.Request) -> web.StreamResponse:
    answer = handler(request)
    return await answer if asyncio.iscoroutine(answer) else answer


@asynccontextmanager
async def checking(cache: Path, **given: Any) -> AsyncIterator[Advisories]:
    """An open Advisories with these settings."""
    deadline = given.pop("advisories_deadline_s", 10)
    advisories = Advisories(Settings(cache_dir=cache, advisories_deadline_s=deadline, **given))
    await advisories.open()
    try:
        yield advisories
    finally:
        await advisories.close()
