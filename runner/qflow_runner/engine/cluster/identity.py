"""Whether a process belongs to the cluster: it sees the same directory or bucket, and has the same keys, as the others."""

import asyncio
import secrets

from redis.asyncio import Redis

from qflow_runner.blobs import CLUSTER_MARK, Blobs, problem
from qflow_runner.engine.cluster.names import Names
from qflow_runner.errors import ClusterMismatch
from qflow_runner.keys import Keys


async def identify(shared: Blobs | None, keys: Keys) -> str:
    """The name that what the cluster shares has, made by the first process that comes.

    Raises ClusterMismatch where it cannot be this cluster's, and DiskFailed.
    """
    assert shared is not None  # noqa: S101 - the settings were held to it
    try:
        return await asyncio.to_thread(_shared_id, shared, keys)
    except OSError as error:
        raise problem(error) from error


async def agree(redis: Redis, names: Names, identity: str) -> None:
    """Raises ClusterMismatch where Redis knows another one under this cluster's name, and what the client raises."""
    await redis.set(names.about, identity, nx=True)
    found = await redis.get(names.about)
    if found is not None and found != identity.encode():
        raise ClusterMismatch(
            f"The Redis has a cluster '{names.cluster}' whose shared directory or bucket is another one than this process sees.",
            hint="Give every process the same QFLOW_SHARED_DIR or QFLOW_SHARED_BUCKET; or, if these are two clusters on one Redis, "
            "give one of them another QFLOW_CLUSTER.",
        )


def _shared_id(shared: Blobs, keys: Keys) -> str:
    shared.prepare()
    mark = keys.wrap(secrets.token_hex(16).encode())
    if (
        shared.replace(CLUSTER_MARK, mark, None) is not None
        and shared.replace(CLUSTER_MARK, mark, None) is not None
    ):
        raise ClusterMismatch(
            "QFLOW_SHARED_BUCKET is in a store that replaces what it was told only to create.",
            hint="Take one with conditional writes (If-None-Match, If-Match), or a QFLOW_SHARED_DIR.",
        )
    held = shared.read(CLUSTER_MARK)
    found = keys.unwrap(held.content) if held else None
    if held is None or found is None:
        raise ClusterMismatch(
            "What the cluster shares was written with other keys than those of this process.",
            hint="Give every process of the cluster the same QFLOW_ENCRYPTION_KEYS.",
        )
    renewed = keys.renewed(held.content)
    if renewed is not None:
        shared.replace(CLUSTER_MARK, renewed, held.stamp)  # another process that was quicker did the same
    return found.decode()
