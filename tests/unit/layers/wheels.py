"""Wheels made by the tests, and a package index (PEP 503) that serves them and can misbehave."""

import asyncio
import base64
import hashlib
import html
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from aiohttp import web


def make_wheel(
    directory: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes] | None = None,
    requires: Sequence[str] = (),
    python: str = "",
    tag: str = "py3-none-any",
    lies_of: str = "",
) -> Path:
    """Write a wheel as PEP 427 has it; without `files` it brings one module of its own name.

    Of the file `lies_of`, its RECORD has another hash.
    """
    directory.mkdir(parents=True, exist_ok=True)
    content: dict[str, bytes] = {
        path: text if isinstance(text, bytes) else text.encode()
        for path, text in (files or {f"{name.replace('-', '_')}.py": f"version = {version!r}\n"}).items()
    }
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Python: {python}"] if python else []
    metadata += [f"Requires-Dist: {each}" for each in requires]
    content[f"{info}/METADATA"] = ("\n".join(metadata) + "\n").encode()
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    rows = []
    for path, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={'A' * 43 if path == lies_of else digest},{len(data)}")
    content[f"{info}/RECORD"] = ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()
    wheel = directory / f"{name.replace('-', '_')}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(path, data)
    return wheel


@dataclass
class Index:
    """What the index serves, and how it fails: change it while it runs."""

    directory: Path
    url: str = ""
    status: int = 200
    password: str = ""
    yanked: dict[str, str] = field(default_factory=dict[str, str])
    """Of a wheel's file name, the reason why it was withdrawn."""
    wrong_hash: set[str] = field(default_factory=set[str])
    hashes: bool = True
    hang: bool = False
    hang_files: bool = False
    requests: list[str] = field(default_factory=list[str])
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request hangs."""

    def wheel(self, name: str, version: str = "1.0", **rest: object) -> Path:
        return make_wheel(self.directory, name, version, **rest)  # type: ignore[arg-type]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        if self.password:
            given = request.headers.get("Authorization", "").removeprefix("Basic ")
            if base64.b64decode(given) != f"user:{self.password}".encode():
                return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        if self.status != 200:
            return web.Response(status=self.status)
        name = request.match_info["name"]
        if self.hang or (self.hang_files and name.endswith(".whl")):
            self.reached.set()
            await asyncio.sleep(300)
        if name.endswith(".whl"):
            return web.FileResponse(self.directory / name)
        found = sorted(self.directory.glob(f"{name.replace('-', '_')}-*.whl"))
        if not found:
            return web.Response(status=404)
        return web.Response(text="".join(map(self._link, found)), content_type="text/html")

    def _link(self, wheel: Path) -> str:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if wheel.name in self.wrong_hash:
            digest = "0" * 64
        yanked = self.yanked.get(wheel.name)
        mark = "" if yanked is None else f' data-yanked="{html.escape(yanked)}"'
        for line in self._metadata(wheel).splitlines():
            if line.startswith("Requires-Python: "):
                mark += f' data-requires-python="{html.escape(line.partition(": ")[2])}"'
        fragment = f"#sha256={digest}" if self.hashes else ""
        return f'<a href="/files/{wheel.name}{fragment}"{mark}>{wheel.name}</a><br>\n'

    @staticmethod
    def _metadata(wheel: Path) -> str:
        if not zipfile.is_zipfile(wheel):
            return ""
        with zipfile.ZipFile(wheel) as archive:
            return next(
                archive.read(each).decode() for each in archive.namelist() if each.endswith("/METADATA")
            )


class Answering(Protocol):
    """What stands behind an index's two kinds of addresses; `url` is where it can be reached."""

    url: str

    async def answer(self, request: web.Request) -> web.StreamResponse: ...


AnIndex = TypeVar("AnIndex", bound=Answering)


@asynccontextmanager
async def served(index: AnIndex) -> AsyncIterator[AnIndex]:
    """The index, on a loopback port."""
    application = web.Application()
    application.router.add_get("/simple/{name}/", index.answer)
    application.router.add_get("/files/{name}", index.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    index.url = f"http://{host}:{port}/simple"
    try:
        yield index
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[Index]:
    directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing runs yet
    async with served(Index(directory)) as index:
        yield index
