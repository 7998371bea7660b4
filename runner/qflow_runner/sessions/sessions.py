"""Which process holds which execution.

An execution has one session per environment that its nodes need, and one more for each lane of nodes that run beside
the others. A session serves one run at a time; a second run of the same lane waits for the first. What ends a session:
the execution is over (DELETE), it was idle for too long, its sandbox has more sessions than it may keep and this one
was unused the longest, or its run failed in a way that leaves the process in doubt. What it kept for later is spilled
before, unless the execution is over.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from qflow_runner.background import Background
from qflow_runner.observe import metrics
from qflow_runner.sandbox.adopting import Returned
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.zygote import Zygote
from qflow_runner.sessions.desk import Place
from qflow_runner.sessions.held import Held, clock
from qflow_runner.sessions.values import Values

TIDY_AFTER_S = 0.002

Spot = tuple[str, str, str, int]
"""A workflow, an execution, a layer, and a lane."""


class Sessions:
    def __init__(self, idle_s: float, per_sandbox: int, values: Values) -> None:
        self._idle_s = idle_s
        self._per_sandbox = per_sandbox
        self._values = values
        self._held: WeakKeyDictionary[Guest, OrderedDict[Spot, Held]] = WeakKeyDictionary()
        self._spots: dict[str, set[tuple[Guest, Spot]]] = {}
        self._untidy: dict[Guest, set[Zygote]] = {}
        self._background = Background()

    @asynccontextmanager
    async def lease(
        self, guest: Guest, zygote: Zygote, place: Place
    ) -> AsyncGenerator[tuple[Held, GuestSession]]:
        """The execution's place in this environment, with a session, for one run.

        Raises SandboxError when no session could be started.
        """
        spot = (place.workflow, place.execution, zygote.layer, place.lane)
        sandbox = self._held.setdefault(guest, OrderedDict())
        held = sandbox.get(spot)
        if held is None:
            held = self._place(guest, spot)
        sandbox.move_to_end(spot)
        held.users += 1
        if held.expiry is not None:
            held.expiry.cancel()
            held.expiry = None
        try:
            async with held.turn:
                if held.session is None or held.session.ended:
                    if held.kept:
                        self._values.lost(held, f"the session that held it ended before {clock()}")
                        held.spilled.clear()
                    held.begin(await zygote.take(), zygote.token)
                    metrics.SESSIONS_BEGUN.inc()
                    assert held.session is not None  # noqa: S101 - it was given just now
                yield held, held.session
        finally:
            held.users -= 1
            if not held.users:
                self._release(guest, spot, held)
            self._tidy_soon(guest, zygote)

    def returned(self, guest: Guest, sessions: list[Returned]) -> None:
        """Called for a sandbox of an earlier runner: its idle sessions go on where they were."""
        loop = asyncio.get_running_loop()
        for each in sessions:
            record = each.record
            spot = record.workflow, record.execution, record.layer, record.lane
            held = self._place(guest, spot)
            self._values.returned(held, record.kept, record.spilled)
            held.begin(each.session, record.zygote)
            held.expiry = loop.call_later(self._idle_s, self._expire, guest, spot)

    def _place(self, guest: Guest, spot: Spot) -> Held:
        workflow, execution, layer, lane = spot
        held = Held(Place(workflow, execution, lane), layer, guest.ledger)
        self._held.setdefault(guest, OrderedDict())[spot] = held
        self._spots.setdefault(execution, set()).add((guest, spot))
        return held

    async def end(self, execution: str) -> int:
        """The execution is over. Ends its sessions, also one with a run in it, and says how many there were."""
        ended = 0
        for guest, spot in list(self._spots.get(execution, ())):
            held = self._held.get(guest, {}).get(spot)
            self._drop(guest, spot)
            if held is None:
                continue
            if held.session is not None and not held.session.ended:
                held.session.end()
                ended += 1
            self._values.over(held)
        await self._values.forget(execution)
        return ended

    async def farewell(self, guest: Guest) -> None:
        """The sandbox is about to be removed: what its sessions keep is saved."""
        for spot, held in list(self._held.get(guest, OrderedDict[Spot, Held]()).items()):
            if held.kept:
                async with held.turn:
                    await self._values.leave(held, f"its sandbox was stopped at {clock()}")
            self._drop(guest, spot)

    async def spread(self, workflow: str, references: Iterable[str]) -> dict[str, str]:
        """Have these values in the store too, for sessions that run beside those which made them. See Values."""
        return await self._values.spread(workflow, references)

    def lives(self, execution: str) -> bool:
        """Whether it has a session, and with it what its runs left there."""
        return execution in self._spots

    def relieve(self, guest: Guest) -> None:
        """Its memory runs short: what idle sessions keep moves to the store, and what the busy one keeps follows it."""
        for spot, held in list(self._held.get(guest, OrderedDict[Spot, Held]()).items()):
            if held.kept and not held.users:
                self._expire(guest, spot)
            elif held.kept:
                self._background.start(self._unburden(held))

    async def _unburden(self, held: Held) -> None:
        async with held.turn:
            await self._values.move(held)

    @property
    def executions(self) -> set[tuple[str, str]]:
        """Those that have sessions, each with its workflow."""
        return {(spot[0], spot[1]) for spots in self._held.values() for spot in spots}

    def ask_elsewhere(self, ask: Callable[[str, str], Awaitable[None]]) -> None:
        """How other workers of a cluster are asked for a value that nobody has here. See Values."""
        self._values.elsewhere = ask

    def disown(self, workflow: str, execution: str) -> None:
        """It is at home elsewhere now: its idle sessions end, and what they keep moves to the store."""
        for guest, spot in list(self._spots.get(execution, ())):
            if spot[0] == workflow:
                self._expire(guest, spot)

    def count(self, guest: Guest) -> int:
        return len(self._held.get(guest, ()))

    @property
    def total(self) -> int:
        return sum(map(len, self._held.values()))

    def _release(self, guest: Guest, spot: Spot, held: Held) -> None:
        if held.session is None or held.session.ended:
            if held.kept:
                self._values.lost(held, f"the session that held it was ended at {clock()}")
            if self._held.get(guest, {}).get(spot) is held:
                self._drop(guest, spot)
        else:
            loop = asyncio.get_running_loop()
            held.expiry = loop.call_later(self._idle_s, self._expire, guest, spot)

    def _expire(self, guest: Guest, spot: Spot) -> None:
        held = self._held.get(guest, {}).get(spot)
        if held is None or held.users:
            return
        if held.kept:
            self._background.start(self._leave(guest, spot, held))
            return
        if held.session is not None:
            held.session.end()
        self._drop(guest, spot)

    async def _leave(self, guest: Guest, spot: Spot, held: Held) -> None:
        async with held.turn:
            if held.users:
                return  # a run came meanwhile
            await self._values.leave(held, f"its session was unused until {clock()}")
            if held.session is not None:
                held.session.end()
            self._drop(guest, spot)

    def _tidy_soon(self, guest: Guest, zygote: Zygote) -> None:
        """Forks and exits wait until the reply is out: on a small machine they would compete with it for the CPU."""
        zygotes = self._untidy.get(guest)
        if zygotes is None:
            self._untidy[guest] = {zygote}
            asyncio.get_running_loop().call_later(TIDY_AFTER_S, self._tidy, guest)
        else:
            zygotes.add(zygote)

    def _tidy(self, guest: Guest) -> None:
        zygotes = self._untidy.pop(guest)
        sandbox = self._held.get(guest, OrderedDict[Spot, Held]())
        surplus = len(sandbox) - self._per_sandbox
        for spot in [spot for spot, held in sandbox.items() if not held.users][: max(surplus, 0)]:
            self._expire(guest, spot)
        for zygote in zygotes:
            zygote.replenish()
        guest.tidy()

    def _drop(self, guest: Guest, spot: Spot) -> None:
        held = self._held.get(guest, OrderedDict[Spot, Held]()).pop(spot, None)
        if held is not None:
            held.over()
            if held.expiry is not None:
                held.expiry.cancel()
        spots = self._spots.get(spot[1])
        if spots is not None:
            spots.discard((guest, spot))
            if not spots:
                del self._spots[spot[1]]
