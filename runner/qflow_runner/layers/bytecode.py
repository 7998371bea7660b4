"""Byte code that was compiled here, kept for later layers that have the same code.

What a compiler made of strangers' files is trusted no further than they are. So it is used again only where all the
files are that went into that compiler, the same at the same paths: such a layer could have had it from its own.

One file for each compilation, named by the hash of its content: a line of JSON, and then the byte code.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from qflow_runner.layers import tree

log = structlog.get_logger()

NEW = ".new-"
LEFT_S = 3_600.0
ONE_MAX = 128 << 20
ALL_MAX = 512 << 20
ENTRIES_MAX = 200
HEAD_MAX = 32 << 20

_NOT_IMPORTED = frozenset({"tests", "test", "__pycache__"})


def sources(paths: Collection[str], python: str) -> list[str]:
    """What is compiled of a tree: its code, but not the tests that packages bring, which nobody imports.

    Nor what a package brings compiled: nothing that it brings may be changed.
    """
    tag = f"cpython-{python.replace('.', '')}"
    found: list[str] = []
    for path in paths:
        *places, name = path.split("/")
        if name.endswith(".py") and _NOT_IMPORTED.isdisjoint(places):
            compiled = "/".join([*places, "__pycache__", f"{name[:-3]}.{tag}.pyc"])
            if compiled not in paths:
                found.append(path)
    return found


@dataclass(frozen=True)
class Head:
    """Which files went into one compilation (SHA-256 in hex, by path), and what came out: paths and sizes."""

    python: str
    sources: dict[str, str]
    compiled: tuple[tuple[str, int], ...]


@dataclass
class Reused:
    """What a tree was given: the sources that need no compiling, and the files of byte code."""

    sources: set[str] = field(default_factory=set[str])
    compiled: set[str] = field(default_factory=set[str])


_FORM = TypeAdapter(Head)


class Bytecode:
    """All its methods touch the disk. A failure of the disk costs speed only, and is logged."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._heads: dict[str, Head] = {}

    def place(self, python: str, hashes: Mapping[str, str], directory: Path) -> Reused:
        """Write what fits these sources (SHA-256 by path) into their tree, which holds files and directories alone."""
        reused = Reused()
        fitting = [
            (name, head)
            for name, head in self._known().items()
            if head.python == python and head.sources.items() <= hashes.items()
        ]
        for name, head in sorted(fitting, key=lambda pair: len(pair[1].sources), reverse=True):
            if head.sources.keys() <= reused.sources:
                continue
            content = self._read(name)
            if content is None:
                continue
            reused.sources |= head.sources.keys()
            at = content.index(b"\n") + 1
            for path, size in head.compiled:
                if _add(str(directory), path, content[at : at + size]):
                    reused.compiled.add(path)
                at += size
        return reused

    def keep(self, python: str, hashes: Mapping[str, str], directory: Path, compiled: Sequence[str]) -> None:
        """Keep what came of a compilation of these sources, all of them. Files under `directory`, a finished layer."""
        parts: list[bytes] = []
        total = 0
        for path in compiled:
            total += (directory / path).stat().st_size
            if total > ONE_MAX:
                return
            parts.append((directory / path).read_bytes())
        # Without a source it would fit everywhere.
        if not parts or not hashes:
            return
        listed = tuple((path, len(part)) for path, part in zip(compiled, parts, strict=True))
        head = _FORM.dump_json(Head(python, dict(hashes), listed))
        content = b"".join([head, b"\n", *parts])
        try:
            self._write(hashlib.sha256(content).hexdigest(), content)
            self._trim()
        except OSError as error:
            log.warning("bytecode.not_kept", reason=error.strerror)

    def _known(self) -> dict[str, Head]:
        """What there is; a file's name says its content, so each is read once."""
        try:
            names = {entry.name for entry in os.scandir(self._directory) if not entry.name.startswith(".")}
        except OSError:
            names = set[str]()
        for name in self._heads.keys() - names:
            del self._heads[name]
        for name in names - self._heads.keys():
            with suppress(OSError, ValidationError), (self._directory / name).open("rb") as file:
                self._heads[name] = _FORM.validate_json(file.readline(HEAD_MAX))
        return dict(self._heads)

    def _read(self, name: str) -> bytes | None:
        """The content, whole and unchanged; None otherwise, and then it is there no more."""
        path = self._directory / name
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == name:
                os.utime(path)
                return content
            log.warning("bytecode.changed", name=name)
            path.unlink()
        except OSError as error:
            log.warning("bytecode.unreadable", name=name, reason=error.strerror)
        return None

    def _write(self, name: str, content: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=self._directory, prefix=NEW)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(scratch).rename(self._directory / name)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise

    def _trim(self) -> None:
        """Remove the longest unused, and what writers that are gone left."""
        found: list[tuple[float, int, str]] = []
        for entry in os.scandir(self._directory):
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if not entry.name.startswith(NEW):
                    found.append((status.st_mtime, status.st_size, entry.path))
                elif time.time() - status.st_mtime > LEFT_S:
                    tree.remove(Path(entry.path))
        total = 0
        for number, (_, size, path) in enumerate(sorted(found, reverse=True)):
            total += size
            if number >= ENTRIES_MAX or total > ALL_MAX:
                tree.remove(Path(path))


def _add(directory: str, path: str, content: bytes) -> bool:
    """Whether it was written: what a package brings itself stays."""
    file = f"{directory}/{path}"
    try:
        with suppress(FileExistsError):
            os.mkdir(os.path.dirname(file), 0o755)  # noqa: PTH102, PTH120 - hundreds of files
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except (FileExistsError, NotADirectoryError, FileNotFoundError):
        return False
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
    return True
