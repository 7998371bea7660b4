"""Celery, as the cluster uses it: a queue that all workers share and one for each, acknowledged before anything runs.

Celery is not asynchronous: it publishes in a thread of its own, and consumes in another. A worker takes a message only
when it has room for a run, so what waits is in Redis, where any worker can take it. Replies do not pass through Celery.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from celery import Celery, bootsteps
from celery.worker import state as celery_state
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from qflow_runner.engine.cluster.names import CALL_TASK, Names
from qflow_runner.engine.cluster.redis import away, broker_options, broker_url

log = structlog.get_logger()

JOIN_S = 10.0
AGAIN_S = 0.5


def celery_app(url: str, names: Names) -> Celery:
    app = Celery(names.cluster, broker=broker_url(url), set_as_current=False)
    app.conf.update(
        task_serializer="msgpack",
        accept_content=["msgpack"],
        task_ignore_result=True,
        task_acks_late=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"global_keyprefix": names.broker, **broker_options()},
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


def _queue(name: str) -> Queue:
    """A list of Redis, without the exchanges of other brokers."""
    return Queue(name, Exchange(""), routing_key=name)


class Publisher:
    """Lives in one event loop, which it never blocks."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qflow-publish")
        self._producer: Any = None

    async def send(self, queue: str, message: bytes) -> None:
        """Raises QueueUnavailable: then the message was not taken, or nobody can tell."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._send, queue, message)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _send(self, queue: str, message: bytes) -> None:
        try:
            if self._producer is None:
                self._producer = self._app.amqp.Producer(self._app.connection_for_write())
            self._app.send_task(
                CALL_TASK,
                (message,),
                queue=_queue(queue),
                declare=[],
                producer=self._producer,
                ignore_result=True,
                retry=False,
            )
        except (OperationalError, RedisError, OSError) as error:
            self._hang_up()
            raise away(error) from error

    def _hang_up(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(OperationalError, RedisError, OSError):
                producer.connection.release()

    def _close(self) -> None:
        self._thread.submit(self._hang_up).result()
        self._thread.shutdown()


class Consumer:
    """Takes messages of these queues, each in a thread of its own, as long as there is room.

    `deliver` is called in that thread, must not block, and says whether the message takes a place; `connected` likewise,
    for each new connection.
    """

    def __init__(
        self,
        app: Celery,
        name: str,
        queues: list[str],
        places: int,
        *,
        deliver: Callable[[bytes], bool],
        connected: Callable[[], None],
    ) -> None:
        self._app = app
        self._free = places
        self._open = True
        self._lock = threading.Lock()
        self._deliver = deliver
        self._connected = connected
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        app.task(self._take, name=CALL_TASK, ignore_result=True, acks_late=False)
        app.conf.task_queues = [_queue(each) for each in queues]
        steps: Any = app.steps
        steps["consumer"].add(_room_step(self))
        self._name = name
        self._thread = threading.Thread(target=self._run, name="qflow-consume", daemon=True)

    @property
    def free(self) -> int:
        return self._free

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        celery_state.should_stop = None
        self._thread.start()

    def give_back(self) -> None:
        """A run is over. May be called by any thread."""
        with self._lock:
            self._free += 1
        self._wake()

    def pause(self) -> None:
        """Take nothing more."""
        self._open = False

    def close(self) -> None:
        """Blocks until its thread is over."""
        self._open = False
        celery_state.should_stop = 0
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)
        celery_state.should_stop = None
        os.close(self._wake_read)
        os.close(self._wake_write)

    def has_room(self) -> bool:
        return self._open and self._free > 0

    def listen(self, hub: Any) -> None:
        """Have Celery's loop look again when a place came free: it sleeps, and would not notice."""
        self._connected()
        hub.add_reader(self._wake_read, self._woken)

    def _run(self) -> None:
        self._app.set_current()  # of this thread: parts of Celery ask for that one
        while self._open:
            worker: Any = self._app.WorkController(
                app=self._app,
                hostname=f"{self._app.main}@{self._name}",
                pool_cls="solo",
                concurrency=1,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            )
            # It ends its loop by raising, in whichever thread that is.
            with contextlib.suppress(SystemExit):
                worker.start()
            if self._open:
                # As after a message that is none: others may write to that Redis.
                log.error("cluster.consumer_ended", hint="It is started anew; what Celery said stands above.")
                time.sleep(AGAIN_S)

    def _take(self, message: bytes) -> None:
        if self._deliver(message):
            with self._lock:
                self._free -= 1

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is awake
            os.write(self._wake_write, b"w")

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)


def _room_step(consumer: Consumer) -> type[bootsteps.StartStopStep]:
    class Room(bootsteps.StartStopStep):
        """What Celery's own limit is for pools of processes: no message is taken before there is room for it."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            # Taking a message off the queue is its acknowledgement: at most once, and two calls of Redis less.
            parent.task_consumer.no_ack = True
            qos = parent.task_consumer.channel.qos
            own = qos.can_consume
            qos.can_consume = lambda: consumer.has_room() and own()
            consumer.listen(parent.hub)

    return Room
