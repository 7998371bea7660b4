"""The pool's words: its limits, what it is told (events), and what it asks for (actions)."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Reason = Literal["full", "deadline", "boot_failed", "draining"]


class Key(NamedTuple):
    """Who owns a sandbox. A tuple, because its hash is on the path of every run."""

    workflow: str
    python: str


@dataclass(frozen=True)
class PoolLimits:
    """How many sandboxes there may be, and for how long. Times in seconds. Raises ValueError if they contradict.

    Attributes:
        floor: Warm sandboxes of the default Python that are kept ready.
        ceiling: Sandboxes at most, those that boot included.
        idle_s: A sandbox that nobody used for so long is retired; a warm one only when it is more than is kept.
        max_age_s: An owned sandbox is retired this long after it was given to its workflow, once it has no leases.
        recycle_after_s: An owned sandbox unused for so long may be retired so that the floor is kept.
        default_python: The Python that the floor is made of.
        on_exhausted: Whether a lease waits when every place is taken, or is refused at once.
        turn_s: A workflow that has its sandbox for so long lets others in that wait for a place: its next runs wait too.
        booting_at_once: Boots under way at most.
        pause_s: How long after a failed boot the floor is tried again; doubled by each further failure.
        pause_cap_s: The longest such pause.
    """

    floor: int = 2
    ceiling: int = 20
    idle_s: float = 900.0
    max_age_s: float = 6 * 3600.0
    recycle_after_s: float = 1.0
    default_python: str = "3.12"
    on_exhausted: Literal["wait", "fail"] = "wait"
    turn_s: float = 5.0
    booting_at_once: int = 2
    pause_s: float = 0.5
    pause_cap_s: float = 10.0

    def __post_init__(self) -> None:
        if self.ceiling < 1 or not 0 <= self.floor <= self.ceiling:
            raise ValueError(f"a floor of {self.floor} does not fit a ceiling of {self.ceiling} sandboxes")
        if self.booting_at_once < 1:
            raise ValueError("at least one sandbox must be allowed to boot")
        if min(self.idle_s, self.max_age_s, self.pause_s, self.pause_cap_s) <= 0 or self.recycle_after_s < 0:
            raise ValueError("times must be positive")


@dataclass(frozen=True, slots=True)
class SandboxFound:
    """One that an earlier runner booted is in use again. `owned_at` is on the clock of `now`; None with `key`: warm."""

    sandbox: str
    python: str
    booted_at: float
    key: Key | None = None
    owned_at: float = 0.0


@dataclass(frozen=True, slots=True)
class LeaseWanted:
    """A run needs its workflow's sandbox. `lease` was never used before; `deadline` is on the clock of `now`."""

    lease: int
    key: Key
    deadline: float


@dataclass(frozen=True, slots=True)
class LeaseReturned:
    """The run is over."""

    lease: int


@dataclass(frozen=True, slots=True)
class LeaseAbandoned:
    """The caller no longer wants it, whether it waits still or was granted just now."""

    lease: int


@dataclass(frozen=True, slots=True)
class SandboxReady:
    """A boot succeeded."""

    sandbox: str


@dataclass(frozen=True, slots=True)
class SandboxLost:
    """It failed to boot, or died later. The caller removes what is left, and has told the runs in it."""

    sandbox: str
    reason: str


@dataclass(frozen=True, slots=True)
class RetireWanted:
    """It must go now, leases or not: it cannot be trusted, or an operator says so."""

    sandbox: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Draining:
    """The runner stops: nothing is booted or granted from here on."""


@dataclass(frozen=True, slots=True)
class Boot:
    """Start a sandbox under this name, and answer with SandboxReady or SandboxLost."""

    sandbox: str
    python: str


@dataclass(frozen=True, slots=True)
class Grant:
    """The lease may use the sandbox until LeaseReturned."""

    lease: int
    sandbox: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The lease will not be granted. `detail` is a sentence, for boot_failed the reason that was reported."""

    lease: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Remove the sandbox. The pool has forgotten it already, so its place may be taken in the same breath."""

    sandbox: str


Event = (
    LeaseWanted
    | LeaseReturned
    | LeaseAbandoned
    | SandboxFound
    | SandboxReady
    | SandboxLost
    | RetireWanted
    | Tick
    | Draining
)
Action = Boot | Grant | Refuse | Retire
