"""Which sandboxes there are, and which run gets which: a pure state machine.

Events and the time go in, actions come out; the keeper carries them out. Nothing here waits, asks a clock or
touches a container, so every situation can be replayed in a test.

A lease for a workflow that has its sandbox is granted in constant time and comes past nothing else. Everything
else ends in `_settle`, which always does the same things in the same order: what is overdue goes, waiting
workflows are served, the floor of warm sandboxes is filled.
"""

from typing import Any, assert_never

from qflow_runner.sandbox.pool_events import (
    Action,
    Boot,
    Draining,
    Event,
    Grant,
    Key,
    LeaseAbandoned,
    LeaseReturned,
    LeaseWanted,
    PoolLimits,
    Reason,
    Refuse,
    Retire,
    RetireWanted,
    SandboxFound,
    SandboxLost,
    SandboxReady,
    Tick,
)
from qflow_runner.sandbox.pool_line import Line, Queue
from qflow_runner.sandbox.pool_stock import NEVER, Sandbox, State, Stock, first

__all__ = [
    "Action",
    "Boot",
    "Draining",
    "Event",
    "Grant",
    "Key",
    "LeaseAbandoned",
    "LeaseReturned",
    "LeaseWanted",
    "Pool",
    "PoolLimits",
    "Reason",
    "Refuse",
    "Retire",
    "RetireWanted",
    "SandboxFound",
    "SandboxLost",
    "SandboxReady",
    "State",
    "Tick",
]


class _Pause:
    """How long the floor is left alone after boots that failed."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._failures = 0
        self.until = 0.0

    def failed(self, now: float) -> None:
        # Boots under way at the same time fail of the same cause: they count once.
        if now >= self.until:
            self.until = now + min(self._limits.pause_s * 2.0**self._failures, self._limits.pause_cap_s)
            self._failures = min(self._failures + 1, 30)

    def succeeded(self) -> None:
        self._failures = 0
        self.until = 0.0


class Pool:
    """The sandboxes of one runner. `now` is always monotonic seconds, and never goes back.

    Sandboxes are named `<prefix><number>`: who shares a machine with other runners gives each a prefix of its own.
    """

    def __init__(self, limits: PoolLimits, prefix: str = "s") -> None:
        self._limits = limits
        self._stock = Stock(limits, prefix)
        self._line = Line()
        self._pause = _Pause(limits)
        self._draining = False

    def handle(self, event: Event, now: float) -> list[Action]:
        """What is to be done about it, in this order. Ids that are not known, or not any more, are ignored."""
        match event:
            case LeaseWanted():
                return self._wanted(event, now)
            case LeaseReturned(lease):
                return self._returned(lease, now)
            case LeaseAbandoned(lease):
                return self._abandoned(lease, now)
            case SandboxFound():
                return self._found(event, now)
            case SandboxReady(name):
                return self._ready(name, now)
            case SandboxLost(name, reason):
                return self._lost(name, reason, now)
            case RetireWanted(name):
                return self._retire_wanted(name, now)
            case Tick():
                return self._settle([], now)
            case Draining():
                return self._drain()
            case _:
                assert_never(event)

    def next_tick(self) -> float | None:
        """When a Tick is needed at the latest, if nothing else happens before. Asked after every event."""
        stock, idle_s = self._stock, self._limits.idle_s
        due = self._floor_due()
        if (deadline := self._line.next_deadline()) is not None and deadline < due:
            due = deadline
        if stock.idle and (idle_end := first(stock.idle).idle_since + idle_s) < due:
            due = idle_end
        if stock.aging and (expires := first(stock.aging).expires) < due:
            due = expires
        for sandbox in stock.surplus():
            due = min(due, sandbox.idle_since + idle_s)
        return None if due == NEVER else due

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        """One row per sandbox, the oldest first. `idle_s` is None while it boots or is in use."""
        return [
            {
                "id": sandbox.id,
                "state": sandbox.state.value,
                "workflow": sandbox.key.workflow if sandbox.key else None,
                "python": sandbox.python,
                "leases": len(sandbox.leases),
                "age_s": round(now - sandbox.booted_at, 3),
                "idle_s": None
                if sandbox.leases or sandbox.state is State.BOOTING
                else round(now - sandbox.idle_since, 3),
            }
            for sandbox in self._stock.all.values()
        ]

    # one method per event

    def _wanted(self, event: LeaseWanted, now: float) -> list[Action]:
        stock, lease = self._stock, event.lease
        actions: list[Action] = []
        sandbox = stock.owned.get(event.key)
        if sandbox is not None:
            if not sandbox.leases and sandbox.expires <= now:
                self._retire(sandbox, actions)
            elif not self._line or not (self._line.has(event.key) or self._others_turn(sandbox, None, now)):
                self._grant(sandbox, lease, actions)
                return actions
        if self._draining:
            return [Refuse(lease, "draining", "The runner is stopping.")]
        self._line.join(lease, event.key, event.deadline)
        return self._settle(actions, now)

    def _returned(self, lease: int, now: float) -> list[Action]:
        sandbox = self._stock.leased.pop(lease, None)
        if sandbox is None:
            return []
        sandbox.leases.discard(lease)
        if sandbox.leases:
            return []
        sandbox.idle_since = now
        if sandbox.expires > now:
            self._stock.idle[sandbox.id] = sandbox
            return self._settle([], now) if self._line else []
        actions: list[Action] = []
        self._retire(sandbox, actions)
        return self._settle(actions, now)

    def _abandoned(self, lease: int, now: float) -> list[Action]:
        if not self._leave_line(lease):
            return self._returned(lease, now)
        return self._settle([], now)

    def _found(self, event: SandboxFound, now: float) -> list[Action]:
        if self._draining or self._stock.full or event.key in self._stock.owned:
            return [Retire(event.sandbox)]
        sandbox = Sandbox(event.sandbox, event.python, booted_at=event.booted_at)
        self._stock.found(sandbox, event.key, event.owned_at, now)
        return self._settle([], now)

    def _ready(self, name: str, now: float) -> list[Action]:
        sandbox = self._stock.booting.get(name)
        if sandbox is None:
            return []
        if sandbox.claim is not None:
            # Whoever came first takes it; this queue then inherits the other's boot in `_serve`.
            sandbox.claim.boot = None
            sandbox.claim = None
        self._stock.booted(sandbox, now)
        if sandbox.python == self._limits.default_python:
            self._pause.succeeded()
        return self._settle([], now)

    def _lost(self, name: str, reason: str, now: float) -> list[Action]:
        sandbox = self._stock.all.get(name)
        if sandbox is None:
            return []
        # A warm sandbox that dies by itself is paused for as well: it would be booted again and again.
        if sandbox.key is None and sandbox.python == self._limits.default_python:
            self._pause.failed(now)
        queue = sandbox.claim
        self._stock.forget(sandbox)
        actions: list[Action] = []
        if queue is not None:
            if queue.boot_failed:
                self._refuse_all(queue, "boot_failed", reason, actions)
            else:
                queue.boot_failed = True
        return self._settle(actions, now)

    def _retire_wanted(self, name: str, now: float) -> list[Action]:
        sandbox = self._stock.all.get(name)
        if sandbox is None:
            return []
        actions: list[Action] = []
        self._retire(sandbox, actions)
        return self._settle(actions, now)

    def _drain(self) -> list[Action]:
        self._draining = True
        actions: list[Action] = []
        for queue in self._line.queues():
            self._refuse_all(queue, "draining", "The runner is stopping.", actions)
        for sandbox in list(self._stock.all.values()):
            if sandbox.leases:
                self._stock.last_leases(sandbox)
            else:
                self._retire(sandbox, actions)
        return actions

    # what follows from any event

    def _settle(self, actions: list[Action], now: float) -> list[Action]:
        if not self._draining:
            self._expire(actions, now)
            self._serve(actions, now)
            if self._limits.on_exhausted == "fail":
                self._refuse_hopeless(actions)
            self._keep_floor(actions, now)
        return actions

    def _expire(self, actions: list[Action], now: float) -> None:
        stock, idle_s = self._stock, self._limits.idle_s
        while (overdue := self._line.overdue(now)) is not None:
            lease, queue = overdue
            actions.append(Refuse(lease, "deadline", self._cause(queue)))
            self._leave_line(lease)
        while stock.aging and (oldest := first(stock.aging)).expires <= now:
            del stock.aging[oldest.id]
            if not oldest.leases:
                self._retire(oldest, actions)
        while stock.idle and (unused := first(stock.idle)).idle_since + idle_s <= now:
            self._retire(unused, actions)
        while left_over := [each for each in stock.surplus() if each.idle_since + idle_s <= now]:
            for sandbox in left_over:
                self._retire(sandbox, actions)

    def _serve(self, actions: list[Action], now: float) -> None:
        stock = self._stock
        for queue in self._line.queues():
            python = queue.key.python
            if (owned := stock.owned.get(queue.key)) is not None:
                if not self._others_turn(owned, queue, now):
                    self._rejoin(owned, queue, actions)
            elif (warm := stock.warm(python)) is not None:
                self._give(warm, queue, actions, now)
            elif queue.boot is None:
                boot = next((each for each in stock.unclaimed() if each.python == python), None)
                if boot is None and stock.may_boot and self._make_room(actions):
                    boot = self._boot(python, actions, now)
                if boot is not None:
                    boot.claim = queue
                    queue.boot = boot.id

    def _refuse_hopeless(self, actions: list[Action]) -> None:
        """Refuse who would have to wait for another run to end; who waits for boots alone has a place."""
        stock = self._stock
        in_use = len(stock.owned) - len(stock.idle)
        claimed = sum(sandbox.claim is not None for sandbox in stock.booting.values())
        places = self._limits.ceiling - in_use - claimed
        placeless = [
            queue for queue in self._line.queues() if queue.boot is None and queue.key not in stock.owned
        ]
        for queue in placeless[places:]:
            self._refuse_all(queue, "full", f"All {self._limits.ceiling} sandboxes are in use.", actions)

    def _keep_floor(self, actions: list[Action], now: float) -> None:
        while self._floor_due() <= now:
            if self._stock.full and (victim := self._stock.longest_unused()) is not None:
                self._retire(victim, actions)
            self._boot(self._limits.default_python, actions, now)

    def _floor_due(self) -> float:
        """When a sandbox may be booted for the floor; NEVER if none is missing, or something must end before."""
        stock = self._stock
        if self._draining or not stock.may_boot or stock.floor_met():
            return NEVER
        if not stock.full:
            return self._pause.until
        victim = stock.longest_unused()
        return (
            NEVER
            if victim is None
            else max(self._pause.until, victim.idle_since + self._limits.recycle_after_s)
        )

    # the parts

    def _make_room(self, actions: list[Action]) -> bool:
        """Whether there is a place to boot in, after retiring an unused sandbox if need be."""
        if not self._stock.full:
            return True
        # A workflow that waits goes before one that may come; it cannot use the floor's sandbox, or it had it already.
        victim = self._stock.longest_unused() or self._stock.warm(self._limits.default_python)
        if victim is None:
            return False
        self._retire(victim, actions)
        return True

    def _boot(self, python: str, actions: list[Action], now: float) -> Sandbox:
        sandbox = self._stock.boot(python, now)
        actions.append(Boot(sandbox.id, python))
        return sandbox

    def _others_turn(self, sandbox: Sandbox, queue: Queue | None, now: float) -> bool:
        """Whether others that came before `queue` wait for a place, and this sandbox had its turn."""
        if not sandbox.leases or not self._stock.full or now - sandbox.owned_at < self._limits.turn_s:
            return False
        for other in self._line.queues():
            if other is queue:
                return False
            if other.boot is None and other.key not in self._stock.owned:
                return True
        return False

    def _rejoin(self, sandbox: Sandbox, queue: Queue, actions: list[Action]) -> None:
        for lease in queue.leases:
            self._grant(sandbox, lease, actions)
        self._line.remove(queue)

    def _grant(self, sandbox: Sandbox, lease: int, actions: list[Action]) -> None:
        if not sandbox.leases:
            del self._stock.idle[sandbox.id]
        sandbox.leases.add(lease)
        self._stock.leased[lease] = sandbox
        actions.append(Grant(lease, sandbox.id))

    def _give(self, sandbox: Sandbox, queue: Queue, actions: list[Action], now: float) -> None:
        self._stock.give(sandbox, queue.key, now)
        for lease in queue.leases:
            sandbox.leases.add(lease)
            self._stock.leased[lease] = sandbox
            actions.append(Grant(lease, sandbox.id))
        self._line.remove(queue)
        self._unclaim(queue)

    def _refuse_all(self, queue: Queue, reason: Reason, detail: str, actions: list[Action]) -> None:
        actions.extend(Refuse(lease, reason, detail) for lease in queue.leases)
        self._line.remove(queue)
        self._unclaim(queue)

    def _leave_line(self, lease: int) -> bool:
        queue = self._line.leave(lease)
        if queue is not None and not queue.leases:
            self._unclaim(queue)
        return queue is not None

    def _unclaim(self, queue: Queue) -> None:
        if queue.boot is not None:
            self._stock.booting[queue.boot].claim = None
            queue.boot = None

    def _retire(self, sandbox: Sandbox, actions: list[Action]) -> None:
        self._stock.forget(sandbox)
        actions.append(Retire(sandbox.id))

    def _cause(self, queue: Queue) -> str:
        if queue.boot is not None:
            return "Its sandbox was still booting."
        if not self._stock.full:
            return "Other sandboxes were booting first."
        return f"All {self._limits.ceiling} sandboxes were in use."
