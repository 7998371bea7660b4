"""Contents as files of a directory, which may be shared by several machines."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from qflow_runner.blobs.model import Blob, Buffer, Held

_PART = ".part"
_TRIES = 5


class DirectoryBlobs:
    near = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def within(self, folder: str) -> "DirectoryBlobs":
        return DirectoryBlobs(self._path / folder)

    def prepare(self) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.chmod(0o700)

    def read(self, name: str) -> Held | None:
        try:
            with (self._path / name).open("rb", buffering=0) as file:
                return Held(file.readall(), str(os.fstat(file.fileno()).st_mtime_ns))
        except FileNotFoundError:
            return None

    def stamp(self, name: str) -> str | None:
        try:
            return str((self._path / name).stat().st_mtime_ns)
        except FileNotFoundError:
            return None

    def about(self, name: str) -> Blob | None:
        try:
            status = (self._path / name).stat()
        except FileNotFoundError:
            return None
        return Blob(name, status.st_size, status.st_mtime)

    def list(self, folder: str = "", *, deep: bool = False) -> list[Blob]:
        return list(_below(self._path, folder, deep=deep))

    def write(self, name: str, content: Buffer) -> None:
        _put(self._path / name, content, forced=False)

    def replace(self, name: str, content: bytes, stamp: str | None) -> str | None:
        """Forced to the disk: what is replaced with care is not to be lost with the power."""
        with self._changing():
            if self.stamp(name) != stamp:
                return None
            _put(self._path / name, content, forced=True)
            return self.stamp(name)

    def writer(self, name: str, mode: int = 0o600) -> "_FileWriting":
        return _FileWriting(_create(self._path / name, 0o600), mode)

    def reader(self, name: str) -> "_FileReading":
        return _FileReading(os.open(self._path / name, os.O_RDONLY | os.O_CLOEXEC))

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            place = self._path / name
            place.unlink(missing_ok=True)
            if place.parent != self._path:
                with contextlib.suppress(OSError):  # others are there
                    place.parent.rmdir()

    def touch(self, name: str) -> None:
        os.utime(self._path / name)

    def path(self, name: str) -> Path:
        return self._path / name

    @contextlib.contextmanager
    def _changing(self) -> Generator[None]:
        """One replacement at a time, also of other processes that share the directory."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path / ".changing", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class _FileWriting:
    """No buffer of its own: whoever writes has large pieces."""

    def __init__(self, descriptor: int, mode: int) -> None:
        self._descriptor = descriptor
        self._mode = mode

    def write(self, chunk: Buffer) -> None:
        left = memoryview(chunk)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def close(self) -> None:
        if self._descriptor >= 0:
            os.fchmod(self._descriptor, self._mode)
            self.discard()

    def discard(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class _FileReading:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int, /) -> bytes:
        return os.read(self._descriptor, size)

    def close(self) -> None:
        os.close(self._descriptor)


def _put(place: Path, content: Buffer, *, forced: bool) -> None:
    part = place.with_name(f"{place.name}-{secrets.token_hex(8)}{_PART}")
    try:
        with os.fdopen(_create(part, 0o600), "wb") as file:
            file.write(content)
            if forced:
                file.flush()
                os.fsync(file.fileno())
        part.rename(place)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _create(place: Path, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    for _ in range(_TRIES):
        try:
            return os.open(place, flags, mode)
        except FileNotFoundError:  # the first of its folder, or the last of it was removed just now
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(place, flags, mode)


def _below(path: Path, folder: str, *, deep: bool) -> Iterator[Blob]:
    with contextlib.suppress(FileNotFoundError), os.scandir(path / folder if folder else path) as found:
        for each in found:
            name = f"{folder}/{each.name}" if folder else each.name
            if deep and each.is_dir(follow_symlinks=False):
                yield from _below(path, name, deep=True)
            elif each.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    status = each.stat(follow_symlinks=False)
                    yield Blob(name, status.st_size, status.st_mtime)
