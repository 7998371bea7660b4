"""What is lost in a cluster, and what is not: no run is made twice, and none ends without a sentence that says so."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from lab.redis import RedisServer
from tests.cluster.cluster import Cluster, WorkerProcess, until
from tests.cluster.test_runs import COUNT, KEEP, READ
from tests.faults.runner import RunnerProcess

SLEEP = """
import os, time
def work(mark: str, seconds: float) -> int:
    with open(mark, "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(seconds)
    return 1
"""


async def both(cluster: Cluster, **settings: Any) -> tuple[RunnerProcess, WorkerProcess, WorkerProcess]:
    workers = [await cluster.worker(**settings) for _ in range(2)]
    api = await cluster.api(ready=True)
    await until(lambda: _workers(api, 2))
    return api, *workers


async def test_a_worker_killed_in_the_middle_of_code_costs_its_runs_and_no_others(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The code may have done half of its work: its caller hears of it, and it is not done again."""
    api, first, second = await both(cluster, time_limit_s=60)
    mark = tmp_path / "mark"
    run = asyncio.create_task(api.client.run(SLEEP, [{"mark": str(mark), "seconds": 20}]))
    await until(mark.exists)
    at, other = await _home_of(api, [first, second])

    await at.kill()
    status, problem = await asyncio.wait_for(run, 15)

    assert (502, "worker_lost", "sandbox") == (status, problem["code"], problem["category"])
    assert at.name in problem["detail"]
    assert [{"value": 2}] == await api.client.values("def f() -> int:\n    return 2", execution="next")
    assert 1 == len(mark.read_text().splitlines())
    assert not other.log or all(each.get("outcome") == "ok" for each in other.runs())


async def test_runs_that_a_killed_worker_had_not_begun_are_made_by_another(
    cluster: Cluster, tmp_path: Path
) -> None:
    """They wait in the queue of the worker at which their execution was at home."""
    api, first, second = await both(cluster, worker_runs=1, time_limit_s=60)
    late = await cluster.api(ready=True)
    mark = tmp_path / "mark"
    busy = asyncio.create_task(api.client.run(SLEEP, [{"mark": str(mark), "seconds": 30}], execution="e"))
    await until(mark.exists)
    at, other = await _home_of(api, [first, second])
    waiting = [asyncio.create_task(late.client.values(COUNT, execution="e")) for _ in range(2)]
    await until(lambda: _queued(cluster, at.name, 2))

    await at.kill()

    assert "worker_lost" == (await busy)[1]["code"]
    found = [each[0]["calls"] for each in await asyncio.gather(*waiting)]
    assert [1, 2] == sorted(found)
    assert 2 == len(other.runs())


async def test_a_worker_that_stalls_gives_its_executions_up(cluster: Cluster, tmp_path: Path) -> None:
    """Meanwhile another one has them; back again, it hands on what reaches it, and keeps no second session."""
    api, first, second = await both(cluster)
    before = (await api.client.values(COUNT))[0]["pid"]
    at, other = await _home_of(api, [first, second])

    at.signal(signal.SIGSTOP)
    await until(lambda: _workers(api, 1))
    [there] = await api.client.values(COUNT)
    at.signal(signal.SIGCONT)
    await until(lambda: _workers(api, 2))
    await at.event("execution.at_home_elsewhere", 20)
    again = [(await api.client.values(COUNT))[0] for _ in range(3)]

    assert there["pid"] != before
    assert {there["pid"]} == {each["pid"] for each in again}
    assert [2, 3, 4] == [each["calls"] for each in again]
    await until(lambda: len(other.runs()) == 4)


async def test_a_worker_that_is_stopped_hands_over_what_its_sessions_hold(cluster: Cluster) -> None:
    """Scale-down: what runs ends, live objects move to the shared directory, and the execution goes on elsewhere."""
    api, first, second = await both(cluster, time_limit_s=60)
    _, kept = await api.client.run(KEEP, [{"n": 41}], keep=True, output="reference")
    item = kept["items"][0]["json"]
    at, other = await _home_of(api, [first, second])
    slow = "import time\ndef f() -> int:\n    time.sleep(2)\n    return 1"
    running = asyncio.create_task(api.client.values(slow))
    await until(lambda: _busy(api, at.name))

    at.signal(signal.SIGTERM)
    assert [{"value": 1}] == await running
    assert 0 == await at.ended()
    assert [{"value": 42}] == await api.client.values(READ, [item])

    assert 1 == len(other.runs())
    assert "worker_lost" not in str(api.log)


async def test_runs_that_wait_for_a_worker_that_stops_move_on(cluster: Cluster) -> None:
    """What is in its own queue when it leaves is made by those who stay."""
    api, first, second = await both(cluster, worker_runs=1, time_limit_s=60)
    late = await cluster.api(ready=True)
    await api.client.values(COUNT)
    at, other = await _home_of(api, [first, second])
    slow = "import time\ndef f() -> int:\n    time.sleep(2)\n    return 1"
    running = asyncio.create_task(api.client.values(slow))
    await until(lambda: _busy(api, at.name))
    waiting = [asyncio.create_task(late.client.values(COUNT)) for _ in range(2)]
    await until(lambda: _queued(cluster, at.name, 2))

    at.signal(signal.SIGTERM)

    assert [{"value": 1}] == await running
    assert [1, 2] == sorted(each[0]["calls"] for each in await asyncio.gather(*waiting))
    assert 0 == await at.ended()
    assert 2 == len(other.runs())


async def test_a_restarted_redis_costs_what_it_had_and_nothing_is_made_twice(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Without persistence: what ran is answered, what waited in it has a sentence, and all goes on by itself."""
    api, *_ = await both(cluster, worker_runs=1, time_limit_s=60)
    late = await cluster.api(ready=True)
    marks = [tmp_path / f"mark{n}" for n in range(2)]
    running = [
        asyncio.create_task(
            api.client.run(SLEEP, [{"mark": str(mark), "seconds": 6}], workflow=f"w{n}", execution=f"e{n}")
        )
        for n, mark in enumerate(marks)
    ]
    await until(lambda: all(mark.exists() for mark in marks))
    third = tmp_path / "mark2"
    waiting = asyncio.create_task(
        late.client.run(SLEEP, [{"mark": str(third), "seconds": 0}], workflow="w2", execution="e2")
    )
    async with _redis(cluster) as redis:
        await until(lambda: _length(redis, "qflow:qflow:broker:runs.1", 1))

    await _restart(cluster)

    answers = [await asyncio.wait_for(each, 40) for each in running]
    assert [200, 200] == [status for status, _ in answers], answers
    status, problem = await asyncio.wait_for(waiting, 40)
    assert status in {200, 502, 503}, problem
    assert status == 200 or problem["code"] in {"reply_lost", "queue_unavailable", "busy"}, problem
    await until(lambda: _workers(api, 2))
    assert [{"value": 3}] == await api.client.values("def f() -> int:\n    return 3", execution="after")
    assert [1, 1] == [len(mark.read_text().splitlines()) for mark in marks]
    assert not third.exists() or 1 == len(third.read_text().splitlines())


async def test_while_redis_is_away_runs_are_refused_with_the_reason(cluster: Cluster) -> None:
    """And /readyz says it; both are well again without a restart."""
    await cluster.worker()
    api = await cluster.api(ready=True)
    port, password = cluster.redis.port, cluster.redis.password
    await cluster.redis.kill()
    await until(lambda: _part(api, "queue", ok=False))

    status, problem = await api.client.run("def f() -> int:\n    return 3")
    _, told = await api.client.call("GET", "/readyz")

    assert (503, "queue_unavailable", "unavailable") == (status, problem["code"], problem["category"])
    assert "QFLOW_REDIS_URL" in problem["hint"]
    assert not told["ready"]
    cluster.redis = await RedisServer.start(cluster.folder / "redis", port=port, password=password)
    await until(lambda: _workers(api, 1))
    assert [{"value": 3}] == await api.client.values("def f() -> int:\n    return 3")


async def test_a_worker_cut_off_from_redis_is_lost_and_comes_back(cluster: Cluster, tmp_path: Path) -> None:
    """Its run goes on, and its late reply finds nobody; what its callers heard stays true."""
    proxy = await Proxy.start(cluster.redis.port)
    url = cluster.redis.url.replace(f":{cluster.redis.port}/", f":{proxy.port}/")
    worker = await cluster.worker(redis_url=url, time_limit_s=60)
    api = await cluster.api(ready=True)
    mark = tmp_path / "mark"
    run = asyncio.create_task(api.client.run(SLEEP, [{"mark": str(mark), "seconds": 5}]))
    await until(mark.exists)

    proxy.cut()
    status, problem = await asyncio.wait_for(run, 15)
    assert (502, "worker_lost") == (status, problem["code"])
    _, told = await api.client.call("GET", "/readyz")
    assert worker.name in told["parts"]["workers"]["reason"]
    proxy.mend()
    await until(lambda: _workers(api, 1))

    assert [{"value": 3}] == await api.client.values("def f() -> int:\n    return 3", execution="after")
    assert 1 == len(mark.read_text().splitlines())
    await worker.stop()
    await proxy.close()


async def test_a_run_that_is_lost_on_its_way_is_handed_over_again(cluster: Cluster, tmp_path: Path) -> None:
    """Taken off the queue by a connection that a network had cut: nobody began it."""
    worker = await cluster.worker(worker_runs=1)
    api = await cluster.api(ready=True)
    late = await cluster.api(ready=True)
    mark = tmp_path / "mark"
    busy = asyncio.create_task(api.client.run(SLEEP, [{"mark": str(mark), "seconds": 8}], execution="busy"))
    await until(mark.exists)
    lost = asyncio.create_task(
        late.client.values("def f() -> int:\n    return 3", workflow="w2", execution="e2")
    )
    async with _redis(cluster) as redis:
        key = "qflow:qflow:broker:runs.1"
        await until(lambda: _length(redis, key, 1))
        assert await redis.rpop(key)

    assert 200 == (await busy)[0]
    assert [{"value": 3}] == await lost
    assert 2 == len(worker.runs())
    assert any(each["event"] == "run.again" for each in late.log)


async def test_a_message_that_is_delivered_twice_is_made_once(cluster: Cluster, tmp_path: Path) -> None:
    """Also when it comes to another worker, as after a fault of the queue."""
    api, *workers = await both(cluster, worker_runs=1)
    late = await cluster.api(ready=True)
    marks = [tmp_path / f"mark{n}" for n in range(2)]
    busy = [
        asyncio.create_task(
            api.client.run(SLEEP, [{"mark": str(mark), "seconds": 2}], workflow=f"w{n}", execution=f"e{n}")
        )
        for n, mark in enumerate(marks)
    ]
    await until(lambda: all(mark.exists() for mark in marks))
    third = tmp_path / "mark2"
    waiting = asyncio.create_task(
        late.client.run(SLEEP, [{"mark": str(third), "seconds": 1}], workflow="w2", execution="e2")
    )
    async with _redis(cluster) as redis:
        key = "qflow:qflow:broker:runs.1"
        await until(lambda: _length(redis, key, 1))
        [message] = await redis.lrange(key, 0, -1)
        await redis.lpush(key, message, message)

    assert 200 == (await waiting)[0]
    assert [200, 200] == [status for status, _ in await asyncio.gather(*busy)]
    await until(lambda: 2 == sum(each["event"] == "run.void" for worker in workers for each in worker.log))
    assert 1 == len(third.read_text().splitlines())


async def test_a_caller_that_hangs_up_ends_its_run(cluster: Cluster, tmp_path: Path) -> None:
    """Begun or not."""
    worker = await cluster.worker(worker_runs=1, time_limit_s=60)
    api = await cluster.api(ready=True)
    marks = [tmp_path / f"mark{n}" for n in range(2)]
    runs = [
        asyncio.create_task(
            api.client.run(SLEEP, [{"mark": str(mark), "seconds": 30}], workflow=f"w{n}", execution=f"e{n}")
        )
        for n, mark in enumerate(marks)
    ]
    await until(lambda: any(mark.exists() for mark in marks))

    for run in runs:
        run.cancel()
    await asyncio.gather(*runs, return_exceptions=True)

    assert [{"value": 3}] == await asyncio.wait_for(
        api.client.values("def f() -> int:\n    return 3", workflow="after"), 10
    )
    assert 1 == sum(mark.exists() for mark in marks)
    await until(lambda: any(each["event"] == "run" and each["outcome"] == "cancelled" for each in worker.log))


async def test_without_a_worker_a_run_says_so_and_waits_no_longer_than_it_may(cluster: Cluster) -> None:
    """One that comes in time takes it."""
    api = await cluster.api(pool_wait_s=1)

    status, problem = await api.client.run("def f() -> int:\n    return 3")
    assert (503, "no_workers") == (status, problem["code"])
    assert "qflow worker" in problem["hint"]

    patient = await cluster.api()
    run = asyncio.create_task(patient.client.values("def f() -> int:\n    return 3"))
    await cluster.worker()
    assert [{"value": 3}] == await run


async def test_what_is_no_message_harms_no_worker(cluster: Cluster) -> None:
    """Others may write to that Redis."""
    worker = await cluster.worker()
    api = await cluster.api(ready=True)
    async with _redis(cluster) as redis:
        for junk in (b"", b"{}", b'{"body": "AAAA", "properties": {}, "headers": {}}', b"\xff" * 1000):
            await redis.lpush("qflow:qflow:broker:runs.1", junk)
        await redis.publish(f"qflow:qflow:control:{worker.name}", b"junk")
        await redis.publish("qflow:qflow:events", b"junk")
        await redis.set("qflow:qflow:worker:forged", b"[1, 2]", px=5000)
        await redis.sadd("qflow:qflow:workers", "forged")
        for key in await redis.keys("qflow:qflow:api:*"):
            await redis.rpush(key.replace(b":api:", b":replies:"), b"junk")

    assert [{"value": 3}] == await api.client.values("def f() -> int:\n    return 3")


@pytest.mark.parametrize("other", ["keys", "shared directory"])
async def test_a_process_that_does_not_belong_is_told_so(
    cluster: Cluster, tmp_path: Path, other: str
) -> None:
    """Other keys, or a directory that is not the shared one: it does not join, and its log says what to mend."""
    from cryptography.fernet import Fernet

    await cluster.worker()
    wrong = (
        {"encryption_keys": Fernet.generate_key().decode()}
        if other == "keys"
        else {"shared_dir": tmp_path / "elsewhere"}
    )
    with pytest.raises(AssertionError):
        await cluster.worker(**wrong)
    text = str(cluster.started[-1].log)
    assert ("QFLOW_ENCRYPTION_KEYS" if other == "keys" else "QFLOW_SHARED_DIR") in text, text


async def test_two_clusters_on_one_redis_do_not_meet(cluster: Cluster, tmp_path: Path) -> None:
    """Each has its name, its directory and its workers."""
    await cluster.worker()
    await cluster.worker(cluster="second", shared_dir=tmp_path / "second")
    api = await cluster.api(ready=True)
    second = await cluster.api(ready=True, cluster="second", shared_dir=tmp_path / "second")

    for each in (api, second):
        _, told = await each.client.call("GET", "/readyz")
        assert told["parts"]["workers"]["reason"].startswith("1 workers")
        assert [{"value": 3}] == await each.client.values("def f() -> int:\n    return 3")


async def test_a_full_redis_and_a_wrong_password_are_named(cluster: Cluster) -> None:
    """Nothing is lost by them without a sentence."""
    await cluster.worker()
    api = await cluster.api(ready=True)
    async with _redis(cluster) as redis:
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("maxmemory", "1")
        status, problem = await api.client.run("def f() -> int:\n    return 3")
        assert (503, "queue_unavailable") == (status, problem["code"])
        assert "full" in problem["detail"]
        await redis.config_set("maxmemory", "0")
    await until(lambda: _workers(api, 1))
    assert [{"value": 3}] == await api.client.values("def f() -> int:\n    return 3")

    wrong = await cluster.api(redis_url=cluster.redis.url.replace(cluster.redis.password, "wrong"))
    _, told = await wrong.client.call("GET", "/readyz")
    assert "password" in told["parts"]["queue"]["reason"]


class Proxy:
    """A way to Redis that can be cut, as a network is: what is under way hangs, and nothing new gets through."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self._server: asyncio.Server

    @classmethod
    async def start(cls, target: int) -> "Proxy":
        proxy = cls(target)
        proxy._server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.port = proxy._server.sockets[0].getsockname()[1]
        return proxy

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._open.set()

    async def close(self) -> None:
        self.mend()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        await asyncio.gather(
            self._pass(reader, far_writer), self._pass(far_reader, writer), return_exceptions=True
        )

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            await self._open.wait()
            writer.write(chunk)
            await writer.drain()
        writer.close()


async def _restart(cluster: Cluster) -> None:
    port, password = cluster.redis.port, cluster.redis.password
    await cluster.redis.kill()
    cluster.redis = await RedisServer.start(cluster.folder / "redis", port=port, password=password)


def _redis(cluster: Cluster) -> Any:
    from redis.asyncio import Redis

    return Redis.from_url(cluster.redis.url)


async def _length(redis: Any, key: str, length: int) -> bool:
    return length == await redis.llen(key)


async def _queued(cluster: Cluster, worker: str, runs: int) -> bool:
    async with _redis(cluster) as redis:
        return runs == await redis.llen(f"qflow:qflow:broker:worker.{worker}")


async def _workers(api: RunnerProcess, count: int) -> bool:
    _, told = await api.client.call("GET", "/readyz")
    return told["parts"]["queue"]["ok"] and told["parts"]["workers"]["reason"].startswith(f"{count} workers")


async def _part(api: RunnerProcess, part: str, *, ok: bool) -> bool:
    return ok == (await api.client.call("GET", "/readyz"))[1]["parts"][part]["ok"]


async def _home_of(
    api: RunnerProcess, workers: list[WorkerProcess], workflow: str = "w"
) -> tuple[WorkerProcess, WorkerProcess]:
    """The worker that has the workflow's sandbox, and the other one."""
    rows = await api.client.sandboxes()
    name = next(each["worker"] for each in rows if each["workflow"] == workflow)
    first, second = workers
    return (first, second) if first.name == name else (second, first)


async def _busy(api: RunnerProcess, worker: str) -> bool:
    rows = await api.client.sandboxes()
    return any(each["worker"] == worker and each["state"] == "owned" and each.get("leases") for each in rows)
