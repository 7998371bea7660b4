"""The OSV service: which advisories are about a version (`/v1/querybatch`), and what each says (`/v1/vulns/{id}`).

What it answers is checked and bounded. A redirect is refused instead of followed: it would lead the names of a
workflow's packages to wherever the service likes.
"""

import asyncio
import itertools
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote

import aiohttp
from yarl import URL

from qflow_runner.advisories.findings import Finding
from qflow_runner.advisories.model import Advisory
from qflow_runner.advisories.records import Record, advisory_url, is_id, printable, read_record
from qflow_runner.observe import metrics

_BATCH = 500
_PAGES = 50
_BATCH_BYTES = 8 << 20
_RECORD_BYTES = 4 << 20
_AT_ONCE = 8
_RECORDS = 4_096
_IDS = 1_000
"""Advisories of one package that are told apart; more of them are one "vulnerable" all the same."""

Key = tuple[str, str]


class ServiceFailed(Exception):
    """No answer, or none to be used. `away`: asking again at once is of no use."""

    def __init__(self, reason: str, *, away: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.away = away


@dataclass
class _Told:
    """What the service said of one package: the ids, each with its time of change; a failure where it said less than all."""

    ids: dict[str, str] = field(default_factory=dict[str, str])
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    failure: str = "it was not asked in time"

    def finding(self, key: Key) -> Finding:
        found = Finding(failure=self.failure)
        for name in self.ids:
            record = self.records.get(name)
            if record is None:
                found.partial = True
                found.advisories.append(Advisory(name, url=advisory_url(name)))
            elif not record.withdrawn:
                found.advisories.append(record.judge(*key)[1])
        return found


class Service:
    """A client with one connection pool. `open` and `close` on the loop that asks."""

    def __init__(self, url: str, deadline_s: float) -> None:
        self._url = URL(url.rstrip("/"))
        self._deadline_s = deadline_s
        self._session: aiohttp.ClientSession | None = None
        self._records: OrderedDict[tuple[str, str], Record] = OrderedDict()
        self.away = False
        self.name = str(self._url.with_user(None).with_query(None))

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_AT_ONCE),
            # The deadline of a whole question stands in `ask`.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._deadline_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, packages: Sequence[Key]) -> dict[Key, Finding]:
        """What is known of normalised names and versions. Never raises: what failed is told for each package."""
        told = {key: _Told() for key in packages}
        self.away = False
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._query(told)
                await self._details(told)
        except TimeoutError:
            for each in told.values():
                each.failure = each.failure and f"{self.name} did not answer within {self._deadline_s:g} s"
            self.away = not any(not each.failure for each in told.values())
        return {key: each.finding(key) for key, each in told.items()}

    async def _query(self, told: dict[Key, _Told]) -> None:
        pending: list[tuple[Key, str]] = [(key, "") for key in told]
        for _ in range(_PAGES):
            further: list[tuple[Key, str]] = []
            for at in range(0, len(pending), _BATCH):
                batch = pending[at : at + _BATCH]
                try:
                    further += self._read_batch(batch, await self._post(batch), told)
                except ServiceFailed as failed:
                    self.away = failed.away
                    for key, _ in itertools.chain(pending[at:], further):
                        told[key].failure = failed.reason
                    return
            pending = further
            if not pending:
                return
        for key, _ in pending:
            told[key].failure = f"{self.name} went on for more than {_PAGES} pages"

    async def _post(self, batch: list[tuple[Key, str]]) -> list[Any]:
        queries = [
            {"package": {"ecosystem": "PyPI", "name": name}, "version": version}
            | ({"page_token": token} if token else {})
            for (name, version), token in batch
        ]
        answer = await self._call("POST", "v1/querybatch", _BATCH_BYTES, {"queries": queries})
        results = _member(answer, "results")
        if not isinstance(results, list) or len(cast("list[Any]", results)) != len(batch):
            raise ServiceFailed(f"{self.name} answered no list of as many results as it was asked for")
        return cast("list[Any]", results)

    def _read_batch(
        self, batch: list[tuple[Key, str]], results: list[Any], told: dict[Key, _Told]
    ) -> list[tuple[Key, str]]:
        """Enters the results; answers what has further pages."""
        further: list[tuple[Key, str]] = []
        for (key, _), result in zip(batch, results, strict=True):
            each = told[key]
            vulns = _member(result, "vulns")
            token = _member(result, "next_page_token")
            known = cast("list[Any]", vulns) if isinstance(vulns, list) else []
            for one in known:
                name, modified = _member(one, "id"), _member(one, "modified")
                if is_id(name) and len(each.ids) < _IDS:
                    each.ids[name] = modified if isinstance(modified, str) else ""
            readable = isinstance(result, dict) and (vulns is None or isinstance(vulns, list))
            if not readable or not all(is_id(_member(one, "id")) for one in known):
                each.failure = f"{self.name} answered what is no result of a query"
            elif token is None or token == "":
                each.failure = ""
            elif isinstance(token, str) and len(token) <= 4_096:
                each.failure = "it was not asked in time"
                further.append((key, token))
            else:
                each.failure = f"{self.name} answered what is no result of a query"
        return further

    async def _details(self, told: dict[Key, _Told]) -> None:
        named = ((name, modified) for each in told.values() for name, modified in each.ids.items())
        wanted = dict(itertools.islice(named, _RECORDS))
        places = asyncio.Semaphore(_AT_ONCE)

        async def fetch(name: str, modified: str) -> None:
            record = self._records.get((name, modified)) if modified else None
            if record is None:
                async with places:
                    try:
                        record = await self._record(name)
                    except ServiceFailed:
                        return  # the id alone is worth telling
                self._records[name, modified] = record
                if len(self._records) > _RECORDS:
                    self._records.popitem(last=False)
            for each in told.values():
                if name in each.ids:
                    each.records[name] = record

        await asyncio.gather(*(fetch(*each) for each in wanted.items()))

    async def _record(self, name: str) -> Record:
        raw = await self._call("GET", f"v1/vulns/{quote(name, safe='')}", _RECORD_BYTES)
        record = read_record(raw)
        if record is None or record.id != name:
            raise ServiceFailed(f"{self.name} answered what is no advisory {name}")
        return record

    async def _call(self, method: str, path: str, limit: int, body: Any = None) -> Any:
        """The JSON of an answer of at most `limit` bytes."""
        try:
            answer = await self._bytes(method, path, limit, body)
            # Parsing megabytes would hold up the loop, and with it every run.
            value = await asyncio.to_thread(json.loads, answer)
        except ServiceFailed:
            metrics.ADVISORY_REQUESTS.labels("failed").inc()
            raise
        except (ValueError, RecursionError):
            metrics.ADVISORY_REQUESTS.labels("failed").inc()
            raise ServiceFailed(f"{self.name} answered what is not JSON") from None
        metrics.ADVISORY_REQUESTS.labels("ok").inc()
        return value

    async def _bytes(self, method: str, path: str, limit: int, body: Any) -> bytearray:
        if self._session is None:
            raise ServiceFailed("the lookup is closed", away=True)
        url = self._url.joinpath(*path.split("/"), encoded=True)
        data = bytearray()
        try:
            async with self._session.request(method, url, json=body, allow_redirects=False) as answer:
                if 300 <= answer.status < 400:
                    raise ServiceFailed(
                        f"{self.name} redirects elsewhere: set QFLOW_ADVISORIES_URL to the address itself",
                        away=True,
                    )
                if answer.status != 200:
                    raise ServiceFailed(f"{self.name} answered {answer.status}", away=answer.status >= 500)
                async for chunk in answer.content.iter_chunked(1 << 16):
                    data += chunk
                    if len(data) > limit:
                        raise ServiceFailed(f"{self.name} answered more than {limit >> 20} MB")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = printable(str(error), 200) or type(error).__name__
            raise ServiceFailed(f"{self.name} cannot be asked: {reason}", away=True) from None
        return data


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
