"""What is known to be vulnerable in the locks that runs use, by the administrator's policy."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

import structlog

from qflow_runner.advisories import (
    Advisories,
    Audit,
    Origin,
    Policy,
    count_in_use,
    mended_by,
    origin_of,
    refuse,
)
from qflow_runner.background import Background
from qflow_runner.layers import Lock, Package
from qflow_runner.settings import Settings

log = structlog.get_logger()

KEPT = 2_000
"""Locks in use whose answers are remembered."""

AGAIN_S = 86_400.0


class Vetting:
    """With "block" a run waits for the first answer about its lock; with "warn" it does not, and hears of it later."""

    def __init__(self, settings: Settings, advisories: Advisories) -> None:
        self._policy: Policy = settings.advisories
        index = settings.index_url.get_secret_value() if settings.index_url else None
        self._origin: Origin = origin_of(index)
        self._advisories = advisories
        self._locks: OrderedDict[str, Lock] = OrderedDict()
        self._audits: dict[str, Audit] = {}
        self._background = Background()

    async def open(self) -> None:
        await self._advisories.open()
        if self._policy != "off":
            self._background.start(self._nightly())

    async def close(self) -> None:
        await self._background.end()
        await self._advisories.close()

    async def vet(self, lock: Lock) -> str:
        """A hint on what is vulnerable; empty without. Raises PackageVulnerable where the policy is to block."""
        if self._policy == "off":
            return ""
        audit = self._audits.get(lock.id)
        if audit is None:
            self._remember(lock)
            if self._policy == "warn":
                self._background.start(self._check(lock))
                return ""
            await self._check(lock)
            audit = self._audits[lock.id]
        refuse(audit, self._policy)
        return _hint(audit)

    async def audit(self, packages: Sequence[Package]) -> Audit:
        """Of any packages, as for the list of layers."""
        named = [(package.name, package.version) for package in packages]
        return await self._advisories.check(named, origin=self._origin)

    async def recheck(self) -> None:
        """Ask anew about every lock in use: what was clean yesterday need not be today."""
        for lock in list(self._locks.values()):
            await self._check(lock, fresh=True)
        count_in_use(self._audits.values())

    async def _check(self, lock: Lock, *, fresh: bool = False) -> None:
        named = [(package.name, package.version) for package in lock.packages]
        audit = await self._advisories.check(named, origin=self._origin, fresh=fresh)
        before = self._audits.get(lock.id)
        self._audits[lock.id] = audit
        if audit.worst == "vulnerable" and (before is None or before.worst != "vulnerable"):
            log.warning("packages.vulnerable", lock=lock.id, packages=_hint(audit))

    async def _nightly(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            await self.recheck()

    def _remember(self, lock: Lock) -> None:
        self._locks[lock.id] = lock
        if len(self._locks) > KEPT:
            forgotten, _ = self._locks.popitem(last=False)
            self._audits.pop(forgotten, None)


def _hint(audit: Audit) -> str:
    named: list[str] = []
    for package in audit.packages:
        if package.verdict == "vulnerable":
            mended = mended_by(package)
            ids = ", ".join(advisory.id for advisory in package.advisories[:3])
            fix = f", mended in {mended}" if mended else ""
            named.append(f"{package.name} {package.version} ({ids}{fix})")
    return f"Known vulnerabilities: {'; '.join(named[:5])}." if named else ""
