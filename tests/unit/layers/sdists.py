"""Source distributions made by the tests, with a build backend of their own, and an index that serves them."""

import base64
import hashlib
import io
import tarfile
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.unit.layers.wheels import make_wheel, served

BACKEND = """
import os, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    harm()
    stem = "{module}-{version}"
    wheel = stem + "-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n" + "".join(
        "Requires-Dist: %s\\n" % each for each in {requires!r}
    )
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as archive:
        archive.writestr("{module}.py", "made_by = 'the build'\\nseed = %r\\n" % os.urandom(8).hex())
        archive.writestr(stem + ".dist-info/METADATA", metadata)
        archive.writestr(stem + ".dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(stem + ".dist-info/RECORD", "")
    return wheel

def harm():
{harm}
"""


def make_sdist(
    directory: Path,
    name: str,
    version: str = "1.0",
    *,
    requires: tuple[str, ...] = (),
    harm: str = "pass",
) -> Path:
    """Write a source distribution, whose build runs `harm` first and comes out otherwise each time."""
    directory.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    body = textwrap.indent(textwrap.dedent(harm).strip(), "    ")
    content = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "back"\nbackend-path = ["."]\n',
        "back.py": BACKEND.format(module=module, name=name, version=version, requires=requires, harm=body),
    }
    path = directory / f"{module}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in content.items():
            member = tarfile.TarInfo(f"{module}-{version}/{file}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@dataclass
class SourceIndex:
    """What it serves, and what was asked for; with a `password`, to user:password alone."""

    directory: Path
    url: str = ""
    password: str = ""
    hashes: bool = True
    requests: list[str] = field(default_factory=list[str])

    def sdist(self, name: str, version: str = "1.0", **rest: object) -> Path:
        return make_sdist(self.directory, name, version, **rest)  # type: ignore[arg-type]

    def wheel(self, name: str, version: str = "1.0", **rest: object) -> Path:
        return make_wheel(self.directory, name, version, **rest)  # type: ignore[arg-type]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        if self.password:
            expected = base64.b64encode(f"user:{self.password}".encode()).decode()
            if request.headers.get("Authorization") != f"Basic {expected}":
                return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        name = request.match_info["name"]
        if request.path.startswith("/files/"):
            return web.FileResponse(self.directory / name)
        found = sorted(self.directory.glob(f"{name.replace('-', '_')}-*"))
        if not found:
            return web.Response(status=404)
        return web.Response(text="".join(map(self._link, found)), content_type="text/html")

    def _link(self, file: Path) -> str:
        mark = f"#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}" if self.hashes else ""
        return f'<a href="/files/{file.name}{mark}">{file.name}</a><br>\n'


@asynccontextmanager
async def serving_sources(directory: Path) -> AsyncIterator[SourceIndex]:
    directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing runs yet
    async with served(SourceIndex(directory)) as index:
        yield index
