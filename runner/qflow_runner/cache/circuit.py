"""Whether a tier is used: one that failed is left alone, and tried in the background until it works again."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from qflow_runner.background import end

log = structlog.get_logger()

RETRY_S = 5.0

_TELL_S = 300.0
"""A tier that fails again and again is logged once in this time."""


class TierAway(Exception):
    """The tier does not work; the text says why."""


class Circuit:
    """While it is open, nobody waits for the tier."""

    def __init__(self, tier: str, probe: Callable[[], Awaitable[None]], retry_s: float = RETRY_S) -> None:
        """`probe` has its own deadline, and raises TierAway."""
        self.errors = 0
        self._tier = tier
        self._probe = probe
        self._retry_s = retry_s
        self._closed = False
        self._told = float("-inf")
        self._told_of_outage = False
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        """Whether the tier may be asked."""
        return self._closed

    def start(self) -> None:
        """The tier is used from the first probe that works, which is made at once."""
        self._task = asyncio.get_running_loop().create_task(self._recover(0.0))

    async def stop(self) -> None:
        """Nobody asks the tier again."""
        self._closed = False
        self._stop.set()
        await end([self._task])

    def trip(self, reason: str) -> None:
        """It failed: leave it alone for a while."""
        self.errors += 1
        if self._closed and not self._stop.is_set():
            self._closed = False
            self._told_of_outage = self._tell(reason)
            self._task = asyncio.get_running_loop().create_task(self._recover(self._retry_s))

    def slip(self, reason: str) -> None:
        """One call failed, and the next may work."""
        self.errors += 1
        self._tell(reason)

    def _tell(self, reason: str) -> bool:
        now = time.monotonic()
        if now - self._told < _TELL_S:
            return False
        self._told = now
        log.warning("cache.tier_failed", tier=self._tier, reason=reason, hint="runs go on without it")
        return True

    async def _recover(self, wait_s: float) -> None:
        while not await self._stopped_within(wait_s):
            wait_s = self._retry_s
            try:
                await self._probe()
            except TierAway as away:
                self.errors += 1
                self._told_of_outage = self._told_of_outage or self._tell(str(away))
            else:
                self._closed = True
                if self._told_of_outage:
                    self._told_of_outage = False
                    log.info("cache.tier_back", tier=self._tier)
                return

    async def _stopped_within(self, seconds: float) -> bool:
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stop.wait()
        return self._stop.is_set()
