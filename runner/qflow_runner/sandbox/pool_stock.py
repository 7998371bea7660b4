"""The sandboxes that there are, kept so that what is due next is always in front and nothing is searched."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from qflow_runner.sandbox.pool_events import Key, PoolLimits
from qflow_runner.sandbox.pool_line import Queue

NEVER = float("inf")


class State(StrEnum):
    """Where a sandbox is in its life.

               ready         first lease        draining, in use
    BOOTING ──────────▶ WARM ───────────▶ OWNED ────────────────▶ RETIRING
       │                 │                  │                        │
       └─────────────────┴──────────────────┴────────────────────────┴──▶ gone

    Gone: retired (when unused, or because someone wants it gone), or lost. An owned sandbox is never warm again,
    because a workflow's code ran in it.
    """

    BOOTING = "booting"
    WARM = "warm"
    OWNED = "owned"
    RETIRING = "retiring"


@dataclass(slots=True, eq=False)
class Sandbox:
    """One place of the pool. Times in monotonic seconds.

    Attributes:
        claim: The queue that waits for it while it boots.
        idle_since: When it became warm, or its last lease was returned.
        owned_at: When it was given to its workflow.
        expires: From then on it is retired as soon as it has no leases.
    """

    id: str
    python: str
    booted_at: float
    state: State = State.BOOTING
    claim: Queue | None = None
    key: Key | None = None
    leases: set[int] = field(default_factory=set[int])
    idle_since: float = 0.0
    owned_at: float = 0.0
    expires: float = NEVER


class Stock:
    """Every sandbox, findable by what it can be used for. Holds no rules: it does what the pool says."""

    def __init__(self, limits: PoolLimits, prefix: str) -> None:
        self._limits = limits
        self._prefix = prefix
        self._named = 0
        self.all: dict[str, Sandbox] = {}
        self.booting: dict[str, Sandbox] = {}
        self.owned: dict[Key, Sandbox] = {}
        self.leased: dict[int, Sandbox] = {}
        self.idle: OrderedDict[str, Sandbox] = (
            OrderedDict()
        )  # owned, without leases; the longest unused first
        self.aging: OrderedDict[str, Sandbox] = OrderedDict()  # owned, not over age yet; the oldest first
        self._warm: dict[str, OrderedDict[str, Sandbox]] = {}  # by Python; the longest warm first

    @property
    def full(self) -> bool:
        return len(self.all) >= self._limits.ceiling

    @property
    def may_boot(self) -> bool:
        return len(self.booting) < self._limits.booting_at_once

    def unclaimed(self) -> Iterator[Sandbox]:
        """What boots and nobody waits for."""
        return (sandbox for sandbox in self.booting.values() if sandbox.claim is None)

    def warm(self, python: str) -> Sandbox | None:
        """The longest warm one of this Python."""
        warm = self._warm.get(python)
        return first(warm) if warm else None

    def floor_met(self) -> bool:
        """Whether the floor is there, or will be when what boots unclaimed is ready."""
        python, floor = self._limits.default_python, self._limits.floor
        there = len(self._warm.get(python, ()))
        if there < floor and self.booting:
            there += sum(sandbox.python == python for sandbox in self.unclaimed())
        return there >= floor

    def surplus(self) -> list[Sandbox]:
        """For each Python with more warm sandboxes than are kept of it, the longest warm one."""
        floor, default = self._limits.floor, self._limits.default_python
        return [
            first(warm)
            for python, warm in self._warm.items()
            if len(warm) > (floor if python == default else 0)
        ]

    def longest_unused(self) -> Sandbox | None:
        """The sandbox that is missed least; those of the floor are not meant."""
        unused = self.surplus()
        if self.idle:
            unused.append(first(self.idle))
        return min(unused, key=lambda sandbox: sandbox.idle_since, default=None)

    def boot(self, python: str, now: float) -> Sandbox:
        self._named += 1
        sandbox = Sandbox(f"{self._prefix}{self._named}", python, booted_at=now)
        self.all[sandbox.id] = self.booting[sandbox.id] = sandbox
        return sandbox

    def found(self, sandbox: Sandbox, key: Key | None, owned_at: float, now: float) -> None:
        """One that was there before this pool was. Those with keys come the oldest first."""
        self.all[sandbox.id] = self.booting[sandbox.id] = sandbox
        self.booted(sandbox, now)
        if key is not None:
            self.give(sandbox, key, owned_at)
            self.idle[sandbox.id] = sandbox

    def booted(self, sandbox: Sandbox, now: float) -> None:
        del self.booting[sandbox.id]
        sandbox.state = State.WARM
        sandbox.idle_since = now
        self._warm.setdefault(sandbox.python, OrderedDict())[sandbox.id] = sandbox

    def give(self, sandbox: Sandbox, key: Key, now: float) -> None:
        """A warm sandbox becomes the key's own. Its age counts from here: waiting in the pool wears nothing out."""
        self._leave_warm(sandbox)
        sandbox.state = State.OWNED
        sandbox.key = key
        sandbox.owned_at = now
        sandbox.expires = now + self._limits.max_age_s
        self.owned[key] = self.aging[sandbox.id] = sandbox

    def last_leases(self, sandbox: Sandbox) -> None:
        """It finishes what it does and is given to nobody any more."""
        sandbox.state = State.RETIRING
        sandbox.expires = 0.0
        self.aging.pop(sandbox.id, None)
        if sandbox.key is not None:
            self.owned.pop(sandbox.key, None)

    def forget(self, sandbox: Sandbox) -> None:
        del self.all[sandbox.id]
        self.booting.pop(sandbox.id, None)
        self.idle.pop(sandbox.id, None)
        self.aging.pop(sandbox.id, None)
        if sandbox.claim is not None:
            sandbox.claim.boot = None
        if sandbox.state is State.WARM:
            self._leave_warm(sandbox)
        if sandbox.key is not None:
            self.owned.pop(sandbox.key, None)
        for lease in sandbox.leases:
            del self.leased[lease]

    def _leave_warm(self, sandbox: Sandbox) -> None:
        warm = self._warm[sandbox.python]
        del warm[sandbox.id]
        if not warm:
            del self._warm[sandbox.python]


def first(sandboxes: OrderedDict[str, Sandbox]) -> Sandbox:
    return next(iter(sandboxes.values()))
