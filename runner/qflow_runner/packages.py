"""Which layer a run needs. Nodes of one workflow share one where they agree, and with it their live objects.

A workflow's environment is that of all requirements that its nodes were seen to have. A node that does not agree
with the others gets a layer of its own, and values cross to it.

Where a person decided on the versions of a node's requirements, by an upgrade or by going back, those versions hold in
the workflow's environment too. An execution that has a session goes on with what it began with.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field

import structlog

from qflow_runner.errors import DependencyError
from qflow_runner.layers import Layer, Layers, Lock
from qflow_runner.observe import metrics
from qflow_runner.observe.events import Events
from qflow_runner.vetting import Vetting

log = structlog.get_logger()

WORKFLOWS = 10_000
EXECUTIONS = 10_000
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
    decided: dict[tuple[str, ...], int] = field(default_factory=dict[tuple[str, ...], int])
    """How often a person had changed the lock of each set when it was looked at."""
    held: dict[str, str] = field(default_factory=dict[str, str])
    """Versions in `lock` that a person decided on, by name."""
    before: dict[str, str] = field(default_factory=dict[str, str])
    """Versions of the workflow before a person's last decision: nobody decided to change the others."""


class Packages:
    """`lives` tells whether an execution has a session."""

    def __init__(
        self, layers: Layers, vetting: Vetting, events: Events, lives: Callable[[str], bool]
    ) -> None:
        self._layers = layers
        self._vetting = vetting
        self._events = events
        self._lives = lives
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()
        self._begun: OrderedDict[tuple[str, str, str], _Seen] = OrderedDict()

    @asynccontextmanager
    async def ready(
        self, python: str, requirements: tuple[str, ...], *, workflow: str, execution: str, node: str
    ) -> AsyncGenerator[Ready]:
        """The layer for these requirements in this workflow, installed where it is missing.

        Whoever watches the execution sees how far that is. Raises DependencyError, PackageVulnerable.
        """
        seen = self._of(workflow, python, execution)
        if requirements:
            new = requirements not in seen.sets
            if new:
                self._events.tell(execution, "installing", node, phase="resolve")
            lock = await self._lock(seen, workflow, python, requirements)
            if new:
                self._events.tell(execution, "installing", node, phase="done")
        elif seen.lock is not None and self._layers.has(seen.lock):
            lock = seen.lock  # for the objects of its workflow's other nodes, whose classes are in there
        else:
            yield NONE
            return
        async with AsyncExitStack() as held:
            try:
                ready = await held.enter_async_context(self.installed(lock, execution=execution, node=node))
            except DependencyError:
                self._part(workflow, python)
                raise
            yield ready

    @asynccontextmanager
    async def installed(self, lock: Lock, *, execution: str, node: str) -> AsyncGenerator[Ready]:
        """The layer for this very lock. Raises as `ready` does."""
        if not lock.packages:
            yield NONE
            return
        warning = await self._vetting.vet(lock)
        installed = ""
        if self._layers.has(lock):
            metrics.LAYERS_USED.labels(found="memory").inc()
            layer = await self._layers.layer(lock)
        else:
            began = time.monotonic()
            missing = self._layers.on_disk(lock) is None
            metrics.LAYERS_USED.labels(found="built" if missing else "disk").inc()
            async with self._watched(lock, execution, node):
                layer = await self._layers.layer(lock)
            installed = _installed(layer, time.monotonic() - began) if missing else ""
        with self._layers.hold(layer.id):
            yield Ready(layer.id, tuple(filter(None, (installed, warning))))

    def decided(self, python: str, requirements: tuple[str, ...]) -> int:
        """How often a person decided on their versions: what was computed before the last time is out of date."""
        try:
            return self._layers.locks.decided(requirements, python) if requirements else 0
        except DependencyError:
            return 0  # the run says what is wrong with them

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

    async def _lock(self, seen: _Seen, workflow: str, python: str, requirements: tuple[str, ...]) -> Lock:
        known = seen.sets.get(requirements)
        if known is None:
            decided = self._layers.locks.decided(requirements, python)
            known = await self._new(seen, python, requirements, workflow, decided=bool(decided))
            seen.sets[requirements] = known
            seen.decided[requirements] = decided
            if len(seen.sets) > SETS:
                forgotten, _ = seen.sets.popitem(last=False)
                seen.decided.pop(forgotten, None)
        return known

    async def _new(
        self, seen: _Seen, python: str, requirements: tuple[str, ...], workflow: str, *, decided: bool
    ) -> Lock:
        own = None
        if decided or seen.lock is None:
            own = await self._layers.locks.lock(requirements, python, like=_pins(seen.before))
        held = _versions(own) if own is not None and decided else {}
        if seen.lock is None and own is not None:
            seen.agreed, seen.lock, seen.held = requirements, own, held
            return own
        assert seen.lock is not None  # noqa: S101 - one of both there is
        if set(requirements) <= set(seen.agreed) and held.items() <= _versions(seen.lock).items():
            seen.held |= held
            self._layers.locks.note(requirements, python, _pins(_versions(seen.lock)))
            return seen.lock
        together = tuple(dict.fromkeys((*seen.agreed, *requirements)))
        lock = await self._together(seen, together, held, python)
        if lock is None:
            log.info("packages.apart", workflow=workflow, requirements=requirements)
            return await self._layers.locks.lock(requirements, python)
        for earlier, its_lock in seen.sets.items():
            if its_lock is seen.lock:
                seen.sets[earlier] = lock
        seen.agreed, seen.lock, seen.held = together, lock, seen.held | held
        self._layers.locks.note(requirements, python, _pins(_versions(lock)))
        return lock

    async def _together(
        self, seen: _Seen, requirements: tuple[str, ...], held: Mapping[str, str], python: str
    ) -> Lock | None:
        """One lock for all, at the versions that the workflow has where that is possible, and at those decided on."""
        if any(seen.held.get(name, version) != version for name, version in held.items()):
            return None
        decided = {**seen.held, **held}
        present = _versions(seen.lock) if seen.lock else {}
        for pins in ({**present, **decided}, decided):
            like = {name: version for name, version in seen.before.items() if name not in pins}
            try:
                return await self._layers.locks.lock((*requirements, *_pins(pins)), python, like=_pins(like))
            except DependencyError:
                continue  # asked of each node alone, it gets its own answer
        return None

    def _of(self, workflow: str, python: str, execution: str) -> _Seen:
        began = workflow, python, execution
        seen = self._begun.get(began)
        if seen is None or not self._lives(execution):
            seen = self._newest(workflow, python)
        self._begun[began] = seen
        self._begun.move_to_end(began)
        if len(self._begun) > EXECUTIONS:
            self._begun.popitem(last=False)
        return seen

    def _part(self, workflow: str, python: str) -> None:
        """What could not be installed for one node must not stand in the way of the workflow's others."""
        self._seen.pop((workflow, python), None)
        for began in [each for each in self._begun if each[:2] == (workflow, python)]:
            del self._begun[began]

    def _newest(self, workflow: str, python: str) -> _Seen:
        """What is known of the workflow, begun anew where a person decided on other versions meanwhile."""
        seen = self._seen.setdefault((workflow, python), _Seen())
        if any(self._layers.locks.decided(each, python) != times for each, times in seen.decided.items()):
            before = _versions(seen.lock) if seen.lock else {}
            seen = self._seen[workflow, python] = _Seen(before=before)
        self._seen.move_to_end((workflow, python))
        if len(self._seen) > WORKFLOWS:
            self._seen.popitem(last=False)
        return seen


def _versions(lock: Lock) -> dict[str, str]:
    return {package.name: package.version for package in lock.packages}


def _pins(versions: Mapping[str, str]) -> list[str]:
    return [f"{name}=={version}" for name, version in versions.items()]


def _installed(layer: Layer, seconds: float) -> str:
    names = [f"{package.name} {package.version}" for package in layer.packages]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"Installed {shown} in {seconds:.1f} s."
