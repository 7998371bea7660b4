"""One run's use of its sandbox's way to the network, from before its code starts until its answer was read."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from qflow_runner.egress.gate import Gate
from qflow_runner.errors import GuestProblem, RunTimeout


class Use:
    """`proxy` is for the session's http clients; empty where it needs none."""

    def __init__(self, gate: Gate | None) -> None:
        self.proxy = gate.proxy if gate is not None else ""
        self._gate = gate
        self._began = time.monotonic()

    def hints(self) -> list[str]:
        """What was refused or failed meanwhile."""
        return self._gate.troubles(self._began) if self._gate is not None else []


@asynccontextmanager
async def used(
    gate: Gate | None,
    workflow: str,
    execution: str,
    lines: Sequence[str],
    bounds: Sequence[Sequence[str]] = (),
) -> AsyncGenerator[Use]:
    """Raises as Gate.allow does. A failure of the code that leaves is given what went wrong in the network as a hint."""
    if gate is None:
        yield Use(None)
        return
    if lines or bounds:
        await gate.allow(workflow, lines, bounds)
    with gate.used_by(execution):
        use = Use(gate)
        try:
            yield use
        except (GuestProblem, RunTimeout) as error:
            if hints := use.hints():
                error.hint = " ".join(filter(None, [error.hint, *hints]))
            raise
