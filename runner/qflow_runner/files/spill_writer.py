"""An encrypted value that is being written, and the form in which it is kept.

`.data` is the value in chunks of CHUNK bytes, the last one shorter or full, each sealed with AES-256-GCM under a key
of this file alone: ciphertext and tag. The nonce is the chunk's number and whether it is the last, so a chunk that is
missing, moved, or from another file does not open. `.head` is one wrapped token (see `Keys`): the key, the sizes, and
whose value it is. A rotation of keys writes the head again, and not the value.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qflow_runner.blobs import Buffer, Writing
from qflow_runner.errors import FileTooLarge
from qflow_runner.files.disk import Disk
from qflow_runner.files.lane import Lane
from qflow_runner.files.layout import Entry, Layout
from qflow_runner.files.shelf import Shelf
from qflow_runner.keys import Keys

CHUNK = 1024 * 1024
TAG = 16
MAX_ABOUT = 256 * 1024
"""Bytes of what is known of a value, as JSON."""


@dataclass(frozen=True)
class SpilledValue:
    """A finished value: `size` in bytes, `made` in Unix time, `about` as its writer was told."""

    workflow: str
    reference: str
    size: int
    made: float
    about: dict[str, Any]
    entry: Entry = field(repr=False)
    key: bytes = field(repr=False)


class SpillWriter:
    """`write` and `drain` as long as there is more, then `finish` or `abort`. Belongs to the event loop."""

    def __init__(
        self,
        disk: Disk,
        shelf: Shelf,
        keys: Keys,
        value: SpilledValue,
        *,
        evicted: Callable[[list[Entry]], None],
        finished: Callable[[SpilledValue, int], None],
    ) -> None:
        """Raises FileTooLarge where `about` is, and DiskFull."""
        about = json.dumps(value.about)
        if len(about) > MAX_ABOUT:
            raise FileTooLarge(
                f"What is known of the value is {len(about)} bytes; at most {MAX_ABOUT} are kept."
            )
        self._shelf = shelf
        self._value = value
        self._evicted = evicted
        self._finished = finished
        self._reserved = 0
        self._lane = Lane(disk, _SealingSink(shelf.layout, keys, value), self._ended)
        self._reserve(shelf.overhead)

    @property
    def full(self) -> bool:
        """Whether whoever sends should pause until `drain` returns."""
        return self._lane.full

    def write(self, chunk: Buffer) -> None:
        """Queue it; it is kept, not copied. Raises DiskFull and DiskFailed; then call `abort`."""
        self._reserve(len(chunk))
        self._lane.write(chunk)

    async def drain(self) -> None:
        """Wait until more may be sent. Raises DiskFull and DiskFailed."""
        await self._lane.drain()

    async def finish(self) -> SpilledValue:
        """In place of an earlier value of this reference. Raises DiskFull and DiskFailed; then nothing is left."""
        value = await self._lane.finish()
        self._finished(value, self._reserved)
        return value

    def abort(self) -> None:
        """Leave nothing. Does not wait; may be called again, and does nothing after `finish`."""
        self._lane.abort()

    def _reserve(self, size: int) -> None:
        gone = self._shelf.reserve(self._value.entry.workflow, size)
        self._reserved += size
        if gone:
            self._evicted(gone)

    def _ended(self, finished: bool) -> None:
        if not finished:
            self._shelf.release(self._value.entry.workflow, self._reserved)


class _SealingSink:
    def __init__(self, layout: Layout, keys: Keys, value: SpilledValue) -> None:
        self._layout = layout
        self._keys = keys
        self._value = value
        self._sealer = AESGCM(value.key)
        self._waiting = bytearray()
        self._number = 0
        self._size = 0
        self._written = 0
        self._file: Writing | None = None

    def write(self, chunks: list[Buffer]) -> None:
        for chunk in chunks:
            view = memoryview(chunk)
            self._size += len(view)
            start = 0
            if self._waiting:
                start = CHUNK - len(self._waiting)
                self._waiting += view[:start]
            # A full chunk waits for the next byte: it may be the last.
            if len(self._waiting) == CHUNK and start < len(view):
                self._seal(self._waiting, last=False)
                self._waiting = bytearray()
            if not self._waiting:
                while len(view) - start > CHUNK:
                    self._seal(view[start : start + CHUNK], last=False)
                    start += CHUNK
                self._waiting += view[start:]

    def finish(self) -> SpilledValue:
        self._seal(self._waiting, last=True).close()
        entry = replace(self._value.entry, size=self._written, made=self._layout.now())
        value = replace(self._value, size=self._size, made=entry.made, entry=entry)
        self._layout.write_head(entry, self._keys.wrap(head(value)))
        return value

    def discard(self) -> None:
        if self._file is not None:
            self._file.discard()
        self._layout.unlink([self._value.entry])

    def _seal(self, chunk: Buffer, *, last: bool) -> Writing:
        if self._file is None:
            self._file = self._layout.writer(self._value.entry)
        sealed = self._sealer.encrypt(nonce(self._number, last=last), chunk, None)
        self._number += 1
        self._written += len(sealed)
        self._file.write(sealed)
        return self._file


def nonce(number: int, *, last: bool) -> bytes:
    """12 bytes. No two chunks of a file have the same, and no two files the same key."""
    return number.to_bytes(11, "big") + bytes([last])


def head(value: SpilledValue) -> bytes:
    return json.dumps(
        {
            "workflow": value.workflow,
            "reference": value.reference,
            "file": value.entry.name,
            "size": value.size,
            "made": value.made,
            "about": value.about,
            "key": value.key.hex(),
        }
    ).encode()
