"""Which process holds which execution.

A session serves one run at a time; a second run of the same execution waits for the first. What ends a session:
the execution is over (DELETE), it was idle for too long, its sandbox has more sessions than it may keep and this
one was unused the longest, or its run failed in a way that leaves the process in doubt.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession

TIDY_AFTER_S = 0.002


class _Held:
    """An execution's place in one sandbox."""

    def __init__(self) -> None:
        self.session: GuestSession | None = None
        self.turn = asyncio.Lock()
        self.users = 0
        self.expiry: asyncio.TimerHandle | None = None


class Sessions:
    def __init__(self, idle_s: float, per_sandbox: int) -> None:
        self._idle_s = idle_s
        self._per_sandbox = per_sandbox
        self._held: WeakKeyDictionary[Guest, OrderedDict[str, _Held]] = WeakKeyDictionary()
        self._guests: dict[str, set[Guest]] = {}
        self._untidy: set[Guest] = set()

    @asynccontextmanager
    async def lease(self, guest: Guest, execution: str) -> AsyncGenerator[GuestSession]:
        """The execution's session in this sandbox, for one run. Raises SandboxError when none could be started."""
        sandbox = self._held.setdefault(guest, OrderedDict())
        held = sandbox.get(execution)
        if held is None:
            held = sandbox[execution] = _Held()
            self._guests.setdefault(execution, set()).add(guest)
        sandbox.move_to_end(execution)
        held.users += 1
        if held.expiry is not None:
            held.expiry.cancel()
            held.expiry = None
        try:
            async with held.turn:
                if held.session is None or held.session.ended:
                    held.session = await guest.take()
                yield held.session
        finally:
            held.users -= 1
            if not held.users:
                self._release(guest, execution, held)
            self._tidy_soon(guest)

    def end(self, execution: str) -> int:
        """The execution is over. Ends its sessions, also one with a run in it, and says how many there were."""
        ended = 0
        for guest in list(self._guests.get(execution, ())):
            held = self._held.get(guest, {}).get(execution)
            if held is not None and held.session is not None and not held.session.ended:
                held.session.end()
                ended += 1
            self._drop(guest, execution)
        return ended

    def count(self, guest: Guest) -> int:
        return len(self._held.get(guest, ()))

    @property
    def total(self) -> int:
        return sum(map(len, self._held.values()))

    def _release(self, guest: Guest, execution: str, held: _Held) -> None:
        if held.session is None or held.session.ended:
            if self._held.get(guest, {}).get(execution) is held:
                self._drop(guest, execution)
        else:
            loop = asyncio.get_running_loop()
            held.expiry = loop.call_later(self._idle_s, self._expire, guest, execution)

    def _expire(self, guest: Guest, execution: str) -> None:
        held = self._held.get(guest, {}).get(execution)
        if held is not None and not held.users:
            if held.session is not None:
                held.session.end()
            self._drop(guest, execution)

    def _tidy_soon(self, guest: Guest) -> None:
        """Forks and exits wait until the reply is out: on a small machine they would compete with it for the CPU."""
        if guest not in self._untidy:
            self._untidy.add(guest)
            asyncio.get_running_loop().call_later(TIDY_AFTER_S, self._tidy, guest)

    def _tidy(self, guest: Guest) -> None:
        self._untidy.discard(guest)
        sandbox = self._held.get(guest, OrderedDict[str, _Held]())
        while len(sandbox) > self._per_sandbox:
            oldest = next((name for name, held in sandbox.items() if not held.users), None)
            if oldest is None:
                break  # all are in use: the sandbox's own limits are what holds them
            self._expire(guest, oldest)
        guest.replenish()

    def _drop(self, guest: Guest, execution: str) -> None:
        held = self._held.get(guest, OrderedDict[str, _Held]()).pop(execution, None)
        if held is not None and held.expiry is not None:
            held.expiry.cancel()
        guests = self._guests.get(execution)
        if guests is not None:
            guests.discard(guest)
            if not guests:
                del self._guests[execution]
