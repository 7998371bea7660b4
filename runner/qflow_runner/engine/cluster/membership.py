"""A worker's place in the cluster: it says what it does, hears of the others, and keeps the homes of its executions."""

import asyncio
import platform
import threading
import time
from collections.abc import Mapping

import structlog
from redis.asyncio import Redis

from qflow_runner import __version__
from qflow_runner.background import end
from qflow_runner.blobs import Blobs
from qflow_runner.engine.cluster import messages
from qflow_runner.engine.cluster.identity import agree, identify
from qflow_runner.engine.cluster.members import Member, Members, told
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.redis import speaking
from qflow_runner.engine.cluster.scripts import CLAIM_MS, Scripts
from qflow_runner.errors import ClusterMismatch, QflowError, QueueUnavailable
from qflow_runner.keys import Keys
from qflow_runner.sessions import Sessions
from qflow_runner.settings import Settings

log = structlog.get_logger()

HOME_LEAST_S = 60.0
BEAT_MOST_S = 2.5
SOON_S = 0.2


class Membership:
    """`running` has the runs that are made just now, by their ids."""

    def __init__(
        self,
        settings: Settings,
        redis: Redis,
        names: Names,
        name: str,
        *,
        sessions: Sessions,
        running: Mapping[str, object],
    ) -> None:
        self.members = Members(redis, names)
        self.away: QflowError | None = None
        self.draining = False
        self.looked = asyncio.Event()
        """Set once Redis was looked at over the connection by which messages come: no run is begun before."""
        self._settings = settings
        self._redis = redis
        self._names = names
        self._name = name
        self._sessions = sessions
        self._running = running
        self._scripts = Scripts(redis, names)
        self._identity = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._connections = 0
        self._beating: asyncio.Task[None] | None = None

    @property
    def home_ms(self) -> int:
        """How long an execution is at home without a word of its worker."""
        return int(max(4 * self._settings.worker_lost_s, HOME_LEAST_S) * 1000)

    async def open(self, shared: Blobs | None, keys: Keys) -> None:
        """Raises ClusterMismatch where this process does not belong to the cluster."""
        self._loop = asyncio.get_running_loop()
        self._identity = await identify(shared, keys)
        await self.beat()
        if isinstance(self.away, ClusterMismatch):
            raise self.away
        self._beating = asyncio.create_task(self._beat_on())

    async def close(self) -> None:
        """It is gone for the others, and what waits for it goes to the queue of all."""
        await end([self._beating])
        own = self._names.queue_key(self._names.direct(self._name))
        shared = self._names.queue_key(self._names.runs(messages.PROTOCOL))
        try:
            async with speaking():
                await self._redis.delete(self._names.worker(self._name))
                await self._redis.srem(self._names.workers, self._name)
                while await self._redis.lmove(own, shared, "RIGHT", "LEFT") is not None:
                    continue
        except QueueUnavailable as error:
            log.warning("worker.left_without_a_word", reason=error.detail)

    def connected(self) -> None:
        """By any thread: messages come over a new connection, and Redis may be another than before."""
        with self._lock:
            self._connections += 1
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.looked.clear)

    async def beat(self) -> None:
        connections = self._connections
        try:
            async with speaking():
                await agree(self._redis, self._names, self._identity)
                await self._tell()
                await self.members.look()
                await self._keep_homes()
        except (QueueUnavailable, ClusterMismatch) as error:
            if self.away is None or self.away.detail != error.detail:
                log.warning("cluster.away", reason=error.detail, hint=error.hint)
            self.away = error
            return
        if self.away is not None:
            log.info("cluster.joined", cluster=self._names.cluster)
        self.away = None
        if connections == self._connections:
            self.looked.set()

    async def _beat_on(self) -> None:
        every_s, last = min(self._settings.worker_lost_s / 4, BEAT_MOST_S), time.monotonic()
        while True:
            await asyncio.sleep(every_s if self.looked.is_set() else min(SOON_S, every_s))
            now = time.monotonic()
            if now - last > self._settings.worker_lost_s:
                log.warning("worker.stalled", seconds=round(now - last, 1))
            await self.beat()
            last = time.monotonic()

    async def _tell(self) -> None:
        member = Member(
            self._name,
            self._settings.worker_runs,
            list(self._running),
            version=__version__,
            python=platform.python_version(),
            clock=time.time(),
            draining=self.draining,
        )
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(
                self._names.worker(self._name), told(member), px=int(self._settings.worker_lost_s * 1000)
            )
            pipe.sadd(self._names.workers, self._name)
            for run in self._running:
                pipe.set(self._names.claim(run), self._name, px=CLAIM_MS)
            await pipe.execute()

    async def _keep_homes(self) -> None:
        homes = {self._names.home(*each): each for each in self._sessions.executions}
        for lost in await self._scripts.keep(list(homes), self._name, self.home_ms):
            workflow, execution = homes[lost]
            log.warning("execution.at_home_elsewhere", workflow=workflow, execution=execution)
            self._sessions.disown(workflow, execution)
