"""What happens in runs of workers, for those who watch at an API process. What gets lost on the way is not missed."""

import asyncio
import contextlib
from typing import Any, cast

import msgpack
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.sealing import Sealer
from qflow_runner.engine.cluster.subscription import Subscription
from qflow_runner.errors import ClusterMismatch
from qflow_runner.observe.events import Event, Events

log = structlog.get_logger()

GATHER_S = 0.02
MOST = 500
"""Events that are sent together; more are dropped: nobody reads as fast."""
PURPOSE = "events"


class Teller:
    """At a worker. Gathers for a moment, so that a busy worker does not publish each line alone."""

    def __init__(self, redis: Redis, names: Names, sealer: Sealer, events: Events) -> None:
        self._redis = redis
        self._names = names
        self._sealer = sealer
        self._waiting: list[Event] = []
        self._sending: asyncio.Task[None] | None = None
        events.relays.append(self._tell)

    async def close(self) -> None:
        if self._sending is not None:
            await asyncio.wait({self._sending})

    def _tell(self, event: Event) -> None:
        if len(self._waiting) < MOST:
            self._waiting.append(event)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_S)
            waiting, self._waiting = self._waiting, []
            packed = msgpack.packb([[each.kind, each.execution, each.node, each.about] for each in waiting])
            with contextlib.suppress(RedisError, OSError):
                await self._redis.publish(
                    self._names.events, self._sealer.seal(PURPOSE, cast("bytes", packed))
                )


class Listener:
    """At an API process."""

    def __init__(self, redis: Redis, names: Names, sealer: Sealer, events: Events) -> None:
        self._sealer = sealer
        self._events = events
        self._subscription = Subscription(redis, names.events, self._take)

    def start(self) -> None:
        self._subscription.start()

    async def close(self) -> None:
        await self._subscription.close()

    async def _take(self, sealed: bytes) -> None:
        try:
            found: Any = msgpack.unpackb(self._sealer.open(PURPOSE, sealed))
        except (ClusterMismatch, ValueError) as error:
            log.warning("cluster.message_refused", reason=str(error))
            return
        for kind, execution, node, about in found:
            self._events.tell(execution, kind, node, **about)
