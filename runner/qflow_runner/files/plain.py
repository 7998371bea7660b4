"""What threads do with finished plain files: read them, and put them where a sandbox sees them."""

import os
import secrets
import shutil
from pathlib import Path
from typing import BinaryIO

from qflow_runner.errors import FileUnknown

PIECE = 1024 * 1024
"""Bytes that are read at a time."""


def gone() -> FileUnknown:
    return FileUnknown("The file was removed just now.")


class PlainReader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def next(self) -> bytes:
        if self._file is None:
            try:
                self._file = self._path.open("rb", buffering=0)
            except FileNotFoundError:
                raise gone() from None
        return self._file.read(PIECE)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def link_to(source: Path, link: Path) -> None:
    """Raises FileUnknown where the source is gone, and OSError."""
    if link.exists():
        return
    try:
        os.utime(source)
    except FileNotFoundError:
        raise gone() from None
    if not link.parent.is_dir():
        link.parent.mkdir(parents=True)
        link.parent.chmod(0o711)
    try:
        link.hardlink_to(source)
    except FileExistsError:  # two runs asked at once
        return
    except FileNotFoundError:
        raise gone() from None
    except OSError:  # another file system, or one without links
        _copy(source, link)


def _copy(source: Path, link: Path) -> None:
    part = link.with_name(secrets.token_urlsafe(24))
    try:
        shutil.copyfile(source, part)
        part.chmod(0o444)
        part.rename(link)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
