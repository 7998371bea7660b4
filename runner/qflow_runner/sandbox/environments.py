"""The environments of one sandbox: one per layer, made when a run first needs it.

What a package does when it is imported is its own affair: it may start threads, hang, or end the process. Each
of these is met once, learnt for the layer, and then left to the sessions to import, where a run's limits hold.
"""

import asyncio
from collections import OrderedDict

import structlog

from qflow_agent import wire
from qflow_runner.errors import SandboxError
from qflow_runner.sandbox.ledger import EnvironmentRecord, Ledger
from qflow_runner.sandbox.zygote import Zygote

log = structlog.get_logger()

IMPORT_DEADLINE_S = 30.0

LESSONS = 1_000
"""Layers that something is remembered of; what was forgotten is learnt again."""


class Lessons:
    """Which modules of which layer must not be imported ahead. One for all sandboxes of a runner."""

    def __init__(self) -> None:
        self._late: OrderedDict[str, set[str]] = OrderedDict()
        self._harmful: OrderedDict[str, None] = OrderedDict()

    def sensible(self, layer: str, imports: frozenset[str]) -> frozenset[str]:
        if layer in self._harmful:
            return frozenset()
        return imports - self._late.get(layer, set())

    def start_threads(self, layer: str, modules: list[str]) -> None:
        self._late.setdefault(layer, set()).update(modules)
        if len(self._late) > LESSONS:
            self._late.popitem(last=False)

    def harmful(self, layer: str) -> None:
        self._harmful[layer] = None
        if len(self._harmful) > LESSONS:
            self._harmful.popitem(last=False)


class Environments:
    def __init__(self, first: Zygote, lessons: Lessons, ledger: Ledger) -> None:
        self._ledger = ledger
        self._first = first
        self._lessons = lessons
        self._current: dict[str, Zygote] = {}
        self._old: set[Zygote] = set()
        self._starting: dict[str, asyncio.Task[Zygote]] = {}
        self._dialling: set[Zygote] = set()

    @property
    def all(self) -> list[Zygote]:
        return [*self._current.values(), *self._old, *self._dialling]

    async def get(self, layer: str, imports: frozenset[str]) -> Zygote:
        """Runs that come while it is made wait for the same one."""
        imports = self._lessons.sensible(layer, imports)
        zygote = self._current.get(layer)
        if zygote is None:
            return await asyncio.shield(self._start(layer, imports))
        if not imports <= zygote.imports and layer not in self._starting:
            # Its next sessions will have these too; the run that brought them imports them itself.
            self._start(layer, imports | zygote.imports)
        return zygote

    def expected(self, record: EnvironmentRecord) -> Zygote:
        """One that an earlier runner made, and that is to dial in again."""
        zygote = Zygote(record.layer, frozenset(record.imports), record.token)
        self._dialling.add(zygote)
        return zygote

    def returned(self, zygote: Zygote) -> None:
        """It dialled in. Of two for one layer, the one with more imports is forked from."""
        self._dialling.discard(zygote)
        current = self._current.get(zygote.layer)
        if current is None:
            self._current[zygote.layer] = zygote
        elif current.imports <= zygote.imports:
            self._current[zygote.layer] = zygote
            self._old.add(current)
        else:
            self._old.add(zygote)

    def exited(self, message: wire.Exited) -> bool:
        """Whether it was one of these that ended."""
        for zygote in self.all:
            if zygote.token == message.token:
                self._drop(zygote, f"its environment ended with status {message.status}")
                return True
        return False

    def lost(self, zygote: Zygote, reason: str) -> None:
        self._first.kill(zygote.token)
        self._drop(zygote, reason)

    def _drop(self, zygote: Zygote, reason: str) -> None:
        if self._current.get(zygote.layer) is zygote:
            del self._current[zygote.layer]
        self._old.discard(zygote)
        self._dialling.discard(zygote)
        self._ledger.ended(zygote.token)
        zygote.lose(SandboxError(f"The session was lost: {reason}."))

    def _start(self, layer: str, imports: frozenset[str]) -> asyncio.Task[Zygote]:
        starting = self._starting.get(layer)
        if starting is None:
            starting = asyncio.get_running_loop().create_task(self._made(layer, imports))
            self._starting[layer] = starting
            starting.add_done_callback(lambda task: self._started(layer, task))
        return starting

    def _started(self, layer: str, task: asyncio.Task[Zygote]) -> None:
        del self._starting[layer]
        if task.cancelled() or task.exception() is not None:
            return
        before = self._current.get(layer)
        self._current[layer] = task.result()
        self._dialling.discard(task.result())
        self._ledger.environment(EnvironmentRecord(task.result().token, layer, sorted(task.result().imports)))
        if before is not None:
            self._old.add(before)
            self.retire_unused()

    def retire_unused(self) -> None:
        """End what was replaced, once its last session is gone."""
        for zygote in [zygote for zygote in self._old if not zygote.in_use]:
            self.lost(zygote, "it was replaced")

    async def _made(self, layer: str, imports: frozenset[str]) -> Zygote:
        try:
            return await self._dial(layer, imports)
        except SandboxError as error:
            if not imports or self._first.lost:
                raise
            log.warning(
                "environment.imports_failed", layer=layer, imports=sorted(imports), reason=error.detail
            )
            self._lessons.harmful(layer)
            return await self._dial(layer, frozenset())

    async def _dial(self, layer: str, imports: frozenset[str]) -> Zygote:
        zygote = Zygote(layer, imports)
        self._dialling.add(zygote)
        self._first.send(wire.Environment(zygote.token, layer, sorted(imports)))
        try:
            async with asyncio.timeout(IMPORT_DEADLINE_S):
                await zygote.ready()
        except TimeoutError:
            self.lost(zygote, f"its packages were not imported within {IMPORT_DEADLINE_S:g} s")
            raise SandboxError(
                f"The packages of this code were not imported within {IMPORT_DEADLINE_S:g} s."
            ) from None
        if zygote.late:
            self._lessons.start_threads(layer, zygote.late)
        return zygote
