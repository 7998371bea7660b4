"""Sets the gauges when Prometheus asks: what there is at this moment, of every part."""

import asyncio
from collections import Counter

from qflow_runner.api.readiness import readiness, room
from qflow_runner.api.state import State
from qflow_runner.api.tls import expiry_of
from qflow_runner.observe import levels

STATES = ("booting", "warm", "owned")


async def measure(state: State) -> None:
    """Waits for no part longer than that part's own probe of readiness does."""
    ready, free, _ = await asyncio.gather(readiness(state), room(state), _sandboxes(state))
    levels.READY.set(ready.ready)
    for name, part in ready.parts.items():
        levels.PART_UP.labels(part=name).set(part.ok)
    for place, (left, size) in free.items():
        levels.DISK_FREE.labels(place=place).set(left)
        levels.DISK_SIZE.labels(place=place).set(size)
    _runs(state)
    _kept(state)
    cert = state.settings.tls_cert
    levels.CERTIFICATE_EXPIRES.set((cert and await asyncio.to_thread(expiry_of, cert)) or 0)
    levels.TOKEN_EXPIRES.set(state.tokens.next_expiry or 0)
    levels.LOOP_LAG_MAX.set(state.lag.most_s)


def _runs(state: State) -> None:
    levels.UNDER_WAY.set(state.admission.runs)
    levels.WAITING.set(state.admission.waiting)
    levels.PLACES.set(state.admission.places)
    levels.HELD_BYTES.set(state.admission.bytes)
    levels.WATCHERS.set(state.events.watchers)


async def _sandboxes(state: State) -> None:
    counted = Counter(row["state"] for row in state.keeper.snapshot())
    for name in STATES:
        levels.SANDBOXES.labels(state=name).set(counted[name])
    levels.SANDBOX_PLACES.set(state.settings.pool_ceiling)
    levels.LEASES_WAITING.set(state.keeper.waiting)
    levels.SESSIONS.set(state.sessions.total)
    used = await asyncio.gather(*(state.limiter.usage(guest) for guest in list(state.keeper.guests.values())))
    levels.SANDBOX_MEMORY.set(sum(each.get("memory_mb", 0) for each in used) * (1 << 20))
    levels.SANDBOX_MEMORY_LIMIT.set(sum(each["memory_limit_mb"] for each in used) * (1 << 20))


def _kept(state: State) -> None:
    levels.DEFINITIONS.set(len(state.definitions))
    layers, size = state.layers.total
    levels.LAYERS.set(layers)
    levels.LAYERS_BYTES.set(size)
    levels.FILES.set(len(state.files))
    levels.FILES_BYTES.set(state.files.total)
    levels.SPILL.set(len(state.spill))
    levels.SPILL_BYTES.set(state.spill.total)
    stats = state.cache.stats()
    for tier, size in stats["bytes"].items():
        levels.CACHE_BYTES.labels(tier=tier).set(size)
        levels.CACHE_ENTRIES.labels(tier=tier).set(stats["entries"][tier])
    for tier, up in stats["up"].items():
        levels.CACHE_UP.labels(tier=tier).set(up)
    levels.RECORDS_OWED.set(state.recorder.owed)
    levels.AUDIT_OWED.set(state.audit.owed)
