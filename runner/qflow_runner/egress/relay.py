"""One connection out of a sandbox: read its first request, have it dialled, then move bytes both ways.

Each side's reading stops while the other does not take what was read, so neither can fill the runner's memory; an
end of one way is passed on and leaves the other open. Whatever does not get on is ended by a deadline.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from qflow_runner.egress.dialling import Dialled, Refused, Unreached
from qflow_runner.egress.heads import HEAD_MAX, Asked, HeadRefused, answer, asked

HEAD_S = 10.0
"""For the first request, whole. A client sends it at once."""

OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Deadlines:
    idle_s: float
    total_s: float


@dataclass(frozen=True)
class Moved:
    """Bytes as the code sees them, and how long the connection was open."""

    sent: int
    received: int
    seconds: float


class Caller(asyncio.Protocol):
    """The side of the sandbox.

    `dial` connects to what was asked for, or raises Refused or Unreached; `over` is called once, at the end, with what
    moved, or None where nothing was connected.
    """

    def __init__(
        self,
        dial: Callable[[Asked], Awaitable[Dialled]],
        over: Callable[["Caller", Moved | None], None],
        deadlines: Deadlines,
    ) -> None:
        self._dial = dial
        self._over = over
        self._deadlines = deadlines
        self._transport: asyncio.Transport
        self._head = bytearray()
        self._far: _Far | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._ended = False
        self._done = False
        self._moved_at = 0.0
        self._began = 0.0
        self._sent = 0
        self.received = 0

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._timers.append(asyncio.get_running_loop().call_later(HEAD_S, self.abort))

    def data_received(self, data: bytes) -> None:
        if self._far is not None:
            self._sent += len(data)
            self._touch()
            self._far.transport.write(data)
            return
        self._head += data
        end = self._head.find(_END, 0, HEAD_MAX + len(_END))
        if end >= 0:
            self._read(bytes(self._head[:end]), bytes(self._head[end + len(_END) :]))
        elif len(self._head) > HEAD_MAX:
            self._refuse(431, f"The header is over {HEAD_MAX} bytes.")

    def eof_received(self) -> bool:
        if self._far is None:
            return False
        self._ended = True
        self._far.end()
        return not self._close_if_both()

    def pause_writing(self) -> None:
        if self._far is not None:
            self._far.hold(held=True)

    def resume_writing(self) -> None:
        if self._far is not None:
            self._far.hold(held=False)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._done:
            return
        self._done = True
        for timer in self._timers:
            timer.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        moved = None
        if self._far is not None:
            self._far.leave()
            moved = Moved(self._sent, self.received, asyncio.get_running_loop().time() - self._began)
        self._over(self, moved)

    # the gate and the other side call these

    def abort(self) -> None:
        """Both sides at once, whatever is still on its way."""
        self._transport.abort()

    def deliver(self, data: bytes) -> None:
        self.received += len(data)
        self._touch()
        if not self._transport.is_closing():
            self._transport.write(data)

    def hold(self, *, held: bool) -> None:
        if self._transport.is_closing():
            return
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def far_ended(self) -> bool:
        """No more will be delivered. Whether the other side is to stay open."""
        if not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()
        return not self._close_if_both()

    def far_lost(self, error: Exception | None) -> None:
        if error is None:
            self._transport.close()
        else:
            self._transport.abort()

    # on the way to the other side

    def _read(self, head: bytes, rest: bytes) -> None:
        self._head.clear()
        for timer in self._timers:
            timer.cancel()
        try:
            wanted = asked(head)
        except HeadRefused as refused:
            self._refuse(400, str(refused))
            return
        self._transport.pause_reading()
        self._dialling = asyncio.get_running_loop().create_task(self._connect(wanted, rest))

    async def _connect(self, wanted: Asked, rest: bytes) -> None:
        try:
            dialled = await self._dial(wanted)
        except Refused as refused:
            self._refuse(403, str(refused))
            return
        except Unreached as unreached:
            self._refuse(502, str(unreached))
            return
        loop = asyncio.get_running_loop()
        far = _Far(self)
        try:
            await loop.create_connection(lambda: far, sock=dialled.socket)
        except BaseException:
            dialled.socket.close()
            raise
        if self._done or self._transport.is_closing():
            far.transport.abort()
            return
        self._far = far
        self._began = self._moved_at = loop.time()
        self._timers = [
            loop.call_later(self._deadlines.total_s, self.abort),
            loop.call_later(self._deadlines.idle_s, self._idle),
        ]
        first = rest if wanted.forward is None else wanted.forward + rest
        if wanted.forward is None:
            self._transport.write(OPENED)
        if first:
            self._sent += len(first)
            far.transport.write(first)
        if not far.held:
            self._transport.resume_reading()
        far.start()

    def _refuse(self, status: int, reason: str) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer(status, reason))
            self._transport.close()
            # Closing waits until the answer was taken, and a hostile side takes nothing.
            self._timers = [asyncio.get_running_loop().call_later(HEAD_S, self.abort)]

    def _touch(self) -> None:
        self._moved_at = asyncio.get_running_loop().time()

    def _idle(self) -> None:
        loop = asyncio.get_running_loop()
        due = self._moved_at + self._deadlines.idle_s
        if due <= loop.time():
            self.abort()
        else:
            self._timers[1] = loop.call_at(due, self._idle)

    def _close_if_both(self) -> bool:
        both = self._ended and self._far is not None and self._far.ended
        if both:
            self._transport.close()
        return both


class _Far(asyncio.Protocol):
    """The side of the host."""

    def __init__(self, caller: Caller) -> None:
        self.transport: asyncio.Transport
        self.ended = False
        self.held = False
        """Whether it takes no more for now."""
        self._caller = caller

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.pause_reading()

    def start(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._caller.deliver(data)

    def eof_received(self) -> bool:
        self.ended = True
        return self._caller.far_ended()

    def pause_writing(self) -> None:
        self.held = True
        self._caller.hold(held=True)

    def resume_writing(self) -> None:
        self.held = False
        self._caller.hold(held=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._caller.far_lost(exc)

    def hold(self, *, held: bool) -> None:
        if self.transport.is_closing():
            return
        if held:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def end(self) -> None:
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()

    def leave(self) -> None:
        """What was sent before is delivered; what comes is not wanted any more."""
        if self.transport.get_write_buffer_size():
            self.transport.close()
        else:
            self.transport.abort()
