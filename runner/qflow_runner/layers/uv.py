"""Running uv: its environment, its deadline, and what it said. Credentials pass through its environment alone."""

import asyncio
import os
import platform
import re
import resource
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from uv import find_uv_bin

from qflow_runner.errors import BuildTimeout
from qflow_runner.settings import Settings

LINES_KEPT = 200
LINE_MAX = 4_000

_KEPT = re.compile(
    r"HOME|PATH|LANG|LC_ALL|TMPDIR|USER|LOGNAME|NETRC|XDG_\w+|SSL_CERT_(FILE|DIR)|SSL_CLIENT_CERT"
    r"|(?i:(https?|all|no)_proxy)"
    r"|UV_(INDEX|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INDEX_STRATEGY|INDEX_URL|INDEX_\w+_(USERNAME|PASSWORD)"
    r"|KEYRING_PROVIDER|INSECURE_HOST|CONFIG_FILE|EXCLUDE_NEWER|CREDENTIALS_DIR|NATIVE_TLS|SYSTEM_CERTS|OFFLINE"
    r"|HTTP_\w+|REQUEST_TIMEOUT|CONCURRENT_\w+)"
)
_INDEXES = re.compile(r"UV_(INDEX|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INDEX_URL)")
_CREDENTIALS = re.compile(r"(://)[^/@\s]+@")
_DIRECTORIES = re.compile(r"(?:file://|(?<![\w:/.]))/(?:[\w.@+\-]+/)+")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Ran:
    status: int
    output: str
    told: str
    """What it said on stderr, credentials masked."""


def guest_platform(backend: str) -> str:
    """uv's name of the platform that sandboxes have on this machine."""
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    return (
        f"{machine}-apple-darwin"
        if backend == "process" and sys.platform == "darwin"
        else f"{machine}-manylinux_2_28"
    )


class Uv:
    def __init__(self, settings: Settings) -> None:
        self.platform = guest_platform(settings.backend)
        self._deadline_s = settings.build_deadline_s
        self._file_max = settings.layer_max_mb << 20
        self._wheels = settings.wheels_dir
        self.cache = settings.cache_dir / "uv"
        self.running = 0
        """How many there are just now."""
        self._secrets = [
            each.get_secret_value() for each in (settings.index_url, settings.extra_index_urls) if each
        ]
        self._environment = self._clean(settings.index_url, settings.extra_index_urls)

    def target(self, python: str) -> list[str]:
        """The options that name what it resolves and installs for."""
        offline = ["--no-index", "--offline", "--find-links", str(self._wheels)] if self._wheels else []
        return [
            *("--python", sys.executable, "--python-version", python, "--python-platform", self.platform),
            *("--only-binary", ":all:", "--no-python-downloads", "--no-progress", "--color", "never"),
            *offline,
        ]

    async def run(
        self,
        arguments: Sequence[str],
        cwd: Path,
        heard: Callable[[str], None] | None = None,
        *,
        no_cache: bool = False,
        deadline_s: float | None = None,
    ) -> Ran:
        """Run it to its end, `heard` gets each line of stderr. Raises BuildTimeout; cancelling kills it."""
        self.running += 1
        try:
            return await self._run(arguments, cwd, heard, no_cache, deadline_s or self._deadline_s)
        finally:
            self.running -= 1

    def sweep(self) -> None:
        """Remove from the cache what was begun to be unpacked so long ago that nobody is at it."""
        for place in self.cache.glob(".tmp*"):
            if time.time() - place.lstat().st_mtime > max(self._deadline_s, 3_600):
                shutil.rmtree(place, ignore_errors=True)

    async def _run(
        self,
        arguments: Sequence[str],
        cwd: Path,
        heard: Callable[[str], None] | None,
        no_cache: bool,
        deadline: float,
    ) -> Ran:
        process = await asyncio.create_subprocess_exec(
            find_uv_bin(),
            *arguments,
            cwd=cwd,
            env=self._environment | ({"UV_NO_CACHE": "1"} if no_cache else {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        told: deque[str] = deque(maxlen=LINES_KEPT)

        def line(text: str) -> None:
            clean = self.mask(text)[:LINE_MAX]
            told.append(clean)
            if heard is not None:
                heard(clean)

        try:
            # A wheel may unpack to anything: no file of it becomes larger than a layer may be.
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (self._file_max, self._file_max))
            async with asyncio.timeout(deadline):
                output, _ = await asyncio.gather(_all(process.stdout), _lines(process.stderr, line))
                await process.wait()
        except TimeoutError:
            doing = told[-1].strip() if told else ""
            raise BuildTimeout(f"It took longer than {deadline:g} s.", uv=doing or None) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return Ran(process.returncode or 0, output.decode(errors="replace"), "\n".join(told))

    def mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _CREDENTIALS.sub(r"\1***@", text)
        # Errors go to people who have no business with this machine's directories.
        return _DIRECTORIES.sub("…/", text)

    def _clean(self, index: SecretStr | None, extra: SecretStr | None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
        if index is not None or extra is not None:
            kept = {name: value for name, value in kept.items() if not _INDEXES.fullmatch(name)}
        if index is not None:
            kept["UV_DEFAULT_INDEX"] = index.get_secret_value()
        if extra is not None:
            kept["UV_INDEX"] = extra.get_secret_value()
        return kept | {"UV_CACHE_DIR": str(self.cache)}


def without_credentials(url: SecretStr | None) -> str:
    return _CREDENTIALS.sub(r"\1", url.get_secret_value()) if url else ""


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream is not None else b""


async def _lines(stream: asyncio.StreamReader | None, line: Callable[[str], None]) -> None:
    """Not readline(): it raises where a line is longer than its buffer."""
    rest = b""
    while stream is not None and (part := await stream.read(65_536)):
        *whole, rest = (rest + part).split(b"\n")
        for each in whole:
            line(each.decode(errors="replace"))
        rest = rest[-LINE_MAX:]
    if rest:
        line(rest.decode(errors="replace"))
