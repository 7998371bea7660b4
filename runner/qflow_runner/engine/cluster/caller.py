"""Sends to workers, and takes their replies: each process that waits for some has a list of its own in Redis."""

import asyncio
import secrets
from typing import cast

import structlog
from redis.asyncio import Redis

from qflow_runner.background import end
from qflow_runner.engine.cluster.bodies import Bodies
from qflow_runner.engine.cluster.messages import Body, Message, Reply, pack, unpack_reply
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.redis import close, speaking
from qflow_runner.engine.cluster.sealing import Sealer
from qflow_runner.errors import ClusterMismatch, QueueUnavailable, WorkerLost

log = structlog.get_logger()

LISTEN_S = 3.0
RETRY_S = 0.5
MANY = 64
"""Replies that are taken at once where many are awaited."""
ASK_S = 20.0


class Caller:
    """`replies` is a connection of its own, because it waits in Redis."""

    def __init__(self, redis: Redis, replies: Redis, names: Names, sealer: Sealer, bodies: Bodies) -> None:
        self.id = secrets.token_hex(8)
        self._redis = redis
        self._replies = replies
        self._names = names
        self._sealer = sealer
        self._bodies = bodies
        self._awaited: dict[str, asyncio.Future[Reply]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        await end([self._reading])
        await close(self._replies)

    def expect(self, message: str) -> "asyncio.Future[Reply]":
        """The reply to the message of this id; `forget` it in the end."""
        awaited = asyncio.get_running_loop().create_future()
        self._awaited[message] = awaited
        return awaited

    def forget(self, message: str) -> None:
        self._awaited.pop(message, None)

    async def ask(self, worker: str, call: str, body: bytes, deadline_s: float = ASK_S) -> bytes:
        """What a worker answers to a call that is no run. Raises what it failed with, WorkerLost and QueueUnavailable."""
        message = Message(secrets.token_hex(12), "ask", self.id, call=call, body=await self._bodies.put(body))
        answer: Body | None = None
        awaited = self.expect(message.id)
        try:
            if not await self.control(worker, message):
                raise WorkerLost(f"The worker {worker} does not listen.", hint="Try again: nothing was done.")
            try:
                async with asyncio.timeout(deadline_s):
                    reply = await awaited
            except TimeoutError:
                raise WorkerLost(
                    f"The worker {worker} did not answer within {deadline_s:g} s.",
                    hint="See its log; what it was asked to do may be done.",
                ) from None
            if reply.failure is not None:
                raise reply.failure
            answer = reply.body
            return await self._bodies.whole(answer)
        finally:
            self.forget(message.id)
            await self._bodies.drop(message.body, answer)

    async def control(self, worker: str, message: Message) -> bool:
        """Whether the worker heard it. Raises QueueUnavailable."""
        async with speaking():
            heard = await self._redis.publish(
                self._names.control(worker), self._sealer.seal("control", pack(message))
            )
        return bool(heard)

    async def _read(self) -> None:
        key = self._names.replies(self.id)
        while True:
            try:
                async with speaking():
                    found = await self._replies.blpop([key], timeout=LISTEN_S)
                    if found:
                        self._take(cast("bytes", found[1]))
                    if found and len(self._awaited) > 1:
                        for sealed in await self._replies.lpop(key, MANY) or []:
                            self._take(cast("bytes", sealed))
            except QueueUnavailable as error:
                log.warning("cluster.replies_away", reason=error.detail)
                await asyncio.sleep(RETRY_S)

    def _take(self, sealed: bytes) -> None:
        try:
            reply = unpack_reply(self._sealer.open(f"reply {self.id}", sealed))
        except ClusterMismatch as error:
            log.warning("cluster.message_refused", reason=error.detail)
            return
        awaited = self._awaited.get(reply.id)
        if awaited is None or awaited.done():
            log.info("cluster.reply_late", run=reply.id, worker=reply.worker)
        else:
            awaited.set_result(reply)
