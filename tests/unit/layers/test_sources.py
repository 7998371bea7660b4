"""Building from source, without the container: what a build may reach, and what is believed of what it says."""

import ast
import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import ValidationError

from qflow_agent import building
from qflow_runner import errors
from qflow_runner.layers import Confined, Ended, Layers, compile_here
from qflow_runner.layers.built import BuiltWheels
from qflow_runner.layers.index_hosts import PUBLIC, CheckedResolver, Hosts
from qflow_runner.layers.index_proxy import CONNECTIONS_MAX, IndexProxy
from qflow_runner.layers.model import Built
from qflow_runner.layers.source_errors import Attempt, explain_build
from qflow_runner.layers.sources import _check_name, _version_of
from qflow_runner.layers.uv import Uv
from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings
from tests.unit.layers.sdists import SourceIndex, serving_sources
from tests.unit.layers.wheels import make_wheel

PUBLIC_HOST = str(urlsplit(PUBLIC).hostname).encode()

BUILT = Built("3.12", "some-thing", "1.0", "some_thing-1.0-py3-none-any.whl", "a" * 64, "b" * 64)


class Names(AbstractResolver):
    """Resolves from a table."""

    def __init__(self, **known: str) -> None:
        self.known = {name.replace("_", "."): address for name, address in known.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self.known:
            raise OSError(None, f"{host} is not known")
        address = self.known[host]
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        return


class Inside:
    """A build's end of the proxy: HTTP through the relay, as uv has it, or over the socket itself."""

    def __init__(self, proxy: IndexProxy, path: Path) -> None:
        self.proxy = proxy
        self.path = path
        self.relay = f"http://127.0.0.1:{building.Relay(str(path)).port}"

    async def ask(self, url: str, method: str = "GET", **rest: Any) -> tuple[int, bytes]:
        """As a client of the proxy."""
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, proxy=self.relay, allow_redirects=False, **rest) as answer,
        ):
            return answer.status, await answer.read()

    async def raw(self, request: bytes) -> bytes:
        """What is answered to these bytes, until the end."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(request)
        async with asyncio.timeout(10):
            answer = await reader.read(65_536)
        writer.close()
        return answer

    async def put(self, target: str, body: bytes) -> bytes:
        return await self.raw(
            b"PUT %s HTTP/1.1\r\nHost: r\r\nContent-Length: %d\r\n\r\n%s" % (target.encode(), len(body), body)
        )


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[SourceIndex]:
    async with serving_sources(tmp_path / "index") as running:
        yield running


@pytest.fixture
async def inside(tmp_path: Path, index: SourceIndex) -> AsyncIterator[Any]:
    """Opens a proxy to the index, or to the `indexes` given."""
    async with AsyncExitStack() as stack:

        async def one(
            *,
            indexes: list[str] | None = None,
            packages: tuple[str, ...] = (),
            max_bytes: int = 1 << 20,
            resolver: Any = None,
        ) -> Inside:
            hosts = Hosts(indexes or [index.url], packages)
            place = tmp_path / "taken"
            place.mkdir()
            proxy = IndexProxy(hosts, b'{"do": "build"}', place, max_bytes, resolver)
            path = tmp_path / "s"
            await stack.enter_async_context(proxy.listening(path))
            return Inside(proxy, path)

        yield one


async def test_the_index_can_be_read(inside: Any, index: SourceIndex) -> None:
    """Pages, files, parts of files; what was fetched is counted by host."""
    source = index.sdist("thing")
    build = await inside()

    status, page = await build.ask(f"{index.url}/thing/")
    _, whole = await build.ask(f"{index.url.removesuffix('/simple')}/files/{source.name}")
    part, first = await build.ask(
        f"{index.url.removesuffix('/simple')}/files/{source.name}", headers={"Range": "bytes=0-9"}
    )

    assert 200 == status
    assert source.name in page.decode()
    assert source.read_bytes() == whole
    assert (206, whole[:10]) == (part, first)
    assert build.proxy.fetched["127.0.0.1"] == len(page) + len(whole) + 10
    assert not build.proxy.refused


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "http://elsewhere.example.org/"),
        ("GET", "http://127.0.0.1:1/simple/"),
        ("GET", "http://127.0.0.1/"),
        ("GET", "http://user@elsewhere.example.org/"),
        ("POST", "{index}/thing/"),
        ("PUT", "{index}/thing/"),
        ("DELETE", "{index}/thing/"),
    ],
)
async def test_everything_else_is_refused_by_name(
    inside: Any, index: SourceIndex, method: str, url: str
) -> None:
    """Other hosts, other ports of the index's host, and all that would send something out."""
    build = await inside()

    status, told = await build.ask(url.format(index=index.url), method)

    assert 403 == status
    assert b"refused" in told
    assert ["elsewhere.example.org" if "elsewhere" in url else "127.0.0.1"] == list(build.proxy.refused)
    assert [] == index.requests


@pytest.mark.parametrize(
    "request_line",
    [
        b"CONNECT %s:443 HTTP/1.1" % PUBLIC_HOST,
        b"CONNECT 169.254.169.254:80 HTTP/1.1",
        b"GET %s/ HTTP/1.1" % PUBLIC.encode(),
        b"GET ftp://%s/ HTTP/1.1" % PUBLIC_HOST,
        b"GET http://[::1/ HTTP/1.1",
        b"GET http://a:99999999/ HTTP/1.1",
        b"GET /etc/passwd HTTP/1.1",
        b"GET /job/../x HTTP/1.1",
        b"PUT /wheel/..%2f..%2fx.whl HTTP/1.1",
        b"\x16\x03\x01\x02\x00",
    ],
)
async def test_what_is_no_plain_request_gets_nothing(inside: Any, request_line: bytes) -> None:
    """No tunnel, so nothing that this side cannot read; nothing malformed does harm."""
    build = await inside()

    answer = await build.raw(request_line + b"\r\nHost: %s\r\nContent-Length: 0\r\n\r\n" % PUBLIC_HOST)

    assert answer.split(b" ")[1][:3] in {b"400", b"403", b"404"}
    assert not build.proxy.fetched
    assert b'{"do": "build"}' in await build.raw(b"GET /job HTTP/1.1\r\nHost: r\r\n\r\n")


async def test_the_password_is_added_on_this_side(inside: Any, index: SourceIndex) -> None:
    """And only for the index: not where a redirect leads, and not in place of what the build sends."""
    index.password = "secret-word"
    index.sdist("thing")
    build = await inside(indexes=[index.url.replace("://", "://user:secret-word@")])

    status, page = await build.ask(f"{index.url}/thing/", headers={"Authorization": "Basic bm9ib2R5Og=="})

    assert 200 == status
    assert b"secret-word" not in page
    assert ["http://" + index.url.removeprefix("http://")] == build.proxy._hosts.inside


async def test_links_lead_back_to_this_side(inside: Any, tmp_path: Path) -> None:
    """https:// is http:// in pages and redirects; in files nothing is changed."""
    link = b'<a href="https://files.example.org/x">x</a>'

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "https://files.example.org/y"})
        kind = "text/html" if request.path == "/page" else "application/octet-stream"
        return web.Response(body=link, content_type=kind)

    application = web.Application()
    application.router.add_get("/{any}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = "http://{}:{}".format(*runner.addresses[0][:2])
    build = await inside(indexes=[f"{base}/simple"])
    try:
        page = await build.ask(f"{base}/page")
        file = await build.ask(f"{base}/file")
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{base}/moved", proxy=build.relay, allow_redirects=False) as moved,
        ):
            location = moved.headers["Location"]
    finally:
        await runner.cleanup()

    assert (200, link.replace(b"https", b"http")) == page
    assert (200, link) == file
    assert "http://files.example.org/y" == location


async def test_no_more_is_fetched_than_may_be(inside: Any, index: SourceIndex) -> None:
    """The answer breaks off, so that it is not taken for a whole one."""
    (index.directory / "big-1.0.tar.gz").write_bytes(bytes(300_000))
    build = await inside(max_bytes=100_000)

    with pytest.raises(aiohttp.ClientError):
        await build.ask(f"{index.url.removesuffix('/simple')}/files/big-1.0.tar.gz")

    assert build.proxy.too_much


async def test_what_is_handed_over_is_taken_once(inside: Any, tmp_path: Path) -> None:
    """The first answer, the first hash and the first wheel count; a wheel is a plain file of this side's making."""
    build = await inside()

    first = await build.put("/source", b'{"sha256": "one"}')
    second = await build.put("/source", b'{"sha256": "two"}')
    wheel = await build.put("/wheel/a-1.0-py3-none-any.whl", b"content")
    other = await build.put("/wheel/b-1.0-py3-none-any.whl", b"content")

    assert [b"200", b"409", b"200", b"409"] == [each.split(b" ")[1] for each in (first, second, wheel, other)]
    assert {"source": b'{"sha256": "one"}'} == build.proxy.handed
    assert [build.proxy.wheel] == list((tmp_path / "taken").iterdir())
    assert b"content" == build.proxy.wheel.read_bytes()


async def test_a_wheel_that_is_too_large_or_broken_off_is_none(inside: Any, tmp_path: Path) -> None:
    """What was written of it stays under no wheel's name, and goes with the directory."""
    build = await inside(max_bytes=1_000)

    with suppress(ConnectionError):
        assert b"200" not in await build.put("/wheel/a-1.0-py3-none-any.whl", bytes(100_000))

    assert build.proxy.wheel is None
    assert build.proxy.too_much


async def test_connections_are_bounded(inside: Any) -> None:
    """Whoever opens more is cut off, and the runner's descriptors are not used up."""
    build = await inside()
    opened = [await asyncio.open_unix_connection(str(build.path)) for _ in range(CONNECTIONS_MAX + 20)]
    try:
        async with asyncio.timeout(10):
            ended = [await reader.read() for reader, _ in opened[-20:]]
    finally:
        for _, writer in opened:
            writer.close()

    assert [b""] * 20 == ended


async def test_a_host_that_is_away_is_named(inside: Any) -> None:
    """The build's client gets an answer, and this side knows which host it was."""
    build = await inside(indexes=["http://index.example.org/simple"], resolver=Names())

    status, told = await build.ask("http://index.example.org/simple/x/")

    assert 502 == status
    assert b"index.example.org cannot be read" in told
    assert ["index.example.org"] == list(build.proxy.failed)


@pytest.mark.parametrize(
    ("index", "files", "reached"),
    [
        ("93.184.216.34", "151.101.0.223", True),
        ("93.184.216.34", "10.0.0.7", False),
        ("93.184.216.34", "127.0.0.1", False),
        ("93.184.216.34", "169.254.169.254", False),
        ("10.0.0.5", "10.0.0.7", True),
        ("10.0.0.5", "10.0.0.5", True),
        ("10.0.0.5", "127.0.0.1", False),
        ("10.0.0.5", "169.254.169.254", False),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
async def test_private_addresses_are_reached_only_where_the_index_is(
    index: str, files: str, reached: bool
) -> None:
    """A host of files whose name leads into the private network is refused, unless the index is there."""
    resolver = CheckedResolver(frozenset({"index.org"}), Names(index_org=index, files_org=files))

    assert index == (await resolver.resolve("index.org"))[0]["host"]
    if reached:
        assert files == (await resolver.resolve("files.org"))[0]["host"]
    else:
        with pytest.raises(OSError, match="private"):
            await resolver.resolve("files.org")


def test_where_indexes_come_from() -> None:
    """The settings, else uv's variables, else the public index; without passwords inside."""

    def inside_of(environment: dict[str, str], **given: Any) -> list[str]:
        return Hosts.of(Settings(**given), environment).inside

    assert [PUBLIC.replace("https", "http")] == inside_of({})
    assert ["http://a.org/simple", "http://b.org:8443/x"] == inside_of(
        {"UV_DEFAULT_INDEX": "https://a.org/simple", "UV_INDEX": "own=https://me:pw@b.org:8443/x"}
    )
    assert ["http://c.org/simple"] == inside_of(
        {"UV_DEFAULT_INDEX": "https://a.org/simple"}, index_url="https://u:p%40ss@c.org/simple"
    )
    hosts = Hosts.of(
        Settings(index_url="https://u:p%40ss@c.org:8443/simple", package_hosts="f.org, g.org:444"), {}
    )
    found = hosts.find("http://c.org:8443/simple/x/")
    assert found is not None
    assert ("https://c.org:8443", "Basic dTpwQHNz") == (found.base, found.authorization)
    files = [hosts.find("http://f.org/x"), hosts.find("http://g.org:444/x")]
    assert [("https://f.org", ""), ("https://g.org:444", "")] == [
        (each.base, each.authorization) for each in files if each
    ]
    assert hosts.find("http://c.org/simple/x/") is None
    assert hosts.find("https://f.org/x") is None
    with pytest.raises(errors.SourceRefused):
        Hosts.of(Settings(index_url="file:///srv/index"), {})


@pytest.mark.parametrize(
    "given",
    [
        {"source_distributions": True, "backend": "process"},
        {"source_distributions": True, "wheels_dir": "/wheels"},
        {"package_hosts": "https://files.example.org"},
        {"package_hosts": "files example.org/x"},
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any]) -> None:
    """At start, with the variable's name."""
    with pytest.raises(ValidationError, match=r"QFLOW_SOURCE_DISTRIBUTIONS|package_hosts"):
        Settings(**given)


async def test_the_process_backend_builds_nothing(tmp_path: Path) -> None:
    """It has no boundary, and says so."""
    backend = ProcessBackend(tmp_path)

    with pytest.raises(errors.SourceRefused, match=r"(?i)no boundary"):
        await backend.confine(Confined("3.12", ["true"], 1.0))


async def test_a_version_is_all_that_is_believed_of_the_first_container(
    tmp_path: Path, index: SourceIndex
) -> None:
    """Hostile answers: no lock, another package, no version, an option."""
    good = b'[[packages]]\nname = "Some_Thing"\nversion = "1.0.0"\n'
    bad = [
        b"",
        b"\xff",
        b"packages = 1",
        b"packages = [1]",
        good.replace(b"Some_Thing", b"pandas"),
        good.replace(b"1.0.0", b"1.0 --index-url=http://x"),
        good.replace(b'"1.0.0"', b"7"),
        b'[[packages]]\nname = 5\nversion = "1"',
    ]

    assert "1.0.0" == _version_of("some-thing", good)
    assert [None] * len(bad) == [_version_of("some-thing", each) for each in bad]


@pytest.mark.parametrize(
    "file",
    ["other-1.0-py3-none-any.whl", "some_thing-2.0-py3-none-any.whl", "some_thing-1.0.whl", "x.whl"],
)
def test_a_wheel_has_the_name_that_was_asked_for(file: str) -> None:
    """Name and version, however they are written."""
    with pytest.raises(errors.SourceBuildFailed):
        _check_name(file, "some-thing", "1.0")
    _check_name("Some_Thing-1.0-py3-none-any.whl", "some-thing", "1.0")


def test_a_wheel_is_kept_by_its_hash_and_found_while_it_is_whole(tmp_path: Path) -> None:
    """For its Python, name and version; a changed one is not found, and is replaced by a new one."""
    kept = BuiltWheels(tmp_path / "wheels")
    kept.open()
    wheel = make_wheel(tmp_path, "some-thing")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    built = Built("3.12", "some-thing", "1.0", wheel.name, "a" * 64, digest)

    assert kept.find("3.12", "some-thing", "1.0") is None
    assert built == kept.add(wheel, built) == kept.add(wheel, built)
    assert built == kept.find("3.12", "some-thing", "1.0")
    assert kept.find("3.11", "some-thing", "1.0") is None
    (kept.place(built) / wheel.name).write_bytes(b"changed")
    assert kept.find("3.12", "some-thing", "1.0") is None
    with pytest.raises(errors.BuildFailed, match="gone or was changed"):
        kept.place(built)
    kept.add(wheel, built)
    assert wheel.read_bytes() == (kept.place(built) / wheel.name).read_bytes()
    assert [digest] == [path.name for path in (tmp_path / "wheels").iterdir()]


@pytest.mark.parametrize(
    ("ended", "error", "words"),
    [
        (Ended(None, False, "x"), errors.BuildTimeout, "longer than 600 s"),
        (Ended(1, True, "x"), errors.SourceMemory, "2048 MB"),
        (Ended(137, False, "x"), errors.SourceMemory, "memory"),
        (Ended(building.WRONG_HASH, False, "x"), errors.HashMismatch, "hash"),
        (Ended(building.NO_WHEEL, False, "The build made 2 wheels."), errors.SourceBuildFailed, "2 wheels"),
        (Ended(0, False, ""), errors.SourceBuildFailed, "some-thing"),
        (
            Ended(1, False, "Failed to build `x`\nKeyError: 1\nhint: no"),
            errors.SourceBuildFailed,
            "KeyError: 1",
        ),
        (
            Ended(2, False, "error: Failed to fetch: `http://i.org/x`: timed out"),
            errors.IndexUnavailable,
            "i.org",
        ),
    ],
)
def test_each_end_has_its_own_sentence(
    tmp_path: Path, ended: Ended, error: type[errors.DependencyError], words: str
) -> None:
    """With the last lines where there are some."""
    proxy = IndexProxy(Hosts([PUBLIC], ()), b"", tmp_path, 1, Names())
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path)

    found = explain_build(Attempt("some-thing", "3.12", ended, proxy, {}), settings, Uv(settings))

    assert type(found) is error
    assert words in found.detail
    assert found.hint
    assert not ended.told or found.members["uv"]


async def test_a_host_that_was_refused_is_in_the_sentence(inside: Any, tmp_path: Path) -> None:
    """Of many, some."""
    build = await inside()
    for at in range(30):
        await build.ask(f"http://h{at}.example.org/")
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path)

    found = explain_build(
        Attempt("some-thing", "3.12", Ended(1, False, "x"), build.proxy, {}), settings, Uv(settings)
    )

    assert type(found) is errors.SourceHostRefused
    assert "h0.example.org" in found.detail
    assert len(build.proxy.refused) == 20


async def test_nothing_is_built_where_it_is_not_allowed(tmp_path: Path, index: SourceIndex) -> None:
    """The default, even where there is a boundary."""
    asked: list[Confined] = []

    async def confine(job: Confined) -> Ended:
        asked.append(job)
        return Ended(1, False, "")

    index.sdist("from-source")
    given: dict[str, Any] = {"data_dir": tmp_path, "cache_dir": tmp_path / "c", "index_url": index.url}
    refusing = Layers(Settings(**given), compile_here, confine)
    await refusing.open()
    with pytest.raises(errors.WheelMissing):
        await refusing.locks.lock(["from-source"], "3.12")
    await refusing.close()
    assert [] == asked

    allowing = Layers(Settings(source_distributions=True, **given), compile_here, confine)
    await allowing.open()
    with pytest.raises(errors.DependencyError):
        await allowing.locks.lock(["from-source"], "3.12")
    await allowing.close()

    (job,) = asked
    assert {} == job.writable
    assert "" == job.user
    assert index.url not in " ".join(job.command)


def test_the_program_is_for_every_python() -> None:
    """Down to 3.8, and it finds its source distribution in uv's lock."""
    text = Path(building.__file__).read_text()

    assert ast.parse(text, feature_version=(3, 8))
    assert building.fetch('[[packages]]\nname = "x"\nwheels = [{ url = "http://x/y.whl" }]\n') is None
