"""n8n in queue mode: a main process and workers, which meet in a Redis and a PostgreSQL."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lab.n8n import PACKAGE, N8n, install_package, run_n8n
from lab.processes import Process, free_ports
from lab.redis import RedisServer

READY_S = 90
STARTED = "Worker started execution"
"""What a worker's log says of each execution that it takes."""


@dataclass
class N8nWorker:
    process: Process
    log: Path

    @property
    def executions(self) -> set[str]:
        """Those that it took."""
        lines = [line for line in self.log.read_text().splitlines() if STARTED in line]
        return {line.split(STARTED)[1].split()[0] for line in lines}


@dataclass
class Queue:
    main: N8n
    workers: list[N8nWorker] = field(default_factory=list[N8nWorker])


def queue_env(redis: RedisServer, database: str) -> dict[str, str]:
    """What main and workers have the same. `database` is a PostgreSQL URL."""
    parts = urlsplit(database)
    return {
        "EXECUTIONS_MODE": "queue",
        "OFFLOAD_MANUAL_EXECUTIONS_TO_WORKERS": "true",
        "QUEUE_BULL_REDIS_HOST": "127.0.0.1",
        "QUEUE_BULL_REDIS_PORT": str(redis.port),
        "QUEUE_BULL_REDIS_PASSWORD": redis.password,
        "DB_TYPE": "postgresdb",
        "DB_POSTGRESDB_HOST": str(parts.hostname),
        "DB_POSTGRESDB_PORT": str(parts.port),
        "DB_POSTGRESDB_USER": str(parts.username),
        "DB_POSTGRESDB_PASSWORD": str(parts.password),
        "DB_POSTGRESDB_DATABASE": parts.path.strip("/"),
        "N8N_ENCRYPTION_KEY": secrets.token_hex(16),
        "N8N_LOG_LEVEL": "info",
    }


@asynccontextmanager
async def queue_mode(
    folder: Path, redis: RedisServer, database: str, *, workers: int, env: Mapping[str, str]
) -> AsyncGenerator[Queue]:
    """`env` is for all of them: hook files are needed by workers too."""
    shared = queue_env(redis, database) | dict(env)
    async with AsyncExitStack() as stack:
        main = await N8n.start(folder / "main", env=shared)
        stack.push_async_callback(main.stop)
        started = await asyncio.gather(
            *(_worker(folder / f"worker{number}", shared, stack) for number in range(workers))
        )
        yield Queue(main, started)


async def _worker(folder: Path, env: Mapping[str, str], stack: AsyncExitStack) -> N8nWorker:
    install_package(PACKAGE, folder)
    (port,) = free_ports(1)
    health = {"QUEUE_HEALTH_CHECK_ACTIVE": "true", "QUEUE_HEALTH_CHECK_PORT": str(port)}
    process = await run_n8n(folder, "worker --concurrency=5", {**env, **health})
    stack.push_async_callback(process.stop)
    await process.ready(f"http://127.0.0.1:{port}/healthz/readiness", READY_S)
    return N8nWorker(process, folder / "n8n.log")
