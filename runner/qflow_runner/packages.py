"""Which layer a run needs. Nodes of one workflow share one where they agree, and with it their live objects.

A workflow's environment is that of all requirements that its nodes were seen to have. A node that does not agree
with the others gets a layer of its own, and values cross to it.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field

import structlog

from qflow_runner.errors import DependencyError
from qflow_runner.layers import Layer, Layers, Lock
from qflow_runner.observe.events import Events
from qflow_runner.vetting import Vetting

log = structlog.get_logger()

WORKFLOWS = 10_000
SETS = 100
"""Different requirements that are remembered of a workflow."""


@dataclass(frozen=True)
class Ready:
    """A layer that is on disk and stays there, and what a person should know of it."""

    layer: str
    hints: tuple[str, ...] = ()


NONE = Ready("")


@dataclass
class _Seen:
    """What a workflow's nodes wanted: `lock` is for all that agree, `sets` has what each gets."""

    agreed: tuple[str, ...] = ()
    lock: Lock | None = None
    sets: OrderedDict[tuple[str, ...], Lock] = field(default_factory=OrderedDict[tuple[str, ...], Lock])


class Packages:
    def __init__(self, layers: Layers, vetting: Vetting, events: Events) -> None:
        self._layers = layers
        self._vetting = vetting
        self._events = events
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    @asynccontextmanager
    async def ready(
        self, python: str, requirements: tuple[str, ...], *, workflow: str, execution: str, node: str
    ) -> AsyncGenerator[Ready]:
        """The layer for these requirements in this workflow, installed where it is missing.

        Whoever watches the execution sees how far that is. Raises DependencyError, PackageVulnerable.
        """
        if not requirements:
            yield NONE
            return
        lock = await self._lock(workflow, python, requirements)
        warning = await self._vetting.vet(lock)
        installed = ""
        if self._layers.has(lock):
            layer = await self._layers.layer(lock)
        else:
            began = time.monotonic()
            missing = self._layers.on_disk(lock) is None
            async with self._watched(lock, execution, node):
                layer = await self._layers.layer(lock)
            installed = _installed(layer, time.monotonic() - began) if missing else ""
        with self._layers.hold(layer.id):
            yield Ready(layer.id, tuple(filter(None, (installed, warning))))

    @asynccontextmanager
    async def _watched(self, lock: Lock, execution: str, node: str) -> AsyncGenerator[None]:
        """Tells of the build while it lasts."""
        telling = asyncio.get_running_loop().create_task(self._tell(lock, execution, node))
        try:
            yield
        finally:
            telling.cancel()

    async def _tell(self, lock: Lock, execution: str, node: str) -> None:
        async for progress in self._layers.events(lock.id):
            self._events.tell(execution, "installing", node, **asdict(progress))

    async def _lock(self, workflow: str, python: str, requirements: tuple[str, ...]) -> Lock:
        seen = self._of(workflow, python)
        known = seen.sets.get(requirements)
        if known is None:
            known = seen.sets[requirements] = await self._new(seen, python, requirements, workflow)
            if len(seen.sets) > SETS:
                seen.sets.popitem(last=False)
        return known

    async def _new(self, seen: _Seen, python: str, requirements: tuple[str, ...], workflow: str) -> Lock:
        if seen.lock is None:
            lock = await self._layers.lock(requirements, python)
            seen.agreed, seen.lock = requirements, lock
            return lock
        if set(requirements) <= set(seen.agreed):
            return seen.lock
        together = tuple(dict.fromkeys((*seen.agreed, *requirements)))
        lock = await self._together(seen.lock, together, python)
        if lock is None:
            log.info("packages.apart", workflow=workflow, requirements=requirements)
            return await self._layers.lock(requirements, python)
        for earlier, its_lock in seen.sets.items():
            if its_lock is seen.lock:
                seen.sets[earlier] = lock
        seen.agreed, seen.lock = together, lock
        return lock

    async def _together(self, before: Lock, requirements: tuple[str, ...], python: str) -> Lock | None:
        """One lock for all, at the versions that the workflow has where that is possible."""
        pins = tuple(f"{package.name}=={package.version}" for package in before.packages)
        for wanted in ((*requirements, *pins), requirements):
            try:
                return await self._layers.lock(wanted, python)
            except DependencyError:
                continue  # asked of each node alone, it gets its own answer
        return None

    def _of(self, workflow: str, python: str) -> _Seen:
        seen = self._seen.setdefault((workflow, python), _Seen())
        self._seen.move_to_end((workflow, python))
        if len(self._seen) > WORKFLOWS:
            self._seen.popitem(last=False)
        return seen


def _installed(layer: Layer, seconds: float) -> str:
    names = [f"{package.name} {package.version}" for package in layer.packages]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"Installed {shown} in {seconds:.1f} s."
