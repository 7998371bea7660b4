"""API processes and workers of one cluster, each a process of its own, with a real Redis and a real PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from lab.postgres import Postgres
from lab.redis import RedisServer
from tests.faults.runner import RunnerProcess

QUICK = {"worker_lost_s": 2, "pool_floor": 1, "pool_wait_s": 20}
"""Settings with which what is lost is noticed soon."""


class WorkerProcess(RunnerProcess):
    """`qflow worker`; `name` is what it is called in the cluster."""

    command = "worker"

    @property
    def name(self) -> str:
        return next(each["worker"] for each in self.log if each["event"] == "worker.joined")

    def began(self, run: str) -> bool:
        return any(each.get("run") == run for each in self.log)

    def runs(self) -> list[dict[str, Any]]:
        """Its runs that are over, as its log has them."""
        return [each for each in self.log if each["event"] == "run"]


@dataclass
class Cluster:
    folder: Path
    redis: RedisServer
    postgres: Postgres
    database: str
    backend: str = "process"
    keys: str = field(default_factory=lambda: Fernet.generate_key().decode())
    settings: dict[str, Any] = field(default_factory=lambda: dict(QUICK))
    started: list[RunnerProcess] = field(default_factory=list)
    bucket: str = ""
    """In the place of a shared directory."""

    async def api(self, *, ready: bool = False, **settings: Any) -> RunnerProcess:
        """With `ready` it is waited for until there are workers."""
        runner = RunnerProcess(self.backend, self._place(), self._all({"engine": "celery"} | settings))
        self.started.append(runner)
        await runner.start(ready=ready)
        return runner

    async def worker(self, *, ready: bool = True, **settings: Any) -> WorkerProcess:
        worker = WorkerProcess(self.backend, self._place(), self._all(settings))
        self.started.append(worker)
        await worker.start(ready=ready)
        return worker

    async def stop(self) -> None:
        await asyncio.gather(*(each.stop() for each in self.started))

    def _place(self) -> Path:
        return self.folder / f"process{len(self.started)}"

    def _all(self, settings: dict[str, Any]) -> dict[str, Any]:
        shared = {
            "redis_url": self.redis.url,
            "database_url": self.postgres.url(self.database),
            **({"shared_bucket": self.bucket} if self.bucket else {"shared_dir": self.folder / "shared"}),
            "encryption_keys": self.keys,
        }
        return shared | self.settings | settings


async def until(true: Any, deadline_s: float = 30) -> None:
    """`true` may be a coroutine function."""
    async with asyncio.timeout(deadline_s):
        while True:
            found = true()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.05)  # what happens in another process has no event here


@asynccontextmanager
async def database(postgres: Postgres) -> AsyncIterator[str]:
    name = f"cluster_{os.urandom(6).hex()}"
    await postgres.create(name)
    try:
        yield name
    finally:
        await postgres.drop(name)
