"""Packages that no index has as a wheel: built in a container that reaches the index and nothing else.

Two containers for each. In the first uv chooses the version, for which the package's code may have to run; all that
is taken from it is that version. In the second the index is asked for that version's source distribution, which is
downloaded, compared by hash, and then built. The host resolves anew with the wheel that came out, and so decides
everything itself: what the package's code says can change nothing but its own wheel.
"""

import asyncio
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from uv import find_uv_bin

from qflow_runner.errors import DependencyError, SourceBuildFailed
from qflow_runner.layers.built import NEW, BuiltWheels
from qflow_runner.layers.index_hosts import Hosts
from qflow_runner.layers.index_proxy import IndexProxy
from qflow_runner.layers.lines import Asked
from qflow_runner.layers.model import Built, Confine, Confined, Ended
from qflow_runner.layers.source_errors import Attempt, explain_build, without_wheel
from qflow_runner.layers.threads import in_thread
from qflow_runner.layers.uv import Uv
from qflow_runner.settings import Settings

log = structlog.get_logger()

SOCKET_DIR = "/run/qflow-build"
UV_PATH = "/opt/qflow-build/uv"
WHEELS_DIR = "/opt/qflow-build/wheels"
PROGRAM = "/opt/qflow/agent/qflow_agent/building.py"
PYTHON = "/usr/local/bin/python3"
PROCESSES = 256
LINES = 40
BUILDS_MAX = 20
"""Packages without a wheel in one set of requirements."""


@dataclass(frozen=True)
class _Done:
    ended: Ended
    proxy: IndexProxy


class Sources:
    """Builds one package at a time: it takes much memory."""

    def __init__(self, settings: Settings, uv: Uv, confine: Confine, kept: BuiltWheels) -> None:
        self._settings = settings
        self._uv = uv
        self._confine = confine
        self._kept = kept
        self._one = asyncio.Lock()
        self._uv_path = Path(find_uv_bin()).resolve()

    async def build(
        self, name: str, asked: Asked, python: str, bounds: str, built: Mapping[Built, Path]
    ) -> Built:
        """The wheel of the version that the requirements ask for: one that is kept, or a new one.

        Raises DependencyError.
        """
        async with self._one:
            version = await self._version(name, asked, python, bounds, built)
            wanted = [mark.removeprefix("sha256:") for mark in sorted(asked.hashes.get(name, ()))]
            kept = await in_thread(self._kept.find, python, name, version)
            if kept is not None and (not wanted or kept.source in wanted):
                return kept
            return await self._make(name, version, python, wanted)

    async def _version(
        self, name: str, asked: Asked, python: str, bounds: str, built: Mapping[Built, Path]
    ) -> str:
        """What it depends on may have no wheel either: then that is chosen along with it, and built later."""
        names = [name]
        while True:
            try:
                return await self._choose(names, asked, python, bounds, built)
            except DependencyError as error:
                known = {*names, *(each.name for each in built)}
                more = [each for each in without_wheel(error) if each not in known]
                if not more or len(known) >= BUILDS_MAX:
                    raise
                names += more

    async def _choose(
        self,
        names: Sequence[str],
        asked: Asked,
        python: str,
        bounds: str,
        built: Mapping[Built, Path],
    ) -> str:
        name = names[0]
        inside_of = {place: f"{WHEELS_DIR}/{at}" for at, place in enumerate(built.values())}
        links = [option for place in inside_of.values() for option in ("--find-links", place)]
        job = {
            "do": "choose",
            "files": {"asked.in": "\n".join(asked.requirements) + "\n", "bounds.txt": bounds},
            "uv": [*self._compile("asked.in", names), "--constraints", "bounds.txt", *links],
        }
        done = await self._run(job, python, inside_of)
        found = _version_of(name, done.proxy.handed.get("answer", b""))
        if done.ended.status or found is None:
            raise self._explain(Attempt(name, python, done.ended, done.proxy, asked.names))
        return found

    async def _make(self, name: str, version: str, python: str, wanted: Sequence[str]) -> Built:
        exactly = f"{name}=={version}"
        job = {
            "do": "build",
            "exactly": exactly,
            # Without dependencies uv needs to know nothing of a package but its name, so none of its code runs.
            "lookup": [*self._compile("one.in", [name]), "--no-deps"],
            "hashes": wanted,
            "uv": [UV_PATH, "build", "--wheel", "--no-build", "--python", PYTHON, *_QUIET],
        }
        log.info("sources.building", package=name, version=version, python=python)
        with tempfile.TemporaryDirectory(dir=self._kept.directory, prefix=NEW) as scratch:
            done = await self._run(job, python, {}, Path(scratch))
            wheel, source = done.proxy.wheel, _source_of(done.proxy.handed.get("source", b""))
            if done.ended.status or wheel is None or not source:
                raise self._explain(Attempt(name, python, done.ended, done.proxy, {name: exactly}))
            _check_name(wheel.name, name, version)
            made = Built(python, name, version, wheel.name, source, await in_thread(_digest, wheel))
            log.info("sources.built", package=name, version=version, wheel=made.wheel, source=source)
            return await in_thread(self._kept.add, wheel, made)

    async def _run(
        self,
        job: Mapping[str, Any],
        python: str,
        readable: Mapping[Path, str],
        place: Path | None = None,
    ) -> _Done:
        settings = self._settings
        # A new one for each: addresses are read from the settings, and those of names asked anew.
        hosts = Hosts.of(settings)
        directory = settings.run_dir / f"build-{secrets.token_hex(6)}"
        await in_thread(_make_directory, directory)
        uv = await in_thread(_uv_for_sandboxes, settings, self._uv_path)
        try:
            with tempfile.TemporaryDirectory(prefix="qflow-build-") as nowhere:
                proxy = IndexProxy(
                    hosts, json.dumps(job).encode(), place or Path(nowhere), settings.layer_max_mb << 20
                )
                async with proxy.listening(directory / "index.sock"):
                    ended = await self._confine(
                        Confined(
                            python=python,
                            command=[
                                *(PYTHON, "-I", "-X", "utf8", "-u", PROGRAM),
                                f"{SOCKET_DIR}/index.sock",
                            ],
                            deadline_s=settings.build_deadline_s,
                            readable={
                                directory: SOCKET_DIR,
                                uv: UV_PATH,
                                **readable,
                            },
                            environment=_environment(hosts),
                            memory_mb=settings.build_memory_mb,
                            tmp_mb=settings.build_memory_mb // 2,
                            processes=PROCESSES,
                            lines=LINES,
                        )
                    )
        finally:
            await in_thread(shutil.rmtree, directory, ignore_errors=True)
        return _Done(ended, proxy)

    def _explain(self, attempt: Attempt) -> DependencyError:
        return explain_build(attempt, self._settings, self._uv)

    def _compile(self, file: str, names: Sequence[str]) -> list[str]:
        """uv chooses among the wheels of all packages, and among the source distributions of these."""
        return [
            *(UV_PATH, "pip", "compile", file, "--format", "pylock.toml", "--no-header", "--no-annotate"),
            *("--only-binary", ":all:"),
            *(option for name in names for option in ("--no-binary", name)),
            *("--python", PYTHON, "--python-platform", self._uv.platform, *_QUIET),
        ]


SPACE = "/run/sandbox"
"""What a job of the sandbox image may write to."""
_QUIET = ("--no-progress", "--color", "never")


def _environment(hosts: Hosts) -> dict[str, str]:
    first, *more = hosts.inside
    return {
        "HOME": SPACE,
        "LANG": "C.UTF-8",
        "UV_CACHE_DIR": f"{SPACE}/cache",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_HTTP_RETRIES": "1",
        "UV_DEFAULT_INDEX": first,
        "UV_INDEX": " ".join(more),
    }


def _version_of(name: str, answer: bytes) -> str | None:
    """From what a stranger's code may have written: a version, and nothing else of it."""
    try:
        packages: list[Any] = tomllib.loads(answer.decode()).get("packages", [])
        found = [each["version"] for each in packages if canonicalize_name(each["name"]) == name]
        return str(Version(found[0])) if found else None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, InvalidVersion, KeyError, TypeError, AttributeError):
        return None


def _source_of(handed: bytes) -> str:
    try:
        return str(json.loads(handed)["sha256"])
    except (ValueError, KeyError, TypeError):
        return ""


def _check_name(file: str, name: str, version: str) -> None:
    try:
        brought, number, _, _ = parse_wheel_filename(file)
    except InvalidWheelFilename as error:
        raise SourceBuildFailed(
            f"Building {name} {version} made a file that is no wheel: {error}."
        ) from error
    if brought != name or number != Version(version):
        raise SourceBuildFailed(
            f"Building {name} {version} made a wheel of {brought} {number}.",
            hint="Its authors must mend that: ask for another version.",
        )


def _uv_for_sandboxes(settings: Settings, uv: Path) -> Path:
    """In a container the runner's packages are no volume: a sandbox gets a copy from where Docker finds it."""
    if not settings.docker_mounts:
        return uv
    copy = settings.layers_dir.parent / f"{settings.layers_dir.name}-uv"
    copy.mkdir(mode=0o755, parents=True, exist_ok=True)
    kept, ours = copy / "uv", uv.stat()
    if not kept.exists() or (kept.stat().st_size, int(kept.stat().st_mtime)) != (
        ours.st_size,
        int(ours.st_mtime),
    ):
        new = copy / "uv.new"
        shutil.copy2(uv, new)
        new.chmod(0o755)
        new.replace(kept)
    return kept


def _make_directory(directory: Path) -> None:
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(mode=0o755)
    # Whatever the umask: the container's user looks for the socket in it.
    os.chmod(directory, 0o755)  # noqa: PTH101, S103


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
