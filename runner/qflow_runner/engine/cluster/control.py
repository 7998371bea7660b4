"""What a worker is told beside the queues, so that it hears it also when it has no room: to end a run, or to answer."""

from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis

from qflow_runner.engine.cluster.messages import Message, unpack
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.sealing import Sealer
from qflow_runner.engine.cluster.subscription import Subscription
from qflow_runner.errors import ClusterMismatch

log = structlog.get_logger()


class Control:
    def __init__(
        self,
        redis: Redis,
        names: Names,
        sealer: Sealer,
        worker: str,
        told: Callable[[Message], Awaitable[None]],
    ) -> None:
        self._sealer = sealer
        self._told = told
        self._subscription = Subscription(redis, names.control(worker), self._take)

    def start(self) -> None:
        self._subscription.start()

    async def close(self) -> None:
        await self._subscription.close()

    async def _take(self, sealed: bytes) -> None:
        try:
            message = unpack(self._sealer.open("control", sealed))
        except ClusterMismatch as error:
            log.warning("cluster.message_refused", reason=error.detail)
            return
        await self._told(message)
