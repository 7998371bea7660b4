"""What was worked out waits here for a person's word. Nothing that runs use changes before."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from qflow_runner.advisories import Audit
from qflow_runner.errors import LockMoved, QflowError, UpgradeNotBuilt, UpgradeUnknown
from qflow_runner.layers import Layer, Layers, Lock, LockChange
from qflow_runner.upgrades.replay import Comparison, Replay, Replayer, Side
from qflow_runner.vetting import Vetting

log = structlog.get_logger()

KEPT = 200
"""Upgrades that may wait at a time; the oldest is forgotten first."""

KEPT_S = 3600.0


@dataclass(frozen=True)
class Upgrade:
    """`token` is for `accept`. `layer` is None where it could not be built, and `problem` says why."""

    token: str
    change: LockChange
    layer: Layer | None
    problem: QflowError | None
    before: Audit | None
    after: Audit
    comparison: Comparison | None


@dataclass(frozen=True)
class _Waiting:
    change: LockChange
    refused: str
    until: float


class Upgrades:
    def __init__(self, layers: Layers, vetting: Vetting, replayer: Replayer) -> None:
        self._layers = layers
        self._vetting = vetting
        self._replayer = replayer
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()

    async def prepare(
        self, requirements: Sequence[str], python: str, replay: Replay | None = None
    ) -> Upgrade:
        """The newest versions, built beside those in use, and what `replay` gives on both.

        Raises DependencyError where there are no newer versions to be had; a build or a run that fails is answered.
        """
        change = await self._layers.locks.upgrade(requirements, python)
        before, after, built = await asyncio.gather(
            self._audit(change.old), self._vetting.audit(change.new.packages), self._build(change.new)
        )
        problem = built if isinstance(built, QflowError) else None
        comparison = None
        if problem is not None:
            comparison = Comparison(None, Side(change.new.id, problem=problem))
        elif replay is not None:
            comparison = await self._replayer.compare(replay, change.old, change.new)
        layer = built if isinstance(built, Layer) else None
        return Upgrade(self._keep(change, problem), change, layer, problem, before, after, comparison)

    async def accept(self, token: str) -> Lock:
        """From the next execution on, runs use it. Raises UpgradeUnknown, UpgradeNotBuilt, LockMoved, PackageVulnerable."""
        self._forget()
        waiting = self._waiting.get(token)
        if waiting is None:
            raise UpgradeUnknown("There is no such upgrade, or not any more.")
        if waiting.refused:
            raise UpgradeNotBuilt(f"The new packages could not be installed: {waiting.refused}")
        new = waiting.change.new
        await self._vetting.vet(new)
        await self._layers.layer(new)  # it may have been evicted meanwhile, and a run shall not wait for it
        try:
            await self._layers.locks.accept(waiting.change)
        except LockMoved:
            self._waiting.pop(token, None)
            raise
        self._waiting.pop(token, None)
        log.info("upgrade.accepted", lock=new.id, before=waiting.change.old and waiting.change.old.id)
        return new

    async def rollback(self, requirements: Sequence[str], python: str) -> Lock:
        """Back to the versions before the last upgrade. Raises LockMoved when there are none."""
        lock = await self._layers.locks.rollback(requirements, python)
        log.info("upgrade.rolled_back", lock=lock.id)
        return lock

    async def _audit(self, lock: Lock | None) -> Audit | None:
        return await self._vetting.audit(lock.packages) if lock is not None else None

    async def _build(self, lock: Lock) -> Layer | QflowError:
        try:
            return await self._layers.layer(lock)
        except QflowError as error:
            return error

    def _keep(self, change: LockChange, problem: QflowError | None) -> str:
        self._forget()
        token = secrets.token_urlsafe(24)
        self._waiting[token] = _Waiting(change, problem.detail if problem else "", time.monotonic() + KEPT_S)
        if len(self._waiting) > KEPT:
            self._waiting.popitem(last=False)
        return token

    def _forget(self) -> None:
        now = time.monotonic()
        for token in [each for each, waiting in self._waiting.items() if waiting.until <= now]:
            del self._waiting[token]
