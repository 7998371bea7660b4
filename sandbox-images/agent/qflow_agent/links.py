"""Records between a session and the processes that work for it: a length each, a msgpack list, and raw bytes beside it.

A worker waits for what it sends and asks; the session reads whatever has come, and waits for all of them at once.
"""

import socket
import struct
from typing import Any, Iterator, List, Optional, Sequence, Tuple

from qflow_agent.codec import Buffer
from qflow_agent.wire import msgpack

_HEAD = struct.Struct(">IQ")
_PIECES = 16
_READS = 64

Record = Tuple[List[Any], memoryview]


class LinkBroken(Exception):
    """The other side is gone, or sent what is no record."""


class Link:
    """One end of a pair of sockets. Of the two sides only the session's is one that never waits."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._target, self._filled = memoryview(b""), 0
        self._done: List[memoryview] = []
        self._sizes: Tuple[int, ...] = ()
        self._expect(_HEAD.size)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, message: List[Any], payload: Sequence[Buffer] = ()) -> None:
        """Raises LinkBroken; on the session's side also where the worker does not read what it asked for."""
        packed = msgpack.packb(message, use_bin_type=True, unicode_errors="surrogatepass")
        views = [memoryview(part).cast("B") for part in payload if memoryview(part).nbytes]
        parts = [memoryview(_HEAD.pack(len(packed), sum(map(len, views))) + packed), *views]
        try:
            while parts:
                sent = self._socket.sendmsg(parts[:_PIECES])
                while parts and sent >= len(parts[0]):
                    sent -= len(parts.pop(0))
                if sent:
                    parts[0] = parts[0][sent:]
        except OSError as error:
            raise LinkBroken from error

    def receive(self) -> List[Any]:
        """The next record's list, for which a worker waits. Raises LinkBroken."""
        while True:
            record = self._next()
            if record is not None:
                return record[0]

    def ready(self, reads: int = _READS) -> Iterator[Record]:
        """What has come, in at most so many reads. Raises LinkBroken after the last that is whole."""
        for _ in range(reads):
            try:
                record = self._next()
            except BlockingIOError:
                return
            if record is not None:
                yield record

    def _next(self) -> Optional[Record]:
        """The record that one more read completes."""
        if self._filled < len(self._target):
            try:
                count = self._socket.recv_into(self._target[self._filled :])
            except BlockingIOError:
                raise
            except OSError as error:
                raise LinkBroken from error
            if not count:
                raise LinkBroken
            self._filled += count
            if self._filled < len(self._target):
                return None
        self._done.append(self._target)
        if len(self._done) == 1:
            self._sizes = _HEAD.unpack(self._target)
        if len(self._done) < 3:
            # The bytes have a buffer of their own: what is loaded from them stands on addresses that are aligned.
            self._expect(self._sizes[len(self._done) - 1])
            return None if self._target else self._next()
        _, packed, payload = self._done
        self._done = []
        self._expect(_HEAD.size)
        try:
            return msgpack.unpackb(packed, raw=False, unicode_errors="surrogatepass"), payload
        except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
            raise LinkBroken from error

    def _expect(self, size: int) -> None:
        self._target, self._filled = memoryview(bytearray(size)), 0


def pair() -> Tuple[Link, Link]:
    """The session's end and the worker's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return Link(ours), Link(theirs)
