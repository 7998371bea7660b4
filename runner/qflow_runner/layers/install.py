"""Installing the wheels of a lock into a directory: uv does it, watched for its size and heard for its progress."""

import asyncio
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from qflow_runner.errors import DependencyError, LayerTooLarge
from qflow_runner.layers import contents, tree
from qflow_runner.layers.built import BuiltWheels
from qflow_runner.layers.explain import explain
from qflow_runner.layers.model import BuildProgress, Lock
from qflow_runner.layers.threads import in_thread
from qflow_runner.layers.uv import Ran, Uv

log = structlog.get_logger()

WATCH_S = 0.2
CLEAN_DEADLINE_S = 30.0

_DOWNLOADING = re.compile(r"^\s*Downloading (\S+)")
_DOWNLOADED = re.compile(r"^\s*Downloaded (\S+)")
_PREPARED = re.compile(r"^\s*Prepared \d+ package")


class Installer:
    def __init__(self, uv: Uv, max_mb: int, kept: BuiltWheels, *, offline: bool) -> None:
        self._uv = uv
        self._kept = kept
        self._max_mb = max_mb
        self._offline = offline

    async def install(
        self,
        place: Path,
        lock: Lock,
        progress: BuildProgress,
        tell: Callable[[BuildProgress], None],
        *,
        anew: bool = False,
    ) -> None:
        """Fill `place`/layer. `anew` trusts nothing that was downloaded before. Raises DependencyError."""
        (place / "lock.txt").write_text(lock.text, encoding="utf-8")
        # Where uv looks for a project's settings, it finds none.
        (place / "uv.toml").touch()
        directory = place / "layer"
        built = [await in_thread(self._kept.place, each) for each in lock.built]
        arguments = [
            *("pip", "install", "--requirements", "lock.txt", "--target", str(directory)),
            # Own copies: a file that is changed in a layer, or in uv's cache, is changed nowhere else.
            *("--link-mode", "copy", "--require-hashes", "--no-deps"),
            *self._uv.target(lock.python),
            *(option for wheels in built for option in ("--find-links", str(wheels))),
        ]
        unpacking = self._unpacking()
        running = asyncio.create_task(
            self._uv.run(arguments, place, _hearing(lock, progress, tell), no_cache=anew)
        )
        try:
            ran = await self._watched(running, directory, unpacking)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            if not self._uv.running:
                # What one that was killed had begun to unpack is nobody's now.
                await in_thread(_remove, self._unpacking() - unpacking)
        if ran.status:
            names = {package.name: f"{package.name}=={package.version}" for package in lock.packages}
            raise explain(ran, names, lock.python, self._uv.platform, offline=self._offline)
        await in_thread(contents.neutral_scripts, directory, sys.executable)

    async def forget(self, names: list[str], place: Path) -> None:
        """Have uv drop what it keeps of these packages. Not waited for long: other builds may hold its cache."""
        try:
            await self._uv.run(["cache", "clean", *names], place, deadline_s=CLEAN_DEADLINE_S)
        except DependencyError as error:
            log.warning("layer.cache_not_cleaned", packages=names, reason=error.detail)

    def too_large(self, found: str) -> LayerTooLarge:
        return LayerTooLarge(
            f"The packages are too large: {found}, and at most {self._max_mb} MB are allowed."
        )

    async def _watched(self, running: asyncio.Task[Ran], directory: Path, before: set[Path]) -> Ran:
        while True:
            done, _ = await asyncio.wait({running}, timeout=WATCH_S)
            size = await in_thread(self._size, directory, before)
            if size > self._max_mb << 20:
                raise self.too_large("more than that when installed")
            if done:
                return running.result()

    def _size(self, directory: Path, before: set[Path]) -> int:
        """Bytes that are installed, or of the largest wheel that was begun to be unpacked since."""
        begun = [tree.size_of(place) for place in self._unpacking() - before]
        return max(tree.size_of(directory), *begun, 0)

    def _unpacking(self) -> set[Path]:
        return set(self._uv.cache.glob(".tmp*"))


def _remove(places: set[Path]) -> None:
    for place in places:
        tree.remove(place)


def _hearing(
    lock: Lock, progress: BuildProgress, tell: Callable[[BuildProgress], None]
) -> Callable[[str], None]:
    packages = {package.name: package for package in lock.packages}
    now = progress
    under_way: dict[str, None] = {}
    seen: set[str] = set()

    def named(name: str) -> str:
        return f"{name} {packages[name].version}" if name in packages else name

    def heard(line: str) -> None:
        nonlocal now
        begun, downloaded = _DOWNLOADING.match(line), _DOWNLOADED.match(line)
        if begun:
            under_way[begun[1]] = None
            now = replace(now, package=named(begun[1]))
        elif downloaded and downloaded[1] not in seen:
            name = downloaded[1]
            seen.add(name)
            under_way.pop(name, None)
            done = now.bytes_done + (packages[name].size if name in packages else 0)
            shown = named(next(iter(under_way))) if under_way else ""
            now = replace(now, package=shown, bytes_done=done, packages_done=len(seen))
        elif _PREPARED.match(line):
            now = replace(
                now, phase="install", package="", bytes_done=now.bytes_total, packages_done=now.packages_total
            )
        else:
            return
        tell(now)

    return heard
