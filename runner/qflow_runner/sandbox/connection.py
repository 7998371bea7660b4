"""One guest's connection as the runner's event loop sees it: frames in, frames out.

Everything that arrives here is hostile: sizes are checked before memory is taken, memory grows with what
arrives and not with what was announced, and the first malformed byte ends the connection.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Protocol, cast

from qflow_agent import wire
from qflow_runner.sandbox.streams import STREAMED_FROM, BodyStream, ResultStream

SCRATCH = 64 * 1024
FIRST_ALLOCATION = 1024 * 1024

_CREDENTIALS = struct.Struct("3i")

Payload = bytes | bytearray


class Receiver(Protocol):
    """Who gets a connection's frames."""

    def received(self, message: wire.Message, payload: Payload | ResultStream) -> None:
        """A frame is complete, but for a large result, which is still to come. Raises WireError to end the connection."""
        ...

    def lost(self, error: Exception | None) -> None:
        """The connection is over; `error` says why when it was not simply closed."""
        ...


class Connection(asyncio.BufferedProtocol):
    """Small frames are cut out of one scratch buffer; a large payload is read straight into its own."""

    def __init__(self, max_payload: int, opened: Callable[["Connection"], Receiver]) -> None:
        self._max_payload = max_payload
        self._opened = opened
        self._receiver: Receiver | None = None
        self._transport: asyncio.Transport | None = None
        self._scratch = bytearray(SCRATCH)
        self._filled = 0
        self._message: wire.Message | None = None
        self._payload = bytearray()
        self._payload_size = 0
        self._payload_filled = 0
        self._stream: ResultStream | None = None
        self._error: Exception | None = None
        self._room: asyncio.Event | None = None

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._receiver = self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._room is not None:
            self._room.set()
        if self._stream is not None:
            self._stream.fail(self._error or exc)
        if self._receiver is not None:
            self._receiver.lost(self._error or exc)

    def pause_writing(self) -> None:
        self._room = asyncio.Event()

    def resume_writing(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        if self._stream is not None:
            return memoryview(self._payload)[: self._payload_size - self._payload_filled]
        if self._message is None:
            return memoryview(self._scratch)[self._filled :]
        if self._payload_filled == len(self._payload):
            grown = min(self._payload_size, max(2 * len(self._payload), FIRST_ALLOCATION))
            self._payload.extend(bytes(grown - len(self._payload)))
        return memoryview(self._payload)[self._payload_filled :]

    def buffer_updated(self, nbytes: int) -> None:
        if self._stream is not None:
            self._stream.feed(bytes(self._payload[:nbytes]))
            self._payload_filled += nbytes
            self._end_stream()
            return
        try:
            if self._message is None:
                self._filled += nbytes
                self._cut_frames()
            else:
                self._payload_filled += nbytes
                if self._payload_filled == self._payload_size:
                    message, payload = self._message, self._payload
                    self._message, self._payload = None, bytearray()
                    self._deliver(message, payload)
        except wire.WireError as error:
            self._error = error
            self.abort()

    # the runner calls these

    @property
    def peer(self) -> int:
        """The process that dialled, as the kernel tells it; 0 where the runner does not see the guest's processes."""
        dialled = None if self._transport is None else self._transport.get_extra_info("socket")
        if dialled is None:
            return 0
        try:
            told = dialled.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return 0
        pid: int = _CREDENTIALS.unpack(told)[0]
        return max(pid, 0)

    def follow(self, receiver: Receiver) -> None:
        """Frames go to `receiver` from now on."""
        self._receiver = receiver

    def send(self, message: wire.Message, payload: Payload = b"") -> None:
        """Queue one frame. A connection that is over swallows it: `lost` has told of that."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        head = wire.encode(message, len(payload))
        if len(payload) < SCRATCH:
            transport.write(head + payload)
        else:
            transport.write(head)
            transport.write(payload)

    async def drained(self) -> None:
        """Wait until the other side took most of what was sent, or is gone."""
        if self._room is not None:
            await self._room.wait()

    def hold(self, *, held: bool) -> None:
        """Read nothing more, so that a sender waits, until this is called again."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if held:
            transport.pause_reading()
        else:
            transport.resume_reading()

    async def send_stream(self, message: wire.Message, body: BodyStream) -> None:
        """Send one frame whose payload comes piece by piece.

        Raises what reading the body raises; then half a frame was sent, and the connection is of no more use.
        """
        self._write(wire.encode(message, body.size))
        left = body.size
        while left:
            chunk = await anext(body.chunks)
            left -= len(chunk)
            self._write(chunk)
            await self.drained()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _await_payload(self, message: wire.Message, size: int, begun: bytearray) -> None:
        self._payload, self._payload_filled, self._payload_size = begun, len(begun), size
        self._message = message
        if size >= STREAMED_FROM and isinstance(message, wire.Done):
            self._begin_stream(message)

    def _begin_stream(self, message: wire.Message) -> None:
        """What has come of the payload is in it, and from now on its buffer is a place to read into."""
        stream = self._stream = ResultStream(self._payload_size, lambda held: self.hold(held=held))
        if self._payload_filled:
            stream.feed(bytes(self._payload))
        self._payload = bytearray(SCRATCH)
        self._message = None
        self._deliver(message, stream)

    def _end_stream(self) -> None:
        if self._payload_filled == self._payload_size:
            self._stream = None
            self._payload = bytearray()

    def _deliver(self, message: wire.Message, payload: Payload | ResultStream) -> None:
        if self._receiver is not None:
            self._receiver.received(message, payload)

    def _cut_frames(self) -> None:
        start = 0
        while self._message is None and self._stream is None:
            head = start + wire.HEADER_SIZE
            if self._filled < head:
                break
            size = wire.message_size(self._scratch[start:head])
            if size > len(self._scratch) - wire.HEADER_SIZE:
                self._grow(size + wire.HEADER_SIZE)
            end = head + size
            if self._filled < end:
                break
            message, payload_size = wire.decode(self._scratch[head:end])
            if payload_size > self._max_payload:
                raise wire.WireError(
                    f"a payload of {payload_size} bytes is over the limit of {self._max_payload}"
                )
            if self._filled - end >= payload_size:
                start = end + payload_size
                self._deliver(message, bytes(self._scratch[end:start]))
            else:
                self._await_payload(message, payload_size, self._scratch[end : self._filled])
                start = self._filled
        if start:
            rest = self._scratch[start : self._filled]
            if len(self._scratch) > SCRATCH >= len(rest):
                self._scratch = bytearray(SCRATCH)
            self._scratch[: len(rest)] = rest
            self._filled = len(rest)
        elif self._filled == len(self._scratch):
            self._grow(2 * len(self._scratch))

    def _grow(self, size: int) -> None:
        # A new buffer, because the event loop still holds a view of the old one.
        grown = bytearray(max(size, SCRATCH))
        grown[: self._filled] = self._scratch[: self._filled]
        self._scratch = grown
