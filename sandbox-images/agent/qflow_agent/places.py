"""Memory that a worker shares with its session: which item it is at, and results that it has not handed over.

What stands there is there also when the worker is gone, however it went.
"""

import mmap
import struct
from typing import Any, Iterator, List, NamedTuple, Tuple

from qflow_agent.wire import msgpack

ROOM = 64 * 1024
"""Bytes of results that wait for more before they are handed over."""

_FACTS = struct.Struct("=qQ")
_HEAD = struct.Struct("=I")
_SIZE = _FACTS.size + ROOM


class Entry(NamedTuple):
    """What an item became."""

    number: int
    error: bool
    sizes: List[int]
    logs: List[Tuple[str, str]]
    dropped: int
    references: List[str]


class Table:
    """A place for each worker."""

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, places * _SIZE)

    def place(self, index: int) -> "Place":
        return Place(memoryview(self._memory)[index * _SIZE : (index + 1) * _SIZE])


class Place:
    def __init__(self, memory: memoryview) -> None:
        self._facts = memory[: _FACTS.size].cast("q")
        self._room = memory[_FACTS.size :]

    def clear(self) -> None:
        self._facts[0], self._facts[1] = -1, 0

    @property
    def item(self) -> int:
        """The number of the item that the worker is at; negative before its first."""
        return self._facts[0]

    @item.setter
    def item(self, number: int) -> None:
        self._facts[0] = number

    @property
    def used(self) -> memoryview:
        return self._room[: min(max(self._facts[1], 0), ROOM)]

    def add(self, written: bytes) -> bool:
        """False where there is no room left for it."""
        at = self._facts[1]
        if at + len(written) > ROOM:
            return False
        self._room[at : at + len(written)] = written
        self._facts[1] = at + len(written)
        return True

    def empty(self) -> None:
        self._facts[1] = 0


def written(entry: Entry, parts: List[bytes]) -> bytes:
    packed = msgpack.packb(list(entry), use_bin_type=True, unicode_errors="surrogatepass")
    return b"".join([_HEAD.pack(len(packed)), packed, *parts])


def read(results: memoryview) -> Iterator[Tuple[Entry, List[bytes]]]:
    """What was written, entry after entry."""
    at = 0
    while at < len(results):
        (packed,) = _HEAD.unpack_from(results, at)
        at += _HEAD.size
        told: Any = msgpack.unpackb(results[at : at + packed], raw=False, unicode_errors="surrogatepass")
        at += packed
        entry = Entry(*told)
        parts: List[bytes] = []
        for part in entry.sizes:
            parts.append(bytes(results[at : at + part]))
            at += part
        yield entry, parts
