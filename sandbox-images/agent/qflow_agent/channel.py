"""Blocking frames over the unix socket that the runner listens on."""

import socket
from typing import Optional, Sequence, Tuple, Union

from qflow_agent import wire

Buffer = Union[bytes, bytearray, memoryview]


class Channel:
    """One connection to the runner. Reads take no byte beyond the frame, so a fork inherits no read-ahead."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)

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
        return None if payload is None else (message, payload)

    def _exactly(self, size: int) -> Optional[bytearray]:
        buffer = bytearray(size)
        view = memoryview(buffer)
        done = 0
        while done < size:
            count = self._socket.recv_into(view[done:])
            if not count:
                return None
            done += count
        return buffer
