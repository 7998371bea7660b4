"""What threads do with finished plain files: read them, and put them where a sandbox sees them."""

import secrets
from pathlib import Path

from qflow_runner.blobs import Reading
from qflow_runner.errors import FileUnknown
from qflow_runner.files.layout import Entry, Layout

PIECE = 1024 * 1024
"""Bytes that are read at a time."""


def gone() -> FileUnknown:
    return FileUnknown("The file was removed just now.")


class PlainReader:
    def __init__(self, layout: Layout, entry: Entry) -> None:
        self._layout = layout
        self._name = layout.data(entry)
        self._file: Reading | None = None

    def next(self) -> bytes:
        if self._file is None:
            self._file = _opened(self._layout, self._name)
        return self._file.read(PIECE)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def place(layout: Layout, entry: Entry, link: Path) -> None:
    """Raises FileUnknown where it is gone, and OSError."""
    if link.exists():
        return
    name = layout.data(entry)
    try:
        layout.blobs.touch(name)
    except FileNotFoundError:
        raise gone() from None
    if not link.parent.is_dir():
        link.parent.mkdir(parents=True)
        link.parent.chmod(0o711)
    source = layout.blobs.path(name)
    if source is None:
        _copy(layout, name, link)
        return
    try:
        link.hardlink_to(source)
    except FileExistsError:  # two runs asked at once
        return
    except FileNotFoundError:
        raise gone() from None
    except OSError:  # another file system, or one without links
        _copy(layout, name, link)


def _copy(layout: Layout, name: str, link: Path) -> None:
    content = _opened(layout, name)
    part = link.with_name(secrets.token_urlsafe(24))
    try:
        with part.open("xb") as file:
            while piece := content.read(PIECE):
                file.write(piece)
        part.chmod(0o444)
        part.rename(link)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    finally:
        content.close()


def _opened(layout: Layout, name: str) -> Reading:
    try:
        return layout.blobs.reader(name)
    except FileNotFoundError:
        raise gone() from None


def unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
