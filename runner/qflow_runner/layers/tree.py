"""A layer's files: which there are, whether they are still those that were built, and how to be rid of them.

Nothing here follows a link. Entries that are neither a file nor a directory make a tree unsound.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARKER = ".qflow.json"
MANIFEST = ".qflow-files"
OWN = frozenset({MARKER, MANIFEST})
PATH_MAX = 1_000


class Unsound(Exception):
    """The tree is not what a layer may be; the text says where."""


@dataclass(frozen=True)
class Stamp:
    size: int
    mtime_ns: int


def stamps(directory: Path) -> dict[str, Stamp]:
    """Size and time of each file, by path within the directory; a layer's own two files left out."""
    found: dict[str, Stamp] = {}
    for path, entry in _walk(directory, ""):
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            continue
        if not stat.S_ISREG(status.st_mode):
            raise Unsound(f"{path!r} is neither a file nor a directory")
        if path not in OWN:
            found[path] = Stamp(status.st_size, status.st_mtime_ns)
    return found


def size_of(directory: Path) -> int:
    """Bytes, while it may be changing."""
    total = 0
    try:
        for _, entry in _walk(directory, ""):
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    except (FileNotFoundError, Unsound):
        return total
    return total


def digests(directory: Path, paths: Sequence[str]) -> dict[str, str]:
    """SHA-256 of each file, in hex."""
    return {path: _digest(directory / path) for path in paths}


def manifest(found: Mapping[str, Stamp], hashes: Mapping[str, str]) -> bytes:
    rows = (f"{hashes[path]} {found[path].size} {found[path].mtime_ns} {path}\n" for path in sorted(found))
    return "".join(rows).encode("utf-8", "surrogateescape")


def read_manifest(content: bytes) -> tuple[dict[str, Stamp], dict[str, str]]:
    found: dict[str, Stamp] = {}
    hashes: dict[str, str] = {}
    try:
        for row in content.decode("utf-8", "surrogateescape").splitlines():
            digest, size, mtime, path = row.split(" ", 3)
            found[path] = Stamp(int(size), int(mtime))
            hashes[path] = digest
    except ValueError:
        raise Unsound("the list of its files cannot be read") from None
    return found, hashes


def check(directory: Path, expected: str, *, whole: bool) -> None:
    """That the files are those of the manifest whose hash is `expected`: by size and time, or `whole` by content.

    Raises Unsound with what differs.
    """
    try:
        content = (directory / MANIFEST).read_bytes()
        if hashlib.sha256(content).hexdigest() != expected:
            raise Unsound("the list of its files was changed")
        found, hashes = read_manifest(content)
        now = stamps(directory)
        differ = sorted(path for path in found.keys() | now.keys() if found.get(path) != now.get(path))
        if differ:
            raise Unsound(f"{differ[0]!r} was changed, added or removed")
        if whole:
            for path, digest in hashes.items():
                if _digest(directory / path) != digest:
                    raise Unsound(f"{path!r} has other content than was built")
    except OSError as error:
        raise Unsound(f"it cannot be read: {error.strerror}") from error


def open_to_read(directory: Path) -> None:
    """Let every user read it and only its owner write: the sandbox's user is another."""
    _mode(directory, 0o755)
    for path, entry in _walk(directory, ""):
        status = entry.stat(follow_symlinks=False)
        wanted = 0o755 if stat.S_ISDIR(status.st_mode) or status.st_mode & 0o111 else 0o644
        if stat.S_IMODE(status.st_mode) != wanted:
            _mode(directory / path, wanted)


def is_bytecode(path: str) -> bool:
    return path.endswith(".pyc") and path.split("/")[-2:-1] == ["__pycache__"]


def write(path: Path, content: bytes) -> None:
    """A file that all may read, whole and on the disk when this returns.

    The thousands of files of the packages are not written so: one that a power cut tore is found by its hash
    before its first use.
    """
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())


def sync(directory: Path) -> None:
    """Have the names in it on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Whatever it is. What cannot be removed is left."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def _walk(directory: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    todo = [(str(directory), prefix)]
    while todo:
        place, before = todo.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                path = f"{before}{entry.name}"
                if len(path) > PATH_MAX or not path.isprintable():
                    raise Unsound(f"the name {path[:80]!r} is not one that a layer may have")
                yield path, entry
                if entry.is_dir(follow_symlinks=False):
                    todo.append((entry.path, f"{path}/"))


def _digest(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mode(path: Path, mode: int) -> None:
    # A file that the compiler's user made is that user's: it can be read as it is, or the check of it says so.
    with suppress(PermissionError):
        path.chmod(mode)
