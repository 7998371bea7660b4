"""Hands a run to the worker at which its execution is at home, or to any, and waits for the reply."""

import asyncio
import secrets
import time
from collections import OrderedDict
from typing import Any, cast

import structlog
from redis.asyncio import Redis

from qflow_runner.background import Background
from qflow_runner.engine.cluster.broker import Publisher
from qflow_runner.engine.cluster.caller import Caller
from qflow_runner.engine.cluster.members import Members
from qflow_runner.engine.cluster.messages import PROTOCOL, Body, Message, Reply, pack, request_form
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.pending import NeverBegun, Pending, Watch
from qflow_runner.engine.cluster.redis import speaking
from qflow_runner.engine.cluster.scripts import Scripts
from qflow_runner.engine.cluster.sealing import Sealer
from qflow_runner.errors import QueueUnavailable
from qflow_runner.run import RunRequest

log = structlog.get_logger()

HOMES = 10_000
"""Executions of which this process remembers where they are at home; Redis knows the others."""


class Handing:
    def __init__(
        self,
        redis: Redis,
        names: Names,
        sealer: Sealer,
        *,
        caller: Caller,
        publisher: Publisher,
        members: Members,
        watch: Watch,
    ) -> None:
        self._redis = redis
        self._names = names
        self._sealer = sealer
        self._caller = caller
        self._publisher = publisher
        self._members = members
        self._watch = watch
        self._scripts = Scripts(redis, names)
        self._homes: OrderedDict[str, str] = OrderedDict()
        self._background = Background()

    async def close(self) -> None:
        await self._background.finish()

    async def made(self, request: RunRequest, body: Body, wait_s: float) -> Reply:
        """The reply of the worker that made it. Raises NeverBegun where none had begun it after `wait_s`."""
        home = self._names.home(request.workflow, request.execution)
        until = time.monotonic() + wait_s
        form = request_form(request)
        try:
            return await self._sent(form, body, home, until)
        except NeverBegun as never:
            if never.waited:
                raise
        log.info("run.again", sent=False, workflow=request.workflow, execution=request.execution)
        return await self._sent(form, body, home, until)

    async def home(self, workflow: str, execution: str) -> str:
        """The worker at which an execution is at home; empty where it has none. Raises QueueUnavailable."""
        return await self._home_of(self._names.home(workflow, execution))

    async def _sent(self, form: dict[str, Any], body: Body, home: str, until: float) -> Reply:
        worker = await self._home_of(home)
        if not self._members.takes(worker):
            worker = ""
        epoch = self._members.epoch
        run = secrets.token_hex(12)
        about = {"request": form, "home": home}
        message = Message(run, "run", self._caller.id, epoch, about=about, body=body)
        queue = self._names.direct(worker) if worker else self._names.runs(PROTOCOL)
        pending = Pending(run, queue, worker, epoch, time.monotonic(), until, self._caller.expect(run))
        self._watch.add(pending)
        try:
            await self._publisher.send(queue, self._sealer.seal("run", pack(message)))
            reply = await pending.reply
            self._remember(home, reply.worker)
            return reply
        except (asyncio.CancelledError, QueueUnavailable):
            self._background.start(self._give_up(pending))
            raise
        finally:
            self._watch.remove(pending)
            self._caller.forget(run)

    async def _give_up(self, pending: Pending) -> None:
        """Nobody waits any more: it is not begun, or what has begun is ended."""
        try:
            async with speaking():
                who = await self._scripts.void(pending.id, self._caller.id, pending.epoch)
            if who not in {"", "?", self._caller.id}:
                await self._caller.control(who, Message(pending.id, "cancel", self._caller.id))
        except QueueUnavailable as error:
            log.warning("run.not_cancelled", run=pending.id, reason=error.detail)

    async def _home_of(self, home: str) -> str:
        """Who is not at home there hands it on, so that what is remembered need not be the newest."""
        known = self._homes.get(home)
        if known is not None and self._members.takes(known):
            return known
        async with speaking():
            found = await self._redis.get(home)
        return cast("bytes", found).decode().rpartition("|")[0] if found else ""

    def _remember(self, home: str, worker: str) -> None:
        if worker:
            self._homes[home] = worker
            self._homes.move_to_end(home)
        if len(self._homes) > HOMES:
            self._homes.popitem(last=False)
