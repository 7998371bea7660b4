"""Whether runs can be served, and how every part is: what /readyz says, and what metrics tell in numbers."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

from qflow_runner.api.models import Part, Readiness
from qflow_runner.api.state import State
from qflow_runner.egress import UNENFORCED

UNCONFINED = "no boundary: code runs as the runner's own user (development only; use the docker backend)"


async def readiness(state: State) -> Readiness:
    own, database, disk = await asyncio.gather(_own(state), state.database.health(), disk_part(state))
    beside = {name: Part(ok=each.ok, reason=each.reason) for name, each in state.engine.health().items()}
    parts = {
        **own,
        **beside,
        "database": Part(ok=database.ok, reason=database.reason),
        "records": _records(state),
        "runs": Part(ok=not state.drain.begun, reason=_runs(state)),
        "disk": disk,
        "loop": Part(
            ok=state.lag.ok,
            reason=f"the event loop was at most {state.lag.most_s * 1000:.0f} ms late in the last minute",
        ),
    }
    if state.shared.health is not None:
        parts["shared"] = Part(ok=state.shared.health.ok, reason=state.shared.health.reason)
    redis = state.cache.stats()["up"].get("redis")
    if redis is not None:
        parts["redis"] = Part(ok=redis, reason=_redis(up=redis))
    # Warm sandboxes work on while Docker is away, so the runner is ready as long as one is there.
    # And what is in memory runs on while the database is away.
    hands = parts["pool"].ok if state.engine.local else parts["queue"].ok and state.engine.places != (0, 0)
    ready = hands and (database.ok or len(state.definitions) > 0) and not state.drain.begun
    return Readiness(ready=ready, parts=parts)


async def _own(state: State) -> dict[str, Part]:
    """Of this process's own sandboxes, where it has some."""
    if not state.engine.local:
        return {}
    backend = await state.keeper.health()
    process = state.settings.backend == "process"
    apart = state.keeper.isolation
    parts = {
        state.settings.backend: Part(ok=backend.ok, reason=backend.reason),
        "isolation": Part(ok=not process and apart.ok, reason=UNCONFINED if process else apart.reason),
        "limits": _limits(state),
        "pool": _pool(state),
        "egress": Part(ok=True, reason=UNENFORCED if process else state.egress.reason()),
    }
    if backend.runtime:
        parts["runtime"] = Part(ok=backend.ok, reason=f"containers are started with {backend.runtime}")
    return parts


def places(state: State) -> dict[str, Path]:
    """Where the runner keeps what, by a short name."""
    settings = state.settings
    return {
        "data": settings.data_dir,
        "layers": settings.layers_dir,
        "files": settings.files_path,
        "spill": settings.spill_path,
        "cache": settings.cache_dir,
    }


async def room(state: State) -> dict[str, tuple[int, int]]:
    """Bytes free and in all of each place's file system; without those that nothing was kept in yet."""
    return await asyncio.to_thread(_room, places(state))


async def disk_part(state: State) -> Part:
    found = await room(state)
    least = state.settings.disk_free_mb
    short = {name: free >> 20 for name, (free, _) in found.items() if free < least << 20}
    if short:
        told = ", ".join(f"{name} {mb} MB" for name, mb in short.items())
        return Part(ok=False, reason=f"nearly full where the runner writes: {told} free")
    fewest = min((free for free, _ in found.values()), default=0)
    return Part(ok=True, reason=f"at least {fewest >> 20} MB are free wherever the runner writes")


def _room(paths: dict[str, Path]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for name, path in paths.items():
        try:
            usage = shutil.disk_usage(path)
        except OSError:
            continue
        found[name] = (usage.free, usage.total)
    return found


def _pool(state: State) -> Part:
    counted = Counter(row["state"] for row in state.keeper.snapshot())
    described = ", ".join(f"{count} {name}" for name, count in sorted(counted.items())) or "no sandbox"
    failure = state.keeper.last_failure
    if counted["warm"] + counted["owned"]:
        return Part(ok=True, reason=described)
    reason = f"{described}; {failure.detail} {failure.hint or ''}".strip() if failure else described
    return Part(ok=state.settings.pool_floor == 0 and failure is None, reason=reason)


def _limits(state: State) -> Part:
    reason = state.limiter.unheld(state.keeper.guests.values())
    if reason:
        return Part(ok=False, reason=reason)
    return Part(ok=True, reason="limits of nodes are held where a node has some")


def _records(state: State) -> Part:
    owed, audit = state.recorder.owed, state.audit.owed
    if owed or audit:
        return Part(
            ok=False, reason=f"{owed} records of runs and {audit} of the audit log wait for the database"
        )
    return Part(ok=True, reason="every run that was answered is recorded")


def _runs(state: State) -> str:
    if state.drain.begun:
        return (
            f"draining: the runner stops when {state.drain.under_way} calls are over, and takes no new ones"
        )
    return state.admission.describe()


def _redis(*, up: bool) -> str:
    return "Redis answers" if up else "Redis does not answer: results are cached here alone until it does"
