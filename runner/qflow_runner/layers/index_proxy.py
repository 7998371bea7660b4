"""The one way out of a container that builds: a unix socket, at which this side fetches from the index.

A build asks in plain http, and gets answers to GET and HEAD alone, from the hosts that `Hosts` knows; this side
opens the TLS. So it can send nothing out, sees no password, and what it fetches is counted. In the pages of an
index, https:// becomes http://, so that links come here too. The same socket gives the job, and takes what was made.
"""

import asyncio
import re
import zlib
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiohttp import web
from aiohttp.abc import AbstractResolver
from yarl import URL

from qflow_runner.layers.index_hosts import CheckedResolver, Hosts, Upstream
from qflow_runner.layers.lines import shown

log = structlog.get_logger()

PART = 1 << 16
PAGE_MAX = 32 << 20
TEXT_MAX = 8 << 20
CONNECTIONS_MAX = 128
REQUESTS_MAX = 20_000
REFUSED_KEPT = 20
AT_ONCE = 16
CONNECT_S = 30.0
SILENCE_S = 60.0

_ASKED = ("Accept", "Range", "If-None-Match", "If-Modified-Since", "If-Range")
_ANSWERED = ("Content-Type", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified", "Cache-Control")
_PAGES = re.compile(r"text/html|application/json|application/vnd\.pypi\.simple\.v\d\+(json|html)")
_WHEEL = re.compile(r"/wheel/([A-Za-z0-9_.!+\-]{1,200}\.whl)")


class _TooMuch(Exception):
    """More than may be fetched, or handed over."""


class _Surplus(asyncio.Protocol):
    """A connection more than there may be: each one takes memory and a descriptor of the runner."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class IndexProxy:
    """For one container. What is in it is hostile, from the first line of the package's code on."""

    def __init__(
        self, hosts: Hosts, job: bytes, place: Path, max_bytes: int, resolver: AbstractResolver | None = None
    ) -> None:
        self._hosts = hosts
        self._job = job
        self._place = place
        self._max = max_bytes
        self._resolver = resolver or CheckedResolver(hosts.indexes)
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._http: aiohttp.ClientSession
        self.fetched: Counter[str] = Counter()
        """Bytes by host."""
        self.refused: dict[str, None] = {}
        self.failed: dict[str, str] = {}
        """Hosts that could not be reached, with the reason."""
        self.too_much = False
        self.handed: dict[str, bytes] = {}
        """What came as `answer` and as `source`: the first of each, which the package's own code cannot replace."""
        self.wheel: Path | None = None
        self.disk_full = False
        self._claimed: set[str] = set()
        self._requests = 0

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncGenerator[None]:
        """On a unix socket that every user may connect to: the directory above keeps this machine's others out."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._resolver),
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
        ) as self._http:
            server = web.Server(self._answer, access_log=None)

            def connected() -> asyncio.Protocol:
                return server() if len(server.connections) < CONNECTIONS_MAX else _Surplus()

            listener = await asyncio.get_running_loop().create_unix_server(connected, str(path))
            await asyncio.to_thread(path.chmod, 0o666)
            try:
                yield
            finally:
                listener.close()
                await server.shutdown(1.0)
                for host, size in self.fetched.items():
                    log.info("sources.fetched", host=host, bytes=size)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        target = request.raw_path
        try:
            self._count_request()
            if target.startswith("/"):
                return await self._own(request, target)
            upstream = self._hosts.find(target)
            if request.method not in {"GET", "HEAD"} or upstream is None:
                return self._refuse(request.method, target)
            async with self._asking:
                return await self._forward(request, upstream, target)
        except _TooMuch:
            if not self.too_much:
                log.warning("sources.too_much", mb=self._max >> 20, requests=self._requests)
            self.too_much = True
            # No answer at all: one that ends early could be taken for a whole one.
            if request.transport is not None:
                request.transport.abort()
            return _said(HTTPStatus.INSUFFICIENT_STORAGE, "too much")

    def _refuse(self, method: str, target: str) -> web.Response:
        host = shown(_host(target) or target)
        if host not in self.refused and len(self.refused) < REFUSED_KEPT:
            log.warning("sources.refused", host=host, method=method)
            self.refused[host] = None
        return _said(HTTPStatus.FORBIDDEN, f"{method} {host} is refused: a build may read the index alone.")

    async def _forward(self, request: web.BaseRequest, upstream: Upstream, target: str) -> web.StreamResponse:
        parts = urlsplit(target)
        query = f"?{parts.query}" if parts.query else ""
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        headers["Accept-Encoding"] = "identity"
        if upstream.authorization:
            headers["Authorization"] = upstream.authorization
        url = URL(f"{upstream.base}{parts.path or '/'}{query}", encoded=True)
        try:
            async with self._http.request(request.method, url, headers=headers, allow_redirects=False) as got:
                return await self._pass(request, upstream, got)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = shown(str(error)) or type(error).__name__
            if upstream.host not in self.failed:
                log.warning("sources.unreachable", host=upstream.host, reason=reason)
            self.failed[upstream.host] = reason
            if request.transport is not None and request.transport.is_closing():
                raise
            return _said(HTTPStatus.BAD_GATEWAY, f"{upstream.host} cannot be read: {reason}")

    async def _pass(
        self, request: web.BaseRequest, upstream: Upstream, got: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        headers = {name: got.headers[name] for name in _ANSWERED if name in got.headers}
        if "Location" in got.headers:
            whole = got.url.join(URL(got.headers["Location"], encoded=True))
            headers["Location"] = _inside(str(whole).encode()).decode()
        if request.method == "GET" and got.status == HTTPStatus.OK and _PAGES.match(got.content_type):
            page = await self._page(upstream, got)
            return web.Response(status=got.status, headers=headers, body=_inside(page))
        answer = web.StreamResponse(status=got.status, headers=headers)
        encoding = got.headers.get("Content-Encoding")
        if encoding:
            answer.headers["Content-Encoding"] = encoding
        answer.content_length = got.content_length
        await answer.prepare(request)
        async for part in got.content.iter_chunked(PART):
            self._count(upstream, len(part))
            await answer.write(part)
        await answer.write_eof()
        return answer

    async def _page(self, upstream: Upstream, got: aiohttp.ClientResponse) -> bytes:
        page = bytearray()
        packed = got.headers.get("Content-Encoding") in {"gzip", "x-gzip"}
        unpacker = zlib.decompressobj(31) if packed else None
        async for part in got.content.iter_chunked(PART):
            self._count(upstream, len(part))
            page += unpacker.decompress(part, PAGE_MAX) if unpacker else part
            if len(page) > PAGE_MAX:
                raise _TooMuch
        return bytes(page)

    def _count_request(self) -> None:
        self._requests += 1
        if self._requests > REQUESTS_MAX:
            raise _TooMuch

    def _count(self, upstream: Upstream, size: int) -> None:
        self.fetched[upstream.host] += size
        if self.fetched.total() > self._max:
            raise _TooMuch

    async def _own(self, request: web.BaseRequest, target: str) -> web.Response:
        """The job, and what was made."""
        if request.method == "GET" and target == "/job":
            return web.Response(body=self._job)
        wheel = _WHEEL.fullmatch(target)
        if request.method == "PUT" and wheel:
            return await self._take(request, wheel[1])
        name = target.removeprefix("/")
        if request.method != "PUT" or name not in {"answer", "source"}:
            return _said(HTTPStatus.NOT_FOUND, "not found")
        if not self._claim(name):
            return _said(HTTPStatus.CONFLICT, "there is one")
        content = bytearray()
        async for part in request.content.iter_chunked(PART):
            content += part
            if len(content) > TEXT_MAX:
                raise _TooMuch
        self.handed[name] = bytes(content)
        return web.Response()

    def _claim(self, name: str) -> bool:
        if name in self._claimed:
            return False
        self._claimed.add(name)
        return True

    async def _take(self, request: web.BaseRequest, name: str) -> web.Response:
        """Written by this side, so that it is a file, of this user, and no larger than it may be."""
        if not self._claim("wheel"):
            return _said(HTTPStatus.CONFLICT, "there is one")
        size = 0
        with (self._place / "wheel").open("xb", buffering=0) as file:
            async for part in request.content.iter_chunked(PART):
                size += len(part)
                if size > self._max:
                    raise _TooMuch
                try:
                    await asyncio.to_thread(file.write, part)
                except OSError as error:
                    self.disk_full = True
                    return _said(HTTPStatus.INSUFFICIENT_STORAGE, str(error.strerror))
        path = self._place / name
        await asyncio.to_thread((self._place / "wheel").rename, path)
        self.wheel = path
        return web.Response()


def _inside(text: bytes) -> bytes:
    return text.replace(b"https://", b"http://").replace(b"https:\\/\\/", b"http:\\/\\/")


def _said(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=text)


def _host(target: str) -> str:
    try:
        return urlsplit(target if "://" in target else f"//{target}").hostname or ""
    except ValueError:
        return ""
