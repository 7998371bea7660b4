"""The console: the runner's own web pages, as `make console` built them. They need no token; what they ask for does."""

import asyncio
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

import qflow_runner
from qflow_runner.errors import NotFound

PREFIX = "/console"
ASSETS = "assets/"
"""Below it each file has the hash of its content in its name."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Qflow</title>
<h1>The console is not built</h1>
<p>Run <code>make console</code> in the checkout, then load this page again. The API works without it.</p>
</html>
"""


@dataclass(frozen=True)
class Pages:
    """The files of one build, by their path below its folder. What is not among them is never opened."""

    folder: Path
    files: frozenset[str]
    stamp: int

    @classmethod
    def read(cls, folder: Path, last: "Pages | None" = None) -> "Pages | None":
        """None where nothing is built. Blocks; `last` is answered again as long as there was no other build."""
        try:
            stamp = (folder / "index.html").stat().st_mtime_ns
        except OSError:
            return None
        if last is not None and last.stamp == stamp:
            return last
        found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".gz")
        return cls(folder, frozenset(path.relative_to(folder).as_posix() for path in found), stamp)


class Console:
    """Serves one folder. It may be built, or built anew, while the runner runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pages: Pages | None = None

    async def page(self, request: web.Request) -> web.StreamResponse:
        """A file of the build; for every other path the page, whose script knows the paths. Raises NotFound."""
        self._pages = await asyncio.to_thread(Pages.read, self._folder, self._pages)
        if self._pages is None:
            return web.Response(status=503, text=NOT_BUILT, content_type="text/html", headers=HEADERS)
        path = request.match_info.get("path", "")
        if path in self._pages.files and path != "index.html":
            lasting = path.startswith(ASSETS)
        elif path.startswith(ASSETS):
            raise NotFound("The console has no such file: it was built anew. Load the page again.")
        else:
            path, lasting = "index.html", False
        kept = "public, max-age=31536000, immutable" if lasting else "no-cache"
        headers = {**HEADERS, "Cache-Control": kept, "Content-Type": _kind(path)}
        # Served with its .gz beside it where the caller takes that.
        return web.FileResponse(self._pages.folder / path, headers=headers)


async def to_console(request: web.Request) -> web.StreamResponse:
    del request
    raise web.HTTPFound(f"{PREFIX}/")


def is_console(path: str) -> bool:
    """Whether anyone may have it: the pages hold nothing of this runner."""
    return path in {"/", PREFIX} or path.startswith(f"{PREFIX}/")


def add_console(app: web.Application, folder: Path | None = None) -> None:
    console = Console(folder or Path(qflow_runner.__file__).parent / "console")
    app.router.add_get("/", to_console)
    app.router.add_get(PREFIX, to_console)
    app.router.add_get(f"{PREFIX}/{{path:.*}}", console.page)


def _kind(path: str) -> str:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if kind in {"text/javascript", "application/javascript"}:
        kind = "text/javascript"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
