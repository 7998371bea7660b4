"""Whether a process belongs to the cluster: it sees the same directory, and has the same keys, as the others."""

import os
import secrets
from pathlib import Path

from redis.asyncio import Redis

from qflow_runner.engine.cluster.names import Names
from qflow_runner.errors import ClusterMismatch
from qflow_runner.keys import Keys

FILE = "cluster"


def shared_id(shared: Path, keys: Keys) -> str:
    """The name that the cluster's directory has, made by the first process that comes. Blocks. Raises ClusterMismatch and OSError."""
    shared.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = shared / FILE
    if not place.exists():
        _make(place, keys.wrap(secrets.token_hex(16).encode()))
    kept = place.read_bytes()
    found = keys.unwrap(kept)
    if found is None:
        raise ClusterMismatch(
            f"{place} was written with other keys than those of this process.",
            hint="Give every process of the cluster the same QFLOW_ENCRYPTION_KEYS.",
        )
    renewed = keys.renewed(kept)
    if renewed is not None:
        part = place.with_name(f"{FILE}.{secrets.token_hex(8)}")
        part.write_bytes(renewed)
        part.replace(place)
    return found.decode()


async def agree(redis: Redis, names: Names, identity: str) -> None:
    """Raises ClusterMismatch where Redis knows another one under this cluster's name, and what the client raises."""
    await redis.set(names.about, identity, nx=True)
    found = await redis.get(names.about)
    if found is not None and found != identity.encode():
        raise ClusterMismatch(
            f"The Redis has a cluster '{names.cluster}' whose shared directory is another one than this process sees.",
            hint="Mount the same QFLOW_SHARED_DIR everywhere; or, if these are two clusters on one Redis, "
            "give one of them another QFLOW_CLUSTER.",
        )


def _make(place: Path, content: bytes) -> None:
    part = place.with_name(f"{FILE}.{secrets.token_hex(8)}")
    part.write_bytes(content)
    try:
        os.link(part, place)  # never in the place of one that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        part.unlink()
