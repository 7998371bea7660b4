"""Entries as files of one directory: `<hash of the key>.entry`, put in place whole. All of it blocks.

A file's modification time is when its entry expires, so that listing the directory is all that a restart and a sweep
need; the time of its last change of state tells which is older. What counts is what is sealed inside.
"""

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qflow_runner.cache.entry import MAX_TTL_S, SKEW_S

OVERHEAD = 8 * 1024
"""Bytes that each file counts for beside its content: its last block, its inode, and what is known of it in memory."""

_ENTRY = ".entry"
_PART = ".part"


@dataclass(frozen=True)
class Row:
    """`cost` in bytes, `expires` in Unix time."""

    cost: int
    expires: float


def file_name(key: str) -> str:
    """A hash, whatever a key is."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def cost(size: int) -> int:
    return size + OVERHEAD


def listing(path: Path) -> dict[str, Row]:
    """What is there, the oldest first. Makes the directory if need be, and removes what was left unfinished."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    found: list[tuple[int, str, Row]] = []
    with os.scandir(path) as entries:
        for each in entries:
            name, ending = os.path.splitext(each.name)  # noqa: PTH122 - a Path for each of 100,000 is slow
            if ending not in {_ENTRY, _PART} or not each.is_file(follow_symlinks=False):
                continue
            if ending == _PART:
                Path(each.path).unlink(missing_ok=True)
                continue
            with contextlib.suppress(FileNotFoundError):
                status = each.stat(follow_symlinks=False)
                found.append((status.st_ctime_ns, name, Row(cost(status.st_size), status.st_mtime)))
    return {name: row for _, name, row in sorted(found, key=lambda each: each[0])}


def outdated(row: Row, now: float) -> bool:
    """Also where it would expire later than anything that is made now: the clock was wrong then, or is."""
    return not now < row.expires <= now + MAX_TTL_S + SKEW_S


def read(path: Path, name: str, limit: int) -> bytes | None:
    """None where there is none. At most one byte more than `limit`, so that a larger file shows."""
    try:
        with (path / f"{name}{_ENTRY}").open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return file.read(min(size, limit) + 1)
    except FileNotFoundError:
        return None


def write(path: Path, name: str, content: bytes | bytearray, expires: float, gone: list[str]) -> None:
    """Remove what has to make room, and then put the content in place at once."""
    unlink(path, gone)
    part = path / f"{name}-{secrets.token_hex(8)}{_PART}"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
        # Not forced to the disk: what a crash leaves of it does not open, and is a miss.
        os.utime(part, (time.time(), expires))
        part.rename(path / f"{name}{_ENTRY}")
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def unlink(path: Path, names: Iterable[str]) -> None:
    for name in names:
        (path / f"{name}{_ENTRY}").unlink(missing_ok=True)
