"""What comes by a channel of Redis. Whoever listens anew after Redis was away misses what was said meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from qflow_runner.background import end
from qflow_runner.engine.cluster.redis import close

LISTEN_S = 3.0
RETRY_S = 0.5


class Subscription:
    def __init__(self, redis: Redis, channel: str, take: Callable[[bytes], Awaitable[None]]) -> None:
        """`redis` is a client of its own, which is closed with it."""
        self._redis = redis
        self._channel = channel
        self._take = take
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
            except (RedisError, OSError):  # what is wrong with Redis is told by who needs it
                await asyncio.sleep(RETRY_S)
