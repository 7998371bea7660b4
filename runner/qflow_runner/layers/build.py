"""From a lock to a layer.

1. refuse what is too large before anything is downloaded, where sizes are known;
2. install the locked wheels into a scratch directory;
3. compile the code that was not compiled before, somewhere harmless, while the files are hashed;
4. write the list of files and then the marker, and give the directory its name.

Whatever fails, the scratch directory is removed.
"""

import asyncio
import errno
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from pydantic import TypeAdapter

from qflow_runner.errors import BuildFailed, LayerDiskFull, ModuleReserved, QflowError
from qflow_runner.layers import bytecode, contents, tree
from qflow_runner.layers.built import BuiltWheels
from qflow_runner.layers.bytecode import Bytecode, Reused
from qflow_runner.layers.compiling import write_list
from qflow_runner.layers.install import Installer
from qflow_runner.layers.model import BuildProgress, Compile, Lock, Phase, Record
from qflow_runner.layers.progress import ProgressBoard
from qflow_runner.layers.scratch import put_aside, scratch
from qflow_runner.layers.threads import in_thread
from qflow_runner.layers.uv import Uv
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings

log = structlog.get_logger()

FORMAT = 1
RECORD = TypeAdapter(Record)


def layer_id(lock: Lock, platform: str) -> str:
    """The same for everyone who has that lock, Python and platform."""
    content = f"layer {FORMAT}\n{platform}\n{lock.python}\n{lock.text}"
    return hashlib.sha256(content.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Installed:
    """A directory before it is finished: its files, their hashes, and what it brings."""

    directory: Path
    files: dict[str, tree.Stamp]
    hashes: dict[str, str]
    modules: tuple[str, ...]
    warnings: tuple[str, ...]
    reused: Reused
    compiled_from: dict[str, str]
    """The sources that went into the compiler just now, if all of it went well: SHA-256 by path."""


class Builder:
    def __init__(
        self, settings: Settings, uv: Uv, compile_: Compile, board: ProgressBoard, kept: BuiltWheels
    ) -> None:
        self._layers = settings.layers_dir
        self._max = settings.layer_max_mb << 20
        self._platform = uv.platform
        self._installer = Installer(uv, settings.layer_max_mb, kept, offline=settings.wheels_dir is not None)
        self._compile = compile_
        self._bytecode = Bytecode(settings.cache_dir / "bytecode")
        self._board = board
        self._places = asyncio.Semaphore(settings.builds)

    async def build(self, lock: Lock) -> Record:
        """The finished layer's record. Raises DependencyError, and leaves nothing behind then."""
        total = sum(package.size for package in lock.packages)
        start = BuildProgress(lock.id, "download", bytes_total=total, packages_total=len(lock.packages))
        self._board.tell(start)
        began = time.perf_counter()
        try:
            async with self._places:
                record = await self._build(lock, start)
        except BaseException as error:
            said = error.detail if isinstance(error, QflowError) else "It was stopped."
            self._board.tell(replace(start, phase="failed", detail=said))
            metrics.LAYER_BUILDS.labels(outcome="failed").inc()
            raise
        metrics.LAYER_BUILDS.labels(outcome="ok").inc()
        metrics.LAYER_BUILD_SECONDS.observe(time.perf_counter() - began)
        self._tell(start, "done")
        log.info(
            "layer.built",
            layer=record.id,
            python=lock.python,
            packages=len(lock.packages),
            mb=record.bytes >> 20,
            ms=round((time.perf_counter() - began) * 1000),
        )
        return record

    async def _build(self, lock: Lock, start: BuildProgress) -> Record:
        if start.bytes_total > self._max:
            raise self._installer.too_large(f"a download of {start.bytes_total >> 20} MB")
        try:
            async with scratch(self._layers, layer_id(lock, self._platform)) as place:
                installed = await self._install(place, lock, start)
                return await in_thread(self._finish, installed, lock)
        except tree.Unsound as error:
            raise BuildFailed(f"The packages hold something that a layer may not: {error}.") from error
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise LayerDiskFull("The runner's disk is full: the packages were not installed.") from error
            raise BuildFailed(
                f"The layers directory cannot be written: {error.strerror}.",
                hint="See that the runner's user may write to QFLOW_LAYERS_DIR.",
            ) from error

    async def _install(self, place: Path, lock: Lock, start: BuildProgress) -> _Installed:
        """Twice at most: again from the index when the cache held other files than the wheels do."""
        installed, wrong = await self._install_once(place, lock, start, anew=False)
        if not wrong:
            return installed
        log.warning("layer.cache_changed", packages=wrong)
        await in_thread(tree.remove, installed.directory)
        await self._installer.forget(wrong, place)
        installed, wrong = await self._install_once(place, lock, start, anew=True)
        # The wheels were checked against the lock just now: here it is their own lists that are wrong.
        notes = tuple(f"{name} lists its own files wrongly." for name in wrong)
        return replace(installed, warnings=installed.warnings + notes)

    async def _install_once(
        self, place: Path, lock: Lock, start: BuildProgress, *, anew: bool
    ) -> tuple[_Installed, list[str]]:
        """What was installed, and the distributions that differ from what they list."""
        directory = place / "layer"
        directory.mkdir(mode=0o755)
        if lock.packages:
            await self._installer.install(place, lock, start, self._board.tell, anew=anew)
        files = await in_thread(tree.stamps, directory)
        modules = contents.modules(files)
        _refuse_reserved(modules)
        self._tell(start, "compile")
        sources = bytecode.sources(files, lock.python)
        of_sources = await in_thread(tree.digests, directory, sources)
        others = sorted(files.keys() - of_sources.keys())
        hashing = asyncio.create_task(in_thread(tree.digests, directory, others))
        try:
            reused = await in_thread(self._bytecode.place, lock.python, of_sources, directory)
            new = {path: digest for path, digest in of_sources.items() if path not in reused.sources}
            uncompiled = await self._byte_compile(lock.python, directory, place / "sources", list(new))
        finally:
            await asyncio.wait({hashing})
        self._tell(start, "verify")
        hashes = of_sources | hashing.result()
        wrong = await in_thread(contents.wrong_records, directory, hashes)
        warnings = (*lock.warnings, *uncompiled, *_shadowing(modules, lock.python))
        compiled_from = {} if uncompiled else new
        return _Installed(directory, files, hashes, modules, warnings, reused, compiled_from), wrong

    async def _byte_compile(
        self, python: str, directory: Path, listed: Path, sources: Sequence[str]
    ) -> Sequence[str]:
        """What to warn of when it failed: the layer works, and its first imports take longer."""
        if not sources:
            return []
        await in_thread(write_list, listed, sources)
        try:
            await self._compile(python, directory, listed)
        except QflowError as error:
            log.warning("layer.not_compiled", python=python, reason=error.detail)
            return [f"It was not byte-compiled, so imports take longer: {error.detail}"]
        return []

    def _finish(self, installed: _Installed, lock: Lock) -> Record:
        directory = installed.directory
        tree.open_to_read(directory)
        files = tree.stamps(directory)
        compiled = files.keys() - installed.files.keys()
        strange = [path for path, stamp in installed.files.items() if files.get(path) != stamp]
        strange += [path for path in compiled if not tree.is_bytecode(path)]
        if strange:
            raise tree.Unsound(f"{min(strange)!r} was changed while the code was compiled")
        size = sum(stamp.size for stamp in files.values())
        if size > self._max:
            raise self._installer.too_large(f"{size >> 20} MB when installed")
        listed = tree.manifest(files, installed.hashes | tree.digests(directory, sorted(compiled)))
        layer = layer_id(lock, self._platform)
        record = Record(
            format=FORMAT,
            id=layer,
            platform=self._platform,
            lock=lock,
            modules=installed.modules,
            bytes=size,
            built=time.time(),
            manifest=hashlib.sha256(listed).hexdigest(),
            warnings=installed.warnings,
        )
        tree.write(directory / tree.MANIFEST, listed)
        tree.write(directory / tree.MARKER, RECORD.dump_json(record))
        tree.sync(directory)
        # One that was found to be changed stands in the way.
        aside = put_aside(self._layers, layer)
        directory.rename(self._layers / layer)
        tree.sync(self._layers)
        if aside is not None:
            tree.remove(aside)
        new = sorted(compiled - installed.reused.compiled)
        self._bytecode.keep(lock.python, installed.compiled_from, self._layers / layer, new)
        return record

    def _tell(self, start: BuildProgress, phase: Phase) -> None:
        everything = {"bytes_done": start.bytes_total, "packages_done": start.packages_total}
        self._board.tell(replace(start, phase=phase, **everything))


def _refuse_reserved(modules: Sequence[str]) -> None:
    taken = sorted(contents.RESERVED.intersection(modules))
    if taken:
        raise ModuleReserved(
            f"A package brings a module named {taken[0]}, which is Qflow's own name in the sandbox."
        )


def _shadowing(modules: Sequence[str], python: str) -> Sequence[str]:
    names = contents.shadowed(modules, python)
    if not names:
        return []
    return [
        f"A package brings {', '.join(names)}, which Python {python} has itself: Python's own is imported."
    ]
