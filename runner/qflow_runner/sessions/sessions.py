"""Which process holds which execution.

An execution has one session per environment that its nodes need. A session serves one run at a time; a second run
of the same execution waits for the first. What ends a session: the execution is over (DELETE), it was idle for too
long, its sandbox has more sessions than it may keep and this one was unused the longest, or its run failed in a
way that leaves the process in doubt. What it kept for later is spilled before, unless the execution is over.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.zygote import Zygote

TIDY_AFTER_S = 0.002

Place = tuple[str, str]
"""An execution and a layer."""


class _Held:
    """An execution's place in one environment of one sandbox."""

    def __init__(self) -> None:
        self.session: GuestSession | None = None
        self.turn = asyncio.Lock()
        self.users = 0
        self.expiry: asyncio.TimerHandle | None = None


class Sessions:
    def __init__(self, idle_s: float, per_sandbox: int) -> None:
        self._idle_s = idle_s
        self._per_sandbox = per_sandbox
        self._held: WeakKeyDictionary[Guest, OrderedDict[Place, _Held]] = WeakKeyDictionary()
        self._places: dict[str, set[tuple[Guest, Place]]] = {}
        self._untidy: dict[Guest, set[Zygote]] = {}

    @asynccontextmanager
    async def lease(self, guest: Guest, zygote: Zygote, execution: str) -> AsyncGenerator[GuestSession]:
        """The execution's session in this environment, for one run. Raises SandboxError when none could be started."""
        place = (execution, zygote.layer)
        sandbox = self._held.setdefault(guest, OrderedDict())
        held = sandbox.get(place)
        if held is None:
            held = sandbox[place] = _Held()
            self._places.setdefault(execution, set()).add((guest, place))
        sandbox.move_to_end(place)
        held.users += 1
        if held.expiry is not None:
            held.expiry.cancel()
            held.expiry = None
        try:
            async with held.turn:
                if held.session is None or held.session.ended:
                    held.session = await zygote.take()
                yield held.session
        finally:
            held.users -= 1
            if not held.users:
                self._release(guest, place, held)
            self._tidy_soon(guest, zygote)

    def end(self, execution: str) -> int:
        """The execution is over. Ends its sessions, also one with a run in it, and says how many there were."""
        ended = 0
        for guest, place in list(self._places.get(execution, ())):
            held = self._held.get(guest, {}).get(place)
            if held is not None and held.session is not None and not held.session.ended:
                held.session.end()
                ended += 1
            self._drop(guest, place)
        return ended

    def count(self, guest: Guest) -> int:
        return len(self._held.get(guest, ()))

    @property
    def total(self) -> int:
        return sum(map(len, self._held.values()))

    def _release(self, guest: Guest, place: Place, held: _Held) -> None:
        if held.session is None or held.session.ended:
            if self._held.get(guest, {}).get(place) is held:
                self._drop(guest, place)
        else:
            loop = asyncio.get_running_loop()
            held.expiry = loop.call_later(self._idle_s, self._expire, guest, place)

    def _expire(self, guest: Guest, place: Place) -> None:
        held = self._held.get(guest, {}).get(place)
        if held is not None and not held.users:
            if held.session is not None:
                held.session.end()
            self._drop(guest, place)

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
        sandbox = self._held.get(guest, OrderedDict[Place, _Held]())
        while len(sandbox) > self._per_sandbox:
            oldest = next((place for place, held in sandbox.items() if not held.users), None)
            if oldest is None:
                break  # all are in use: the sandbox's own limits are what holds them
            self._expire(guest, oldest)
        for zygote in zygotes:
            zygote.replenish()
        guest.tidy()

    def _drop(self, guest: Guest, place: Place) -> None:
        held = self._held.get(guest, OrderedDict[Place, _Held]()).pop(place, None)
        if held is not None and held.expiry is not None:
            held.expiry.cancel()
        places = self._places.get(place[0])
        if places is not None:
            places.discard((guest, place))
            if not places:
                del self._places[place[0]]
