"""n8n in queue mode, with two workers: nodes run in the workers' processes, and all that a node does works there."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lab import cache, parts
from lab import redis as lab_redis
from lab.errors import RequestFailedError
from lab.hooks import with_hooks
from lab.n8n_queue import Queue, queue_mode
from lab.postgres import postgres_bin, running_postgres
from lab.redis import RedisServer
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE, Node, Workflow, chain, node, qflow, webhooks, with_credential

SLOW = "import time\ndef slow(n: int) -> dict:\n    time.sleep(0.3)\n    return {'n': 2 * n}"
KEEP = "class Box:\n    def __init__(self, n): self.n = n\ndef keep(n: int) -> Box:\n    return Box(n)"
READ = "def read(value) -> dict:\n    return {'read': value.n + 1}"
BYTES = "def made(n: int) -> bytes:\n    return b'x' * n"
LENGTH = (
    "from qflow import File\ndef length(data: File) -> dict:\n    return {'bytes': len(data.read_bytes())}"
)
LIST = "def texts(n: int) -> list[str]:\n    return ['a'] * n"
NUMBER = "def number(value: int) -> int:\n    return value"
LONG = "import time\ndef long(n: int) -> int:\n    time.sleep(60)\n    return n"


@dataclass
class Queued:
    runner: Runner
    queue: Queue
    credential: dict[str, str]

    async def save(self, workflow: Workflow) -> Workflow:
        return await self.queue.main.api.create_workflow(with_credential(workflow, self.credential))

    async def published(self, name: str, *nodes: Node) -> str:
        """The path of its webhook, which answers with what the last node gives."""
        workflow = await self.save(chain(name, [hook(name), *nodes]))
        await self.queue.main.api.activate(workflow)
        return webhooks(workflow)[0][0]


@pytest.fixture(scope="module", name="queued")
async def _queued(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Queued]:
    if postgres_bin() is None:
        await cache.run_script("postgres.sh")
    await lab_redis.install()
    await parts.install()
    await cache.run_script("engine.sh")
    await parts.build_image()
    folder = tmp_path_factory.mktemp("queue")
    (folder / "redis").mkdir()
    async with running_postgres() as postgres:
        database = await postgres.create("n8n")
        redis = await RedisServer.start(folder / "redis")
        runner = await Runner.start(folder / "runner", "docker")
        try:
            env = with_hooks(folder / "hooks", runner)
            async with queue_mode(folder, redis, database, workers=2, env=env) as queue:
                api = queue.main.api
                credential = await api.create_credential("Qflow runner", CREDENTIAL_TYPE, runner.credential)
                yield Queued(runner, queue, credential)
        finally:
            await runner.stop()
            await redis.stop()


async def test_webhooks_are_run_by_both_workers(queued: Queued) -> None:
    """Many at once, each with its own result, and afterwards no session is left: the hook file works in workers."""
    path = await queued.published("many", qflow("Slow", SLOW, {"n": "={{ $json.body.n }}"}))

    answers = await asyncio.gather(*(queued.queue.main.api.webhook(path, {"n": n}) for n in range(24)))

    assert [(200, {"n": 2 * n}) for n in range(24)] == answers
    taken = [worker.executions for worker in queued.queue.workers]
    assert all(taken), taken
    await until(lambda: _sessions(queued, 0))


async def test_a_live_object_goes_from_node_to_node_of_a_worker(queued: Queued) -> None:
    """By reference, as where n8n does all itself."""
    path = await queued.published(
        "object", qflow("Keep", KEEP, {"n": "={{ $json.body.n }}"}), qflow("Read", READ)
    )

    assert [(200, {"read": n + 1}) for n in range(6)] == await asyncio.gather(
        *(queued.queue.main.api.webhook(path, {"n": n}) for n in range(6))
    )


async def test_binary_data_goes_from_node_to_node(queued: Queued) -> None:
    """n8n keeps it in its database then, because workers share no disk."""
    path = await queued.published(
        "binary", qflow("Made", BYTES, {"n": "={{ $json.body.n }}"}), qflow("Length", LENGTH)
    )

    assert (200, {"bytes": 300_000}) == await queued.queue.main.api.webhook(path, {"n": 300_000})


async def test_an_incompatible_link_is_refused_on_publishing_and_before_a_run(queued: Queued) -> None:
    """On the main process, and at the worker that is given the run."""
    workflow = await queued.save(
        chain("refused", [hook("refused"), qflow("List", LIST, {"n": 2}), qflow("Number", NUMBER)])
    )
    with pytest.raises(RequestFailedError, match=r"'List' gives .*'Number' takes"):
        await queued.queue.main.api.activate(workflow)

    manual = chain(
        "refused by hand",
        [node("Start", "manualTrigger"), qflow("List", LIST, {"n": 2}), qflow("Number", NUMBER)],
    )
    saved = await queued.save(manual)
    try:
        execution = await queued.queue.main.api.run_step(saved, "Number")
    except RequestFailedError as error:
        told = str(error)
    else:
        told = str(execution.error)
    assert "'List' gives" in told, told


async def test_a_worker_that_is_killed_leaves_no_run_behind(queued: Queued) -> None:
    """The code ends with the connection of its caller; the other worker goes on."""
    path = await queued.published("long", qflow("Long", LONG, {"n": 1}, alwaysOutputData=True))
    call = asyncio.create_task(queued.queue.main.api.webhook(path, {}))
    before = [worker.executions for worker in queued.queue.workers]
    await until(lambda: _busy(queued, 1))
    (killed,) = [
        worker
        for worker, known in zip(queued.queue.workers, before, strict=True)
        if worker.executions - known
    ]

    os.kill(killed.process.pid, signal.SIGKILL)

    await until(lambda: _busy(queued, 0))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    path = await queued.published("after", qflow("Slow", SLOW, {"n": "={{ $json.body.n }}"}))
    assert (200, {"n": 6}) == await queued.queue.main.api.webhook(path, {"n": 3})


def hook(name: str) -> Node:
    parameters: dict[str, Any] = {
        "httpMethod": "POST",
        "path": f"queue-{name}".replace(" ", "-"),
        "responseMode": "lastNode",
    }
    return {**node("Webhook", "webhook", parameters, version=2), "webhookId": f"queue-{name}"}


async def until(true: Callable[[], Any], deadline_s: float = 30) -> None:
    async with asyncio.timeout(deadline_s):
        while not await true():
            await asyncio.sleep(0.1)  # what happens in other processes has no event here


async def _sessions(queued: Queued, count: int) -> bool:
    return count == sum(each["sessions"] for each in await queued.runner.sandboxes())


async def _busy(queued: Queued, count: int) -> bool:
    return count == sum(each["leases"] for each in await queued.runner.sandboxes())
