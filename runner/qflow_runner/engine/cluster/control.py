"""What a worker is told beside the queues, so that it hears it also when it has no room: to end a run, or to answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from qflow_runner.ending import end
from qflow_runner.engine.cluster.messages import Message, unpack
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.redis import close
from qflow_runner.engine.cluster.sealing import Sealer
from qflow_runner.errors import ClusterMismatch

log = structlog.get_logger()

LISTEN_S = 3.0
RETRY_S = 0.5


class Control:
    def __init__(
        self,
        redis: Redis,
        names: Names,
        sealer: Sealer,
        worker: str,
        told: Callable[[Message], Awaitable[None]],
    ) -> None:
        self._redis = redis
        self._channel = names.control(worker)
        self._sealer = sealer
        self._told = told
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def close(self) -> None:
        await end([self._task])
        await close(self._redis)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._channel)
                    while True:
                        told = await channel.get_message(timeout=LISTEN_S)
                        if told is not None:
                            await self._take(cast("bytes", told["data"]))
            except (RedisError, OSError):  # what is wrong with Redis is told by the worker's beat
                await asyncio.sleep(RETRY_S)

    async def _take(self, sealed: bytes) -> None:
        try:
            message = unpack(self._sealer.open("control", sealed))
        except ClusterMismatch as error:
            log.warning("cluster.message_refused", reason=error.detail)
            return
        await self._told(message)
