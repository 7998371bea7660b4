"""A keep-alive HTTP client that costs little beside what it measures."""

import asyncio
import json
import time
from typing import Any, Self


class Answer:
    """Status, body and the time from the first byte sent to the last byte read, in ms."""

    def __init__(self, status: int, body: bytes, ms: float) -> None:
        self.status = status
        self.body = body
        self.ms = ms


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._wanted: int | None = None
        self._answer: asyncio.Future[bytes] | None = None

    @classmethod
    async def connect(cls, port: int) -> Self:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(cls, "127.0.0.1", port)
        return client

    async def call(self, request: bytes) -> Answer:
        """Raises AssertionError for anything but a 2xx answer: a figure of failures is no figure."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(request)
        whole = await self._answer
        ms = (time.perf_counter() - began) * 1000
        status = int(whole[9:12])
        body = whole[whole.index(b"\r\n\r\n") + 4 :]
        assert 200 <= status < 300, whole[:2000]
        return Answer(status, body, ms)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if self._wanted is None:
            head = b"".join(self._chunks)
            end = head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = head.lower().index(b"content-length:")
            self._wanted = end + 4 + int(head[length + 15 : head.index(b"\r\n", length)])
        if self._size >= self._wanted and self._answer is not None:
            whole, self._chunks, self._size, self._wanted = b"".join(self._chunks), [], 0, None
            self._answer.set_result(whole)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))


def request(method: str, path: str, body: Any = None, token: str = "") -> bytes:
    """The bytes of one request; a `body` that is bytes is sent as it is."""
    payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload
