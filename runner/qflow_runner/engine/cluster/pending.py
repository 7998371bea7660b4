"""The runs that a process handed over and waits for, and what becomes of each when a worker, or Redis, is lost.

A run is begun at most once. One that was not begun can be made void in Redis, and then handed over anew; of one that
may have been begun and whose reply cannot come any more, the caller is told so.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from qflow_runner.engine.cluster.members import Members
from qflow_runner.engine.cluster.messages import Reply
from qflow_runner.engine.cluster.scripts import Scripts
from qflow_runner.errors import ReplyLost, WorkerLost

TAKEN_S = 5.0
"""A run that nobody began so long after it left its queue was lost on the way: as where a network was cut."""


class NeverBegun(Exception):
    """Nobody began the run, and nobody will."""

    def __init__(self, *, waited: bool) -> None:
        """`waited`: as long as it may; otherwise its worker was lost."""
        super().__init__()
        self.waited = waited


@dataclass(eq=False)
class Pending:
    """`worker` is empty while any may take it; `sent` is when, and `until` when it must have begun (monotonic)."""

    id: str
    queue: str
    worker: str
    epoch: str
    sent: float
    until: float
    reply: "asyncio.Future[Reply]"
    begun: bool = False
    missed_since: float | None = None

    def fail(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)


class Watch:
    """Looks after the pending runs of one process."""

    def __init__(self, caller: str, scripts: Scripts, members: Members, lost_s: float) -> None:
        """`lost_s`: a run that was begun, and that no worker names for so long, will not be answered."""
        self._lost_s = lost_s
        self._caller = caller
        self._scripts = scripts
        self._members = members
        self._pending: dict[str, Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, pending: Pending) -> None:
        self._pending[pending.id] = pending

    def remove(self, pending: Pending) -> None:
        self._pending.pop(pending.id, None)

    @property
    def queues(self) -> set[str]:
        """In which runs wait that were not begun, as far as is known."""
        return {each.queue for each in self._pending.values() if not each.begun}

    async def look(self, lost: list[str], queued: Mapping[str, int]) -> None:
        """After each look at the members; `queued` has the lengths of `queues`. Raises what the client raises."""
        running = {run: member.name for member in self._members.known.values() for run in member.runs}
        now = time.monotonic()
        for each in list(self._pending.values()):
            worker = running.get(each.id)
            if worker is not None:
                each.worker, each.begun, each.missed_since = worker, True, None
            elif each.epoch != self._members.epoch:
                self._missing(each, now, "Redis was restarted while the run was on its way")
            elif each.begun and each.worker in self._members.known:
                self._missing(
                    each, now, f"The worker {each.worker} is not at it any more, and did not answer"
                )
            elif lost and (not each.worker or each.worker in lost):
                await self._examine(each, waited=False)
            elif not each.begun and now > each.until:
                await self._examine(each, waited=True)
            elif not each.begun and now > each.sent + TAKEN_S and queued.get(each.queue) == 0:
                await self._examine(each, waited=False)

    async def _examine(self, pending: Pending, *, waited: bool) -> None:
        who = await self._scripts.void(pending.id, self._caller, pending.epoch)
        if who in {"", self._caller}:
            pending.fail(NeverBegun(waited=waited))
        elif who in self._members.known:
            pending.worker, pending.begun = who, True
        elif who != "?":
            pending.fail(WorkerLost(f"The worker {who} was lost while it had the run."))

    def _missing(self, pending: Pending, now: float, why: str) -> None:
        if pending.missed_since is None:
            pending.missed_since = now
        elif now - pending.missed_since > self._lost_s:
            pending.fail(ReplyLost(f"{why}: whether it was made is not known."))
