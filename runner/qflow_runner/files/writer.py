"""A plain file that is being written, chunk by chunk."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from qflow_runner.blobs import Buffer, Writing
from qflow_runner.errors import FileIdInvalid, FileTooLarge
from qflow_runner.files.disk import Disk
from qflow_runner.files.lane import Lane
from qflow_runner.files.layout import Entry, Layout
from qflow_runner.files.shelf import Shelf

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MIME = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(; ?charset=[A-Za-z0-9_-]{1,40})?"
)
_LONGEST_NAME = 200
ANY_MIME = "application/octet-stream"


@dataclass(frozen=True)
class StoredFile:
    """A finished file. Guests see it by `Files.place`."""

    id: str
    workflow: str
    execution: str
    name: str
    mime: str
    size: int
    entry: Entry = field(repr=False)


Evicted = Callable[[list[Entry]], None]
"""Gets what left the shelf to make room."""

Finished = Callable[[StoredFile, int], None]
"""Gets the file when all is written, and the bytes that are reserved for it."""


class FileWriter:
    """`write` and `drain` as long as there is more, then `finish` or `abort`. Belongs to the event loop."""

    def __init__(
        self,
        disk: Disk,
        shelf: Shelf,
        stored: StoredFile,
        *,
        limit: int,
        evicted: Evicted,
        finished: Finished,
    ) -> None:
        """Raises DiskFull."""
        self._shelf = shelf
        self._stored = stored
        self._limit = limit
        self._evicted = evicted
        self._finished = finished
        self._size = 0
        self._reserved = 0
        self._lane = Lane(disk, _PlainSink(shelf.layout, stored), self._ended)
        self._reserve(shelf.overhead)

    @property
    def full(self) -> bool:
        """Whether whoever sends should pause until `drain` returns."""
        return self._lane.full

    def write(self, chunk: Buffer) -> None:
        """Queue it; it is kept, not copied. Raises FileTooLarge, DiskFull and DiskFailed; then call `abort`."""
        if self._size + len(chunk) > self._limit:
            raise too_large(self._limit)
        self._reserve(len(chunk))
        self._size += len(chunk)
        self._lane.write(chunk)

    async def drain(self) -> None:
        """Wait until more may be sent. Raises DiskFull and DiskFailed."""
        await self._lane.drain()

    async def finish(self) -> StoredFile:
        """Raises DiskFull, DiskFailed, and FileIdInvalid; then nothing is left."""
        entry = await self._lane.finish()
        stored = replace(self._stored, size=entry.size, entry=entry)
        self._finished(stored, self._reserved)
        return stored

    def abort(self) -> None:
        """Leave nothing. Does not wait; may be called again, and does nothing after `finish`."""
        self._lane.abort()

    def _reserve(self, size: int) -> None:
        gone = self._shelf.reserve(self._stored.entry.workflow, size)
        self._reserved += size
        if gone:
            self._evicted(gone)

    def _ended(self, finished: bool) -> None:
        if not finished:
            self._shelf.release(self._stored.entry.workflow, self._reserved)


class _PlainSink:
    def __init__(self, layout: Layout, stored: StoredFile) -> None:
        self._layout = layout
        self._stored = stored
        self._file: Writing | None = None
        self._size = 0

    def write(self, chunks: list[Buffer]) -> None:
        file = self._opened()
        for chunk in chunks:
            file.write(chunk)
            self._size += len(chunk)

    def finish(self) -> Entry:
        self._opened().close()
        stored = self._stored
        about = {
            "id": stored.id,
            "workflow": stored.workflow,
            "execution": stored.execution,
            "name": stored.name,
            "mime": stored.mime,
        }
        self._layout.write_head(stored.entry, json.dumps(about).encode())
        return replace(stored.entry, size=self._size, made=self._layout.now())

    def discard(self) -> None:
        if self._file is not None:
            self._file.discard()
        self._layout.unlink([self._stored.entry])

    def _opened(self) -> Writing:
        if self._file is None:
            # A sandbox's user reads it through a link; nobody writes it again. The directory is closed to others.
            self._file = self._layout.writer(self._stored.entry, 0o444)
        return self._file


def too_large(limit: int) -> FileTooLarge:
    return FileTooLarge(f"The file is larger than the {limit >> 20} MB that this runner takes.")


def checked_id(file: str) -> str:
    """Raises FileIdInvalid."""
    if not _ID.fullmatch(file):
        raise FileIdInvalid("The id of a file is not one.")
    return file


def clean_name(name: str) -> str:
    """What is shown of a name: its last part, on one line, not too long. It never becomes a path."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(char for char in last if char.isprintable()).strip()
    shown = "" if shown in {".", ".."} else shown
    if len(shown) > _LONGEST_NAME:
        stem, dot, ending = shown.rpartition(".")
        tail = dot + ending if stem and len(ending) <= 16 else ""
        shown = shown[: _LONGEST_NAME - len(tail)] + tail
    return shown or "file"


def clean_mime(mime: str) -> str:
    """A plain media type, or the one for bytes of any kind."""
    return mime if _MIME.fullmatch(mime) else ANY_MIME
