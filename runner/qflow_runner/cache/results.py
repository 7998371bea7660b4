"""The result cache: the tiers behind each other, and what is written behind the replies."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, TypedDict, TypeVar

from qflow_runner.background import end
from qflow_runner.cache.circuit import RETRY_S, Circuit
from qflow_runner.cache.disk_tier import DiskTier
from qflow_runner.cache.entry import MAX_TTL_S, Cached, Payload, result_key
from qflow_runner.cache.memory import MemoryTier
from qflow_runner.cache.sealing import seal, sealed_max, unseal
from qflow_runner.errors import Unavailable
from qflow_runner.files import Keys
from qflow_runner.files.tidy import Tidy
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings

Result = TypeVar("Result")

_INLINE = 64 * 1024
"""Bytes that are hashed or decrypted at once; more of them in a thread, because the event loop would wait."""

_WAITING = 256
"""Entries that may wait to be written, and with them the bytes of _WAITING_VALUES of the largest."""
_WAITING_VALUES = 4
_FLUSH_S = 3.0
_SWEEP_S = 60.0


class Tier(Protocol):
    """A place behind the memory, for sealed entries. No method raises, and each has its deadlines."""

    name: str
    circuit: Circuit

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    def may_have(self, key: str) -> bool: ...
    async def load(self, key: str) -> Payload | None: ...
    async def save(self, key: str, sealed: Payload, cached: Cached) -> None: ...
    async def drop(self, key: str) -> None: ...


class Stats(TypedDict):
    """Counted from the start; `bytes` and `entries` are now, and `up` is whether a tier is used."""

    hits: dict[str, int]
    misses: int
    bytes: dict[str, int]
    entries: dict[str, int]
    damaged: int
    """Entries that did not open: altered, cut short, or of a key that is gone."""
    too_large: int
    not_written: int
    """Entries that found no place among those that wait to be written."""
    errors: dict[str, int]
    up: dict[str, bool]


@dataclass(frozen=True)
class _Save:
    key: str
    cached: Cached
    tiers: tuple[Tier, ...]
    sealed: Payload | None = None

    @property
    def size(self) -> int:
        return len(self.cached.payload)


@dataclass(frozen=True)
class _Drop:
    key: str
    tier: Tier
    size: int = 0


class ResultCache:
    """Results by what made them: the definition, its workflow, and the request's body.

    Two runs with the same key at the same time may both run: neither is made to wait for the other, whose code may
    take minutes or never end. The later result replaces the earlier one.

    Belongs to one event loop. Nothing here raises to a run; before `open` and after `close` there is the memory alone.
    """

    def __init__(
        self, settings: Settings, keys: Keys, now: Callable[[], float] = time.time, retry_s: float = RETRY_S
    ) -> None:
        """Raises Unavailable where a Redis is set whose address is none, or its client library is missing."""
        self._keys = keys
        self._now = now
        self._value_max = settings.cache_value_max_mb << 20
        self._memory = MemoryTier(settings.cache_memory_mb << 20)
        self._disk = (
            DiskTier(
                settings.results_path,
                settings.cache_disk_mb << 20,
                sealed_max(self._value_max),
                now=now,
                retry_s=retry_s,
            )
            if settings.cache_disk_mb
            else None
        )
        redis = _redis_tier(settings, self._value_max, now, retry_s)
        self._tiers = tuple(tier for tier in (self._disk, redis) if tier is not None)
        self._queue: asyncio.Queue[_Save | _Drop] = asyncio.Queue(_WAITING)
        self._waiting = 0
        self._worker: asyncio.Task[None] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._tidy = Tidy(_SWEEP_S, self._sweep)
        self._hits = {"memory": 0} | {tier.name: 0 for tier in self._tiers}
        self._misses = 0
        self._damaged = 0
        self._too_large = 0
        self._not_written = 0

    async def open(self) -> None:
        """Does not wait for the tiers: each is used from when it answers."""
        for tier in self._tiers:
            await tier.open()
        # Not the event loop's own threads: a name server that hangs can fill those.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="qflow-results-work")
        self._worker = asyncio.get_running_loop().create_task(self._work())
        self._tidy.start()

    async def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        await self._tidy.stop()
        worker, self._worker = self._worker, None
        if worker is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await self._queue.join()
            await end([worker])
        for tier in self._tiers:
            await tier.close()
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False)

    async def key(self, definition_id: str, workflow: str, payload: Payload) -> str:
        """A large payload is hashed in a thread, and must not be changed meanwhile."""
        if len(payload) <= _INLINE:
            return result_key(definition_id, workflow, payload)
        return await self._threaded(result_key, definition_id, workflow, payload)

    async def get(self, key: str) -> Cached | None:
        """From the nearest tier that has it; the nearer ones then have it too. In memory, this never waits."""
        found = self._memory.get(key, self._now())
        if found is not None:
            self._hits["memory"] += 1
            metrics.CACHE_HITS.labels(tier="memory").inc()
            return found
        for number, tier in enumerate(self._tiers):
            sealed = await tier.load(key) if tier.may_have(key) else None
            if sealed is None:
                continue
            found = await self._unsealed(key, sealed)
            if found is None or not found.fresh(self._now()):
                self._damaged += found is None
                self._behind(_Drop(key, tier))
                continue
            self._hits[tier.name] += 1
            metrics.CACHE_HITS.labels(tier=tier.name).inc()
            self._memory.put(key, found)
            if number:
                self._behind(_Save(key, found, self._tiers[:number], sealed))
            return found
        self._misses += 1
        metrics.CACHE_MISSES.inc()
        return None

    def put(self, key: str, cached: Cached, ttl_s: float) -> None:
        """Keep it for `ttl_s` seconds, 30 days at most, from when it was made. Does not wait, and may not keep it."""
        entry = replace(cached, expires=cached.made + min(ttl_s, MAX_TTL_S))
        if not entry.fresh(self._now()):
            return
        if len(entry.payload) > self._value_max:
            self._too_large += 1
            return
        self._memory.put(key, entry)
        if self._tiers:
            self._behind(_Save(key, entry, self._tiers))

    def stats(self) -> Stats:
        held = {"memory": self._memory} | ({"disk": self._disk} if self._disk is not None else {})
        return Stats(
            hits=dict(self._hits),
            misses=self._misses,
            bytes={name: each.total for name, each in held.items()},
            entries={name: len(each) for name, each in held.items()},
            damaged=self._damaged,
            too_large=self._too_large,
            not_written=self._not_written,
            errors={tier.name: tier.circuit.errors for tier in self._tiers},
            up={tier.name: tier.circuit.closed for tier in self._tiers},
        )

    async def _unsealed(self, key: str, sealed: Payload) -> Cached | None:
        if len(sealed) <= _INLINE:
            return unseal(self._keys, key, sealed, self._value_max)
        return await self._threaded(unseal, self._keys, key, sealed, self._value_max)

    def _behind(self, job: _Save | _Drop) -> None:
        if self._worker is None:
            return
        if self._queue.full() or self._waiting + job.size > _WAITING_VALUES * self._value_max:
            self._not_written += isinstance(job, _Save)
            return
        self._waiting += job.size
        self._queue.put_nowait(job)

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            try:
                await self._do(job)
            finally:
                self._waiting -= job.size
                self._queue.task_done()

    async def _do(self, job: _Save | _Drop) -> None:
        if isinstance(job, _Drop):
            await job.tier.drop(job.key)
            return
        tiers = [tier for tier in job.tiers if tier.circuit.closed]
        if not tiers:
            return
        sealed = job.sealed or await self._threaded(seal, self._keys, job.key, job.cached)
        await asyncio.gather(*(tier.save(job.key, sealed, job.cached) for tier in tiers))

    async def _threaded(self, function: Callable[..., Result], *args: object) -> Result:
        """At once where there are no threads, which is before `open` and after `close`."""
        if self._threads is None:
            return function(*args)
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    async def _sweep(self) -> None:
        self._memory.sweep(self._now())


def _redis_tier(settings: Settings, value_max: int, now: Callable[[], float], retry_s: float) -> Tier | None:
    url = settings.redis_url.get_secret_value() if settings.redis_url else ""
    if not url:
        return None
    try:
        from qflow_runner.cache.redis_tier import RedisTier  # noqa: PLC0415 - its library is optional
    except ModuleNotFoundError:
        raise Unavailable(
            "QFLOW_REDIS_URL is set, but Redis' client library is not installed.",
            hint="Install it with: pip install 'qflow[redis]'. Or unset the variable.",
        ) from None
    try:
        return RedisTier(url, value_max, now=now, retry_s=retry_s)
    except ValueError:  # its text may have a part of the password
        raise Unavailable(
            "QFLOW_REDIS_URL is not the address of a Redis.",
            hint="Write it as redis://[[user]:password@]host[:port][/database], with special characters as %XX.",
        ) from None
