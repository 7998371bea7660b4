"""What `qflow doctor` looks at where this host is to be part of a cluster."""

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from qflow_runner.blobs import shared_blobs
from qflow_runner.engine.cluster.condition import workers_health
from qflow_runner.engine.cluster.identity import agree, identify
from qflow_runner.engine.cluster.members import Members
from qflow_runner.engine.cluster.names import Names
from qflow_runner.engine.cluster.redis import client, close, speaking
from qflow_runner.errors import DiskFailed, NoWorkers, QflowError
from qflow_runner.keys import Keys
from qflow_runner.settings import Settings


@dataclass(frozen=True)
class Found:
    """`advice` is empty where nothing is to be done."""

    ok: bool
    part: str
    found: str
    advice: str = ""


async def examine_cluster(settings: Settings) -> list[Found]:
    assert settings.redis_url is not None  # noqa: S101 - the settings were held to it
    names = Names(settings.cluster)
    redis = client(settings.redis_url.get_secret_value())
    found: list[Found] = []
    shared = settings.shared_bucket or settings.shared_dir
    part = "shared bucket" if settings.shared_bucket else "shared directory"
    try:
        identity = await identify(shared_blobs(settings), Keys(settings))
        found.append(Found(True, part, f"{shared} has the cluster's mark"))
        async with speaking():
            found.append(await _redis(redis))
            await agree(redis, names, identity)
            found.append(await _workers(redis, names))
    except DiskFailed as error:
        mount = "Mount it, and give the runner's user the right to write there."
        advice = mount if settings.shared_bucket is None else error.hint or ""
        found.append(Found(False, part, f"{shared}: {error.detail}", advice))
    except QflowError as error:
        found.append(Found(False, f"cluster {settings.cluster}", error.detail, error.hint or ""))
    finally:
        await close(redis)
    return found


async def _redis(redis: Redis) -> Found:
    about: dict[str, Any] = await redis.info()
    version = str(about["redis_version"])
    if not int(about["aof_enabled"]) and not int(about.get("rdb_last_save_time", 0)):
        told = "it keeps nothing on disk"
    else:
        told = "AOF" if int(about["aof_enabled"]) else "snapshots"
    policy, memory = str(about.get("maxmemory_policy", "noeviction")), int(about.get("maxmemory", 0))
    if memory and policy != "noeviction":
        return Found(
            False,
            "Redis",
            f"{version}: with maxmemory-policy {policy} it may throw waiting runs away.",
            "Set maxmemory-policy noeviction: then it refuses new runs with a sentence when it is full.",
        )
    if not int(about["aof_enabled"]):
        return Found(
            True,
            "Redis",
            f"{version}, {told}",
            "Runs that wait in it while it restarts are answered with an error; with appendonly yes fewer are.",
        )
    return Found(True, "Redis", f"{version}, {told}")


async def _workers(redis: Redis, names: Names) -> Found:
    members = Members(redis, names)
    await members.look()
    nobody = NoWorkers("No worker is there.")
    health = workers_health(members, nobody)
    return Found(health.ok, "workers", health.reason)
