"""Blocking frames over the unix socket that the runner listens on."""

import socket
import time
from typing import Callable, Optional, Sequence, Tuple, Union

from qflow_agent import wire

Buffer = Union[bytes, bytearray, memoryview]

PATIENCE_SECONDS = 60.0
"""How long a sandbox waits for a runner that was killed to come back, before it ends itself."""
FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.25


class Channel:
    """One connection to the runner. Reads take no byte beyond the frame, so a fork inherits no read-ahead."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = _connected(path)
        self._give_up: Optional[float] = None
        self._pause = FIRST_PAUSE_SECONDS

    def dial_again(self, hello: wire.Message, pause: Callable[[float], None] = time.sleep) -> bool:
        """After the runner was lost: wait for it to come back, and whether it did.

        A runner that ends a sandbox takes the socket away before it hangs up; one that was killed leaves it there, and
        its listening socket may outlast this connection by a moment: only a runner that says something has come back.
        """
        self._socket.close()
        if self._give_up is None:
            self._give_up = time.monotonic() + PATIENCE_SECONDS
            self._pause = FIRST_PAUSE_SECONDS
        while time.monotonic() < self._give_up:
            pause(self._pause)  # nothing tells when somebody listens
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            try:
                self._socket = _connected(self._path)
                self.send(hello)
                return True
            except (BlockingIOError, BrokenPipeError, ConnectionRefusedError, ConnectionResetError):
                continue
            except OSError:
                return False
        return False

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, message: wire.Message, payload: Sequence[Buffer] = ()) -> None:
        """Write one frame, whole. Raises OSError when the runner is gone."""
        views = [memoryview(part).cast("B") for part in payload if len(part)]
        parts = [memoryview(wire.encode(message, sum(map(len, views))))] + views
        while parts:
            sent = self._socket.sendmsg(parts[:16])
            while parts and sent >= len(parts[0]):
                sent -= len(parts.pop(0))
            if sent:
                parts[0] = parts[0][sent:]

    def receive(self) -> Optional[Tuple[wire.Message, bytearray]]:
        """The next message and its payload, or None when the runner closed the connection."""
        header = self._exactly(wire.HEADER_SIZE)
        if header is None:
            return None
        packed = self._exactly(wire.message_size(header))
        if packed is None:
            return None
        message, size = wire.decode(packed)
        payload = self._exactly(size)
        if payload is None:
            return None
        self._give_up = None
        return message, payload

    def _exactly(self, size: int) -> Optional[bytearray]:
        buffer = bytearray(size)
        view = memoryview(buffer)
        done = 0
        while done < size:
            try:
                count = self._socket.recv_into(view[done:])
            except ConnectionResetError:  # a runner that was killed had not read all that was sent
                return None
            if not count:
                return None
            done += count
        return buffer


def _connected(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection
