"""A warm session of a real agent, with real packages in its layer, for tests that run thousands of small calls."""

import asyncio
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from qflow_agent import wire
from qflow_runner.sandbox.backend import Limits, SandboxSpec
from qflow_runner.sandbox.environments import Lessons
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.image_files import cache_dir
from qflow_runner.sandbox.process import ProcessBackend
from tests.unit.agent.packages import packages

LAYER = "0a1b2c3d"
IMPORTS = frozenset({"pandas", "pyarrow", "PIL", "pydantic"})
READY_S = 30
RUN_S = 60.0
SPILL_S = 20


class Shelf:
    """Takes the values that one session gives, and hands them to another, as the runner does."""

    def __init__(self) -> None:
        self.values: dict[str, bytearray] = {}

    async def want(self, want: wire.Want, session: GuestSession) -> None:
        content = self.values[want.id]
        await session.send(wire.Have(want.id, len(content)))
        for at in range(0, len(content), wire.PART):
            await session.send(
                wire.Part(want.id, last=at + wire.PART >= len(content)), bytes(content[at : at + wire.PART])
            )

    async def give(self, give: wire.Give) -> None:
        self.values[give.id] = bytearray()

    async def part(self, part: wire.Part, payload: Any) -> None:
        self.values[part.id] += payload

    def told(self, told: wire.Progress | wire.Printed) -> None:
        del told

    async def over(self) -> None:
        """Nothing is half given: what a test gives fits into its run."""


class Warm:
    """One Python's agent, with two sessions: where things are made, and another one."""

    def __init__(self, python: str, directory: Path, module: Path) -> None:
        """`module` is one more module of the layer."""
        self.python = python
        self._loop = asyncio.new_event_loop()
        self._backend = ProcessBackend(cache_dir())
        self._shelf = Shelf()
        self._numbers = itertools.count(1)
        self._definitions: dict[str, wire.Define] = {}
        layer = directory / "layers" / LAYER
        layer.mkdir(parents=True)
        for place in (packages(python), packages(python, ("pydantic",))):
            for entry in place.iterdir():
                if not (layer / entry.name).exists():
                    (layer / entry.name).symlink_to(entry)
        shutil.copy(module, layer)
        self._guest, self.here, self.there = self._loop.run_until_complete(self._start(directory))

    async def _start(self, directory: Path) -> tuple[Guest, GuestSession, GuestSession]:
        guest = Guest(directory / "s", 1 << 24, lambda _: None, Lessons())
        await guest.listen()
        spec = SandboxSpec(
            id=f"warm-{self.python}",
            python=self.python,
            socket=guest.socket,
            token=guest.token,
            limits=Limits(memory_mb=4096),
            layers=directory / "layers",
            labels={},
        )
        await self._backend.boot(spec)
        async with asyncio.timeout(READY_S):
            await guest.ready()
            zygote = await guest.environment(LAYER, IMPORTS)
            return guest, await zygote.take(), await zygote.take()

    def close(self) -> None:
        self._guest.close()
        self._loop.run_until_complete(self._backend.remove(f"warm-{self.python}"))
        self._loop.close()

    def items(
        self,
        code: str,
        items: list[dict[str, Any]],
        args: dict[str, Any] | None = None,
        *,
        output: str = "items",
        elsewhere: bool = False,
    ) -> list[dict[str, Any]]:
        """The items that a run gives, in the one session or `elsewhere`. Raises GuestProblem."""
        key = f"{output}:{code}"
        define = self._definitions.get(key)
        if define is None:
            name = f"d{len(self._definitions)}"
            define = self._definitions[key] = wire.Define(name, code, output=output)
        body = json.dumps({"items": items, "args": [args] if args else []}).encode()
        run = wire.Run(next(self._numbers), define.definition, time_limit_s=RUN_S)
        session = self.there if elsewhere else self.here
        _, payload = self._loop.run_until_complete(session.run(define, run, body, self._shelf))
        return json.loads(payload)  # type: ignore[arg-type]

    def hand_over(self, reference: str) -> dict[str, str]:
        """Have the session write the value to the shelf, as when another one asks. A sentence, where it cannot."""
        wanted = wire.Spill([reference], True)
        return self._loop.run_until_complete(self.here.spill(wanted, self._shelf, SPILL_S))
