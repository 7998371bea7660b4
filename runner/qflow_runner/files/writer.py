"""A plain file that is being written, chunk by chunk."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from qflow_runner.errors import FileIdInvalid, FileTooLarge
from qflow_runner.files.disk import Disk
from qflow_runner.files.lane import Buffer, Lane
from qflow_runner.files.shelf import OVERHEAD, Entry, Shelf

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MIME = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(; ?charset=[A-Za-z0-9_-]{1,40})?"
)
_LONGEST_NAME = 200
ANY_MIME = "application/octet-stream"


@dataclass(frozen=True)
class StoredFile:
    """A finished file. `path` is the runner's own and not for guests: see `Files.place`."""

    id: str
    workflow: str
    execution: str
    name: str
    mime: str
    size: int
    path: Path
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
        self._lane = Lane(disk, _PlainSink(shelf, stored), self._ended)
        self._reserve(OVERHEAD)

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
    def __init__(self, shelf: Shelf, stored: StoredFile) -> None:
        self._shelf = shelf
        self._stored = stored
        self._descriptor = -1
        self._size = 0

    def write(self, chunks: list[Buffer]) -> None:
        if self._descriptor < 0:
            self._descriptor = self._shelf.create(self._stored.entry)
        for chunk in chunks:
            left = memoryview(chunk)
            while left:
                left = left[os.write(self._descriptor, left) :]
            self._size += len(chunk)

    def finish(self) -> Entry:
        self.write([])
        # A sandbox's user reads it through a link; nobody writes it again. The directory is closed to others.
        os.fchmod(self._descriptor, 0o444)
        self._close()
        stored = self._stored
        about = {
            "id": stored.id,
            "workflow": stored.workflow,
            "execution": stored.execution,
            "name": stored.name,
            "mime": stored.mime,
        }
        self._shelf.write_head(stored.entry, json.dumps(about).encode())
        return replace(stored.entry, size=self._size, made=self._shelf.now())

    def discard(self) -> None:
        self._close()
        self._shelf.unlink([self._stored.entry])

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


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
