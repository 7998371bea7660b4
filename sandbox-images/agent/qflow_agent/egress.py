"""A process that listens at the loopback addresses of the hosts that code may reach, and hands each connection on.

It asks the runner for the host with CONNECT, over a unix socket, and then moves bytes; at the address of the proxy it
moves bytes alone. It decides nothing: the runner knows what may be reached, and believes nobody in here. It is
forked from the first process when it is first needed, imports no package, and ends with its control connection.
"""

import os
import select
import socket
import struct
import time
from typing import Dict, Optional, Set, Union

from qflow_agent import __version__, wire
from qflow_agent.channel import Channel

SOCKET = "egress.sock"
CHUNK = 64 * 1024
CONNECTIONS = 256
"""At once; each takes two descriptors. The runner allows fewer."""
ANSWER_BYTES = 4096
ANSWER_SECONDS = 150.0
"""The runner has a deadline of its own, which is shorter."""

_RESET = struct.pack("ii", 1, 0)
_GONE = select.EPOLLHUP | select.EPOLLERR


def serve(path: str, token: str) -> None:
    """Obey until the runner closes the connection."""
    channel = Channel(path)
    channel.send(wire.Hello("egress", token, wire.PROTOCOL, "", __version__, os.getpid()))
    forwarder = Forwarder(os.path.join(os.path.dirname(path), SOCKET))
    control = channel.fileno()
    forwarder.poll.register(control, select.EPOLLIN)
    while True:
        for fd, events in forwarder.poll.poll(forwarder.patience()):
            if fd != control:
                forwarder.ready(fd, events)
                continue
            received = channel.receive()
            if received is None:
                return
            message = received[0]
            if isinstance(message, wire.Listen):
                reason = forwarder.listen(message.address, message.port, message.host)
                channel.send(wire.Listening(message.address, message.port, reason))
        forwarder.end_late()


class Forwarder:
    def __init__(self, way: str) -> None:
        """`way` is the runner's socket for connections."""
        self.way = way
        self.poll = select.epoll()
        self.watched: Dict[int, Union["_Listener", "_Pair"]] = {}
        self.pairs: Set["_Pair"] = set()
        self.asking: Set["_Pair"] = set()

    def listen(self, address: str, port: int, host: str) -> str:
        """Returns why it is not possible, or nothing."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            # Of a port that code holds already this fails, and must: what is sent to it is not for that code.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(128)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            return os.strerror(error.errno or 0)
        self.watched[listener.fileno()] = _Listener(self, listener, "%s:%d" % (host, port) if host else "")
        self.poll.register(listener.fileno(), select.EPOLLIN)
        return ""

    def ready(self, fd: int, events: int) -> None:
        watched = self.watched.get(fd)
        if watched is not None:  # it may have ended by an event before this one
            watched.ready(fd, events)

    def patience(self) -> Optional[float]:
        """How long until a connection has waited too long for the runner's answer."""
        if not self.asking:
            return None
        return max(0.0, min(pair.deadline for pair in self.asking) - time.monotonic())

    def end_late(self) -> None:
        if self.asking:
            now = time.monotonic()
            for pair in [pair for pair in self.asking if pair.deadline <= now]:
                pair.reset()


class _Listener:
    def __init__(self, forwarder: Forwarder, listener: socket.socket, target: str) -> None:
        self._forwarder = forwarder
        self._listener = listener
        self._target = target

    def ready(self, fd: int, events: int) -> None:
        del fd, events
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it is gone again
        if len(self._forwarder.pairs) >= CONNECTIONS:
            reset(client)
            return
        runner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            runner.setblocking(False)
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            runner.connect(self._forwarder.way)
        except OSError:
            runner.close()
            reset(client)
            return
        _Pair(self._forwarder, client, runner, self._target)


class _Side:
    """One of a pair's connections: what it still has to take, and how far it got."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.fd = connection.fileno()
        self.untaken = bytearray()
        self.ended = False
        """Nothing more comes from it."""
        self.told = False
        """Nothing more is sent to it."""
        self.gone = False
        self.events = -1


class _Pair:
    """The code's connection and the one to the runner. Until the runner's answer came, nothing is read of the code's."""

    def __init__(
        self, forwarder: Forwarder, client: socket.socket, runner: socket.socket, target: str
    ) -> None:
        self._forwarder = forwarder
        self._client = _Side(client)
        self._runner = _Side(runner)
        self._answer: Optional[bytearray] = None
        self.deadline = 0.0
        forwarder.pairs.add(self)
        for side in (self._client, self._runner):
            forwarder.watched[side.fd] = self
        if target:
            self._answer = bytearray()
            self.deadline = time.monotonic() + ANSWER_SECONDS
            forwarder.asking.add(self)
            self._runner.untaken += ("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, target)).encode()
            self._guarded(self._runner, select.EPOLLOUT)
        else:
            self._watch()

    def ready(self, fd: int, events: int) -> None:
        self._guarded(self._client if fd == self._client.fd else self._runner, events)

    def _guarded(self, side: _Side, events: int) -> None:
        try:
            self._moved(side, events)
        except BlockingIOError:
            pass
        except OSError:
            self.reset()
        if self in self._forwarder.pairs:
            self._watch()

    def _moved(self, side: _Side, events: int) -> None:
        other = self._runner if side is self._client else self._client
        if events & select.EPOLLOUT:
            self._write(side, other)
        if self in self._forwarder.pairs and events & (select.EPOLLIN | _GONE) and self._reads(side, other):
            self._read(side, other)
        elif events & _GONE:
            side.gone = True
            if not side.ended:
                self.reset()
            elif not other.untaken:
                self._end()

    def _reads(self, side: _Side, other: _Side) -> bool:
        """A side is read while the other one took what was read before, so that neither fills this memory."""
        return not (side.ended or other.untaken or (self._answer is not None and side is self._client))

    def _read(self, side: _Side, other: _Side) -> None:
        data = side.connection.recv(CHUNK)
        if not data:
            side.ended = True
            if self._answer is not None:
                self.reset()
                return
        elif self._answer is not None:
            data = self._answered(data)
            if self._answer is not None:
                return
        other.untaken += data
        if self in self._forwarder.pairs:
            self._write(other, side)

    def _answered(self, data: bytes) -> bytes:
        """What stands behind the runner's answer, once that is whole."""
        answer = self._answer = (self._answer or bytearray()) + data
        end = answer.find(b"\r\n\r\n")
        if end < 0 and len(answer) < ANSWER_BYTES:
            return b""
        if end < 0 or answer[:13] != b"HTTP/1.1 200 ":
            self.reset()
            return b""
        self._answer = None
        self._forwarder.asking.discard(self)
        return bytes(answer[end + 4 :])

    def _write(self, side: _Side, other: _Side) -> None:
        if side.untaken:
            sent = side.connection.send(side.untaken)
            del side.untaken[:sent]
        if side.untaken or not other.ended:
            return
        if not side.told:
            side.told = True
            side.connection.shutdown(socket.SHUT_WR)
        if other.told or other.gone:
            self._end()

    def _watch(self) -> None:
        for side, other in ((self._client, self._runner), (self._runner, self._client)):
            events = (select.EPOLLIN if self._reads(side, other) else 0) | (
                select.EPOLLOUT if side.untaken else 0
            )
            if side.gone or not (events or side.ended):
                events = -1  # epoll would tell of its end again and again
            if events == side.events:
                continue
            if side.events == -1:
                self._forwarder.poll.register(side.fd, events)
            elif events == -1:
                self._forwarder.poll.unregister(side.fd)
            else:
                self._forwarder.poll.modify(side.fd, events)
            side.events = events

    def reset(self) -> None:
        """The code learns that its connection failed, and not that it came to a good end."""
        if self in self._forwarder.pairs:
            self._client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._end()

    def _end(self) -> None:
        self._forwarder.pairs.discard(self)
        self._forwarder.asking.discard(self)
        for side in (self._client, self._runner):
            if side.events != -1:
                self._forwarder.poll.unregister(side.fd)
            self._forwarder.watched.pop(side.fd, None)
            side.connection.close()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    client.close()
