"""A worker: takes runs from the queues, makes them with its own sandboxes, and answers those who asked.

Celery's thread takes a message when there is room; all else happens in the event loop. Before a run is begun, Redis is
asked in one step whether it may be, and whether its execution is at home here.
"""

import asyncio
import platform
import time
from collections.abc import Coroutine
from typing import Any

import structlog

from qflow_runner.background import Background
from qflow_runner.blobs import shared_blobs
from qflow_runner.engine.cluster import messages
from qflow_runner.engine.cluster.bodies import Bodies
from qflow_runner.engine.cluster.broker import Consumer, Publisher, celery_app
from qflow_runner.engine.cluster.caller import Caller
from qflow_runner.engine.cluster.control import Control
from qflow_runner.engine.cluster.membership import Membership
from qflow_runner.engine.cluster.messages import Message, pack_answer, pack_failure, pack_told, request_of
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.redis import client, close, speaking
from qflow_runner.engine.cluster.relay import Teller
from qflow_runner.engine.cluster.scripts import Scripts
from qflow_runner.engine.cluster.sealing import Sealer
from qflow_runner.engine.model import Calls, Engine
from qflow_runner.errors import ClusterMismatch, Internal, QflowError, QueueUnavailable
from qflow_runner.files import Spill
from qflow_runner.keys import Keys
from qflow_runner.observe.events import Events
from qflow_runner.sandbox.backend import Health
from qflow_runner.sessions import Sessions
from qflow_runner.settings import Settings

log = structlog.get_logger()

REPLY_S = 600.0
"""How long a reply waits for its caller, and how long a worker tries to get rid of it."""
RETRY_S = 0.5


class Worker:
    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        identity: str,
        *,
        engine: Engine,
        calls: Calls,
        sessions: Sessions,
        events: Events,
        store: Spill,
    ) -> None:
        """`engine` makes the runs, `calls` answers what else is asked; `store` is where large items lie."""
        assert settings.redis_url is not None  # noqa: S101 - the settings were held to it
        url = settings.redis_url.get_secret_value()
        self.name = f"{platform.node().split('.')[0][:40]}-{identity[:8]}"
        self._settings = settings
        self._keys = keys
        self._shared = shared_blobs(settings)
        self._engine = engine
        self._calls = calls
        self._names = names = Names(settings.cluster)
        self._sealer = Sealer(keys, settings.cluster)
        self._redis = client(url)
        self._bodies = Bodies(store)
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._background = Background()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scripts = Scripts(self._redis, names)
        self._caller = Caller(self._redis, client(url), names, self._sealer, self._bodies)
        self._membership = Membership(
            settings, self._redis, names, self.name, sessions=sessions, running=self._running
        )
        app = celery_app(url, names)
        self._publisher = Publisher(app)
        spoken = range(messages.OLDEST, messages.PROTOCOL + 1)
        self._consumer = Consumer(
            app,
            self.name,
            [names.direct(self.name), *map(names.runs, spoken)],
            settings.worker_runs,
            deliver=self._deliver,
            connected=self._membership.connected,
        )
        self._control = Control(client(url), names, self._sealer, self.name, self._told)
        self._teller = Teller(self._redis, names, self._sealer, events)

    @property
    def running(self) -> int:
        return len(self._running)

    async def open(self) -> None:
        """Raises ClusterMismatch where this process does not belong to the cluster."""
        self._loop = asyncio.get_running_loop()
        await self._bodies.open()
        await self._caller.open()
        await self._membership.open(self._shared, self._keys)
        self._control.start()
        self._consumer.start()
        places = self._settings.worker_runs
        log.info("worker.joined", worker=self.name, cluster=self._names.cluster, places=places)

    async def drain(self, seconds: float) -> bool:
        """Take nothing more, and let what runs finish. Whether that came within this time."""
        self._membership.draining = True
        self._consumer.pause()
        await self._membership.beat()
        try:
            async with asyncio.timeout(seconds):
                await self._background.finish()
        except TimeoutError:
            return False
        return True

    async def leave(self) -> None:
        """Its sandboxes are gone, and what they kept is in the store: others take over."""
        await self._background.end()
        await asyncio.to_thread(self._consumer.close)
        await self._control.close()
        await self._teller.close()
        await self._membership.close()
        await self._caller.close()
        await self._publisher.close()
        await self._bodies.close()
        await close(self._redis)

    def health(self) -> dict[str, Health]:
        away = self._membership.away
        reason = f"{away.detail} {away.hint or ''}".strip() if away else f"{self.name} is a member"
        if not self._consumer.alive:
            return {"queue": Health(ok=False, reason="Celery's loop has ended: restart the worker")}
        return {"queue": Health(ok=away is None, reason=reason)}

    async def elsewhere(self, workflow: str, reference: str) -> None:
        """Have other workers put a value into the store. Who does not answer does not have it."""
        body = f"{workflow}\n{reference}".encode()
        others = [name for name in self._membership.members.known if name != self.name]
        asked = (self._caller.ask(name, "values.spill", body) for name in others)
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, BaseException) and not isinstance(answer, QflowError):
                raise answer

    def _deliver(self, sealed: bytes) -> bool:
        """In Celery's thread. Whether it takes a place."""
        try:
            message = messages.unpack(self._sealer.open("run", sealed))
        except ClusterMismatch as error:
            log.warning("cluster.message_refused", reason=error.detail, hint=error.hint)
            return False
        if self._loop is None:
            return False
        work = self._taken(message, sealed) if message.kind == "run" else self._job(message)
        self._loop.call_soon_threadsafe(self._background.start, work)
        return message.kind == "run"

    async def _job(self, message: Message) -> None:
        """Nobody waits for it; the next period brings it again."""
        try:
            await self._called(message)
        except QflowError as error:
            log.warning("job.failed", job=message.call, reason=error.detail)
        else:
            log.info("job.done", job=message.call)

    async def _taken(self, message: Message, sealed: bytes) -> None:
        try:
            if await self._may_begin(message, sealed):
                await self._make(message)
        finally:
            self._consumer.give_back()

    async def _may_begin(self, message: Message, sealed: bytes) -> bool:
        """Its caller gives it up meanwhile where Redis stays away."""
        home = str((message.about or {}).get("home"))
        until = time.monotonic() + REPLY_S
        while time.monotonic() < until:
            await self._membership.looked.wait()
            try:
                async with speaking():
                    verdict, who = await self._scripts.claim(
                        message, home, self.name, self._membership.home_ms
                    )
                if verdict == "elsewhere":
                    await self._publisher.send(self._names.direct(who), sealed)
            except QueueUnavailable as error:
                log.warning("run.not_claimed", run=message.id, reason=error.detail)
                await asyncio.sleep(RETRY_S)
                continue
            if verdict == "void":
                log.info("run.void", run=message.id, reason=who)
            return verdict == "go"
        return False

    async def _make(self, message: Message) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is one
        self._running[message.id] = task
        try:
            await self._reply(message, await self._tried(message, self._answer(message)))
        finally:
            del self._running[message.id]

    async def _answer(self, message: Message) -> bytes:
        if message.about is None or message.body is None:
            raise ClusterMismatch("A run came without its request.")
        request = request_of(message.about["request"])
        payload = await self._bodies.get(message.body)
        async with self._engine.run(request, payload) as answer:
            return pack_answer(message.id, self.name, answer, await self._bodies.put(answer.payload))

    async def _told(self, message: Message) -> None:
        """By the control channel: to end a run, or to answer."""
        if message.kind == "cancel":
            task = self._running.get(message.id)
            if task is not None:
                task.cancel()
        elif message.kind == "ask":
            self._background.start(self._asked(message))

    async def _asked(self, message: Message) -> None:
        await self._reply(message, await self._tried(message, self._told_back(message)))

    async def _told_back(self, message: Message) -> bytes:
        return pack_told(message.id, self.name, await self._bodies.put(await self._called(message)))

    async def _called(self, message: Message) -> bytes:
        call = self._calls.get(message.call)
        if call is None:
            raise ClusterMismatch(
                f"This worker knows no call {message.call[:40]}: it is older than who asks."
            )
        return await call(await self._bodies.whole(message.body))

    async def _tried(self, message: Message, work: Coroutine[Any, Any, bytes]) -> bytes:
        """The reply: what the work gives, or what it failed with. Here is the edge, as it is for the API's calls."""
        try:
            return await work
        except QflowError as error:
            return pack_failure(message.id, self.name, error)
        except Exception:
            log.exception("message.failed", message=message.id, call=message.call)
            return pack_failure(message.id, self.name, Internal("The worker made a mistake."))

    async def _reply(self, message: Message, reply: bytes) -> None:
        key = self._names.replies(message.api)
        sealed = self._sealer.seal(f"reply {message.api}", reply)
        until = time.monotonic() + REPLY_S
        while time.monotonic() < until:
            try:
                async with speaking(), self._redis.pipeline(transaction=False) as pipe:
                    pipe.rpush(key, sealed)
                    pipe.pexpire(key, int(REPLY_S * 1000))
                    await pipe.execute()
                    return
            except QueueUnavailable as error:
                log.warning("run.not_answered", reason=error.detail)
                await asyncio.sleep(RETRY_S)
