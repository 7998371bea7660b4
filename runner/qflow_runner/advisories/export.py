"""The files of an OSV export: a zip, or a directory of JSON files. They are read, never unpacked; their names are never used."""

import hashlib
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FILE_BYTES = 8 << 20
_ALL_BYTES = 4 << 30
_ZIP_BYTES = 1 << 30
_FILES = 500_000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class MirrorUnusable(Exception):
    """The export, or what is made of it, cannot be used; the text says why."""


def fingerprint(path: Path) -> str:
    """Changes when the export does: from time and size of the zip, or of each file of the directory."""
    try:
        about = path.stat()
        if stat.S_ISREG(about.st_mode):
            return f"zip {about.st_mtime_ns} {about.st_size}"
        if not stat.S_ISDIR(about.st_mode):
            raise MirrorUnusable(f"{path} is neither a file nor a directory")
        digest = hashlib.sha256()
        for each in _json_files(path):
            one = each.stat()
            digest.update(f"{each}\0{one.st_mtime_ns}\0{one.st_size}\0".encode(errors="surrogateescape"))
        return f"directory {digest.hexdigest()}"
    except OSError as error:
        raise MirrorUnusable(f"{path} cannot be read: {error.strerror}") from None


def read_export(path: Path) -> Iterator[Any]:
    """The JSON of each file, or None for one that is none or is longer than 8 MB."""
    try:
        yield from map(_parsed, _directory(path) if path.is_dir() else _zip(path))
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise MirrorUnusable(f"{path} cannot be read: {error}") from None


def _zip(path: Path) -> Iterator[bytes | None]:
    # Not blocking: a pipe in the place of the file would wait for ever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > _ZIP_BYTES:
            raise MirrorUnusable(f"{path} is no file of at most {_ZIP_BYTES >> 20} MB")
        with zipfile.ZipFile(file) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(".json")]
            _bounded(path, len(members), 0)
            total = 0
            for each in members:
                data = _member(archive, each)
                total += len(data or b"")
                _bounded(path, len(members), total)
                yield data


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | None:
    # What a member says of its own size is not believed: it is read up to the limit.
    if member.compress_type not in _METHODS or member.flag_bits & 1:
        return None
    try:
        with archive.open(member) as file:
            data = file.read(_FILE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        return None
    return data if len(data) <= _FILE_BYTES else None


def _directory(path: Path) -> Iterator[bytes | None]:
    total = 0
    for at, each in enumerate(_json_files(path)):
        with each.open("rb") as file:
            data = file.read(_FILE_BYTES + 1)
        total += len(data)
        _bounded(path, at, total)
        yield data if len(data) <= _FILE_BYTES else None


def _json_files(path: Path) -> Iterator[Path]:
    """Regular files alone; directories that are links are not entered."""
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".json") and (each := Path(folder, name)).is_file():
                yield each


def _bounded(path: Path, files: int, total: int) -> None:
    if files > _FILES or total > _ALL_BYTES:
        raise MirrorUnusable(
            f"{path} has more than {_FILES} files or {_ALL_BYTES >> 30} GB: it is no export of OSV's"
        )


def _parsed(data: bytes | None) -> Any:
    if data is None:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
