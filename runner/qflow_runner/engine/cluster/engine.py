"""Workers make the runs. This process hands each to the worker at which its execution is at home, or to any.

Everything that it knows is in Redis, the database and the shared directory: any number of such processes may stand
behind a load balancer.
"""

import asyncio
import itertools
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import structlog

from qflow_runner.admission import Admission
from qflow_runner.background import end
from qflow_runner.blobs import shared_blobs
from qflow_runner.engine.cluster.bodies import Bodies
from qflow_runner.engine.cluster.broker import Publisher, celery_app
from qflow_runner.engine.cluster.caller import ASK_S, Caller
from qflow_runner.engine.cluster.condition import queue_health, workers_health
from qflow_runner.engine.cluster.handing import Handing
from qflow_runner.engine.cluster.identity import agree, identify
from qflow_runner.engine.cluster.members import Members
from qflow_runner.engine.cluster.messages import PROTOCOL, Body, Message, answer_of, pack
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.pending import NeverBegun, Watch
from qflow_runner.engine.cluster.redis import client, close, speaking
from qflow_runner.engine.cluster.relay import Listener
from qflow_runner.engine.cluster.scripts import Scripts
from qflow_runner.engine.cluster.sealing import Sealer
from qflow_runner.engine.model import RETENTION, Answers
from qflow_runner.errors import Busy, ClusterMismatch, NoWorkers, QflowError, QueueUnavailable
from qflow_runner.files import Spill
from qflow_runner.keys import Keys
from qflow_runner.observe import levels
from qflow_runner.observe.events import Events
from qflow_runner.run import RunAnswer, RunRequest
from qflow_runner.sandbox.backend import Health
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.streams import BodyStream
from qflow_runner.settings import Settings

log = structlog.get_logger()

LOOK_S = 1.0
ALIVE_MS = 30_000
"""How long this process counts as there without a word of it: what it asked for is not begun after that."""
AHEAD = 2
"""Runs that are handed over, for each place of a worker: executions have homes, so one worker may be full while another waits."""
JOBS = {RETENTION: 3600.0}
"""What is done once for the whole cluster in so many seconds."""
LONG_S = {"packages.upgrade": 1800.0, "packages.lock": 600.0, "packages.accept": 1800.0}
"""Calls that may install packages."""


class ClusterEngine:
    local = False

    def __init__(
        self, settings: Settings, keys: Keys, events: Events, store: Spill, admission: Admission
    ) -> None:
        """`store` is where large items lie; `admission` lets in what the workers can make at once."""
        assert settings.redis_url is not None  # noqa: S101 - the settings were held to it
        url = settings.redis_url.get_secret_value()
        self._settings = settings
        self._keys = keys
        self._shared = shared_blobs(settings)
        self._admission = admission
        self._names = Names(settings.cluster)
        self._sealer = Sealer(keys, settings.cluster)
        self._redis = client(url)
        self._bodies = Bodies(store)
        self._caller = Caller(self._redis, client(url), self._names, self._sealer, self._bodies)
        self._publisher = Publisher(celery_app(url, self._names))
        self._members = Members(self._redis, self._names)
        lost_s = settings.worker_lost_s
        self._watch = Watch(self._caller.id, Scripts(self._redis, self._names), self._members, lost_s)
        self._listener = Listener(client(url), self._names, self._sealer, events)
        self._handing = Handing(
            self._redis,
            self._names,
            self._sealer,
            caller=self._caller,
            publisher=self._publisher,
            members=self._members,
            watch=self._watch,
        )
        self._turn = itertools.count()
        self._identity = ""
        self._refused: QflowError | None = QueueUnavailable("Redis was not asked yet.")
        self._queued = 0
        self._looking: asyncio.Task[None] | None = None

    @property
    def places(self) -> tuple[int, int] | None:
        workers = len(self._members.taking)
        return self._members.places, self._settings.runs_per_workflow * workers

    async def open(self) -> None:
        """Raises ClusterMismatch where it can be told already that this process does not belong."""
        self._identity = await identify(self._shared, self._keys)
        await self._bodies.open()
        await self._caller.open()
        self._listener.start()
        await self._look()
        self._looking = asyncio.create_task(self._look_on())

    async def close(self) -> None:
        await end([self._looking])
        await self._handing.close()
        await self._listener.close()
        await self._caller.close()
        await self._publisher.close()
        await self._bodies.close()
        await close(self._redis)

    @asynccontextmanager
    async def run(self, request: RunRequest, payload: Payload | BodyStream) -> AsyncGenerator[RunAnswer]:
        self._check()
        body = await self._bodies.put(payload)
        answer: Body | None = None
        try:
            wait_s = max(self._settings.pool_wait_s - request.waited_s, 0.0)
            reply = await self._handing.made(request, body, wait_s)
            if reply.failure is not None:
                raise reply.failure
            answer = reply.body
            if reply.answer is None or answer is None:
                raise ClusterMismatch(f"The worker {reply.worker} sent an answer that is none.")
            yield answer_of(reply.answer, await self._bodies.result(answer))
        except NeverBegun:
            raise self._no_room() from None
        finally:
            await self._bodies.drop(body, answer)

    async def ask(self, call: str, body: bytes, *, execution: str = "") -> bytes:
        self._check()
        workflow, _, name = execution.partition("\n")
        worker = await self._handing.home(workflow, name) if execution else ""
        if not self._members.takes(worker):
            taking = self._members.taking
            if not taking:
                raise self._nobody()
            worker = taking[next(self._turn) % len(taking)].name
        return await self._caller.ask(worker, call, body, LONG_S.get(call, ASK_S))

    async def ask_each(self, call: str, body: bytes = b"") -> Answers:
        self._check()
        workers = [each.name for each in self._members.known.values() if each.understands]
        deadline_s = LONG_S.get(call, ASK_S)
        asked = (self._caller.ask(worker, call, body, deadline_s) for worker in workers)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found: dict[str, bytes | QflowError] = {}
        for worker, answer in zip(workers, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, QflowError):
                raise answer
            found[worker] = answer
        return found

    def health(self) -> Mapping[str, Health]:
        return {
            "queue": queue_health(self._refused, len(self._watch), self._queued),
            "workers": workers_health(self._members, self._nobody()),
        }

    def _check(self) -> None:
        if self._refused is not None:
            raise type(self._refused)(self._refused.detail, hint=self._refused.hint)

    def _nobody(self) -> NoWorkers:
        names = ", ".join(sorted(self._members.gone)[:5])
        return NoWorkers(f"No worker is there{f'; lost: {names}' if names else ''}.")

    def _no_room(self) -> QflowError:
        if not self._members.taking:
            return self._nobody()
        return Busy(
            f"The cluster's {len(self._members.taking)} workers had no room for {self._settings.pool_wait_s:g} s.",
            hint="Try again in a moment, start another worker, or raise QFLOW_WORKER_RUNS or QFLOW_POOL_WAIT_S.",
        )

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        try:
            async with speaking():
                await agree(self._redis, self._names, self._identity)
                await self._redis.set(self._names.api(self._caller.id), b"1", px=ALIVE_MS)
                lost = await self._members.look()
                queued = await self._lengths()
                if lost:
                    log.warning("cluster.workers_gone", workers=lost)
                await self._watch.look(lost, queued)
                await self._begin_jobs()
        except (QueueUnavailable, ClusterMismatch) as error:
            if self._refused is None or self._refused.detail != error.detail:
                log.warning("cluster.away", reason=error.detail, hint=error.hint)
            self._refused = error
            return
        if self._refused is not None:
            log.info("cluster.joined", cluster=self._names.cluster, workers=sorted(self._members.known))
        self._refused = None
        places, of_workflow = self.places or (0, 0)
        self._admission.resize(max(AHEAD * places, 1), max(of_workflow, 1))
        self._measure()

    async def _lengths(self) -> dict[str, int]:
        """Of the queues in which runs of this process may be, and of that of all."""
        shared = self._names.runs(PROTOCOL)
        queues = [shared, *self._watch.queues]
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.llen(self._names.queue_key(queue))
            lengths = dict(zip(queues, await pipe.execute(), strict=True))
        self._queued = lengths[shared]
        return lengths

    async def _begin_jobs(self) -> None:
        """Whoever comes first in a period hands the job to a worker. Raises what the client raises, and QueueUnavailable."""
        for job, every_s in JOBS.items():
            if await self._redis.set(self._names.job(job), self._caller.id, px=int(every_s * 1000), nx=True):
                message = Message(secrets.token_hex(12), "job", self._caller.id, call=job, body=Body(0, b""))
                await self._publisher.send(
                    self._names.runs(PROTOCOL), self._sealer.seal("run", pack(message))
                )

    def _measure(self) -> None:
        taking = self._members.taking
        wanted = sum(len(each.runs) for each in taking) + self._queued + self._admission.waiting
        each = max(self._members.places // len(taking), 1) if taking else self._settings.worker_runs
        levels.CLUSTER_WORKERS.set(len(taking))
        levels.CLUSTER_PLACES.set(self._members.places)
        levels.CLUSTER_QUEUED.set(self._queued)
        levels.CLUSTER_WORKERS_WANTED.set(max(-(-wanted // each), 1))
