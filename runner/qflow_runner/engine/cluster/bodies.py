"""Items between processes: small ones in the message, large ones encrypted in what the cluster shares, read once."""

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing

from qflow_runner.engine.cluster.messages import INLINE, Body
from qflow_runner.errors import ValueDamaged
from qflow_runner.files import Spill, SpilledValue
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.streams import STREAMED_FROM, BodyStream, ItemStream

SPACE = "cluster"


class Bodies:
    """`store` is in what the cluster shares."""

    def __init__(self, store: Spill) -> None:
        self._store = store

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def put(self, payload: Payload | BodyStream | ItemStream) -> Body:
        """Raises DiskFull, DiskFailed, and what the payload raises."""
        if isinstance(payload, BodyStream):
            return await self._written(payload.size, payload.chunks)
        if isinstance(payload, ItemStream):
            return await self._written(payload.size, aiter(payload))
        if len(payload) <= INLINE:
            return Body(len(payload), bytes(payload))
        return await self._written(len(payload), _pieces(payload))

    async def get(self, body: Body) -> Payload | BodyStream:
        """Raises ValueDamaged where it is not there."""
        if body.content is not None:
            return body.content
        value = await self._find(body)
        if value.size < STREAMED_FROM:
            return b"".join([chunk async for chunk in self._store.read(value)])
        return BodyStream(value.size, self._store.read(value))

    async def whole(self, body: Body | None) -> bytes:
        """As `get`, in memory; nothing without a body."""
        if body is None:
            return b""
        found = await self.get(body)
        return (
            b"".join([each async for each in found.chunks]) if isinstance(found, BodyStream) else bytes(found)
        )

    async def result(self, body: Body) -> Payload | ItemStream:
        """As `get`, of what a worker answered."""
        if body.content is not None:
            return body.content
        value = await self._find(body)
        if value.size < STREAMED_FROM:
            return b"".join([chunk async for chunk in self._store.read(value)])
        return _Stored(self._store, value)

    async def drop(self, *bodies: Body | None) -> None:
        for body in bodies:
            if body is not None and body.reference:
                await self._store.drop(SPACE, body.reference)

    async def _find(self, body: Body) -> SpilledValue:
        value = await self._store.find(SPACE, body.reference)
        if value is None or value.size != body.size:
            raise ValueDamaged(
                "The items of this run are not where the cluster shares its files.",
                hint="See that QFLOW_SHARED_DIR or QFLOW_SHARED_BUCKET is one and the same for every process of the cluster.",
            )
        return value

    async def _written(self, size: int, chunks: AsyncIterator[bytes]) -> Body:
        reference = secrets.token_urlsafe(18)
        writer = self._store.writer(SPACE, reference, {})
        try:
            async for chunk in chunks:
                writer.write(chunk)
                if writer.full:
                    await writer.drain()
            await writer.finish()
        finally:
            writer.abort()
        return Body(size, None, reference)


class _Stored(ItemStream):
    def __init__(self, store: Spill, value: SpilledValue) -> None:
        self.size = value.size
        self._store = store
        self._value = value
        self._read = 0

    @property
    def complete(self) -> bool:
        return self._read == self.size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(self._store.read(self._value)) as chunks:
            async for chunk in chunks:
                self._read += len(chunk)
                yield chunk


async def _pieces(payload: Payload) -> AsyncIterator[bytes]:
    yield bytes(payload)
