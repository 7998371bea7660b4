"""How far a run came, and how long each part of it took: for its answer, its record and its metrics."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qflow_runner.sandbox.resources import Resources

PHASES = ("load", "parse", "bind", "code", "encode")
TIMES = ("packages_ms", "queue_ms", "sandbox_ms", *(f"{phase}_ms" for phase in PHASES))
MOST_ITEMS = 2**31 - 1
"""What a database's whole number holds."""


@dataclass
class Progress:
    """Seconds of `time.perf_counter`, 0 for what it did not reach."""

    began: float
    waited_s: float
    entered: float = 0.0
    packed: float = 0.0
    leased: float = 0.0
    """It has a sandbox since."""
    handed: float = 0.0
    sent: bool = False
    """Whether a session may have begun with it."""
    layer: str = ""
    items_in: int = 0
    told: Mapping[str, float] = field(default_factory=dict[str, float])
    """The guest's own times, in milliseconds by phase."""
    resources: Resources = field(default_factory=Resources)

    def again(self) -> None:
        """What the first attempt reached counts no more."""
        self.entered = self.packed = self.leased = self.handed = 0.0
        self.sent = False

    def timing(self) -> dict[str, float]:
        """In milliseconds by phase; the one that it failed in lasts until now."""
        now = time.perf_counter()
        packed = self.packed or now
        leased = self.leased or now
        return {
            "total_ms": ms(now - self.began),
            "packages_ms": ms(packed - self.entered) if self.entered else 0.0,
            "queue_ms": ms(self.waited_s + (leased - packed if self.packed else 0.0)),
            "sandbox_ms": ms((self.handed or now) - leased) if self.leased else 0.0,
        } | {f"{phase}_ms": _measured(self.told.get(phase)) for phase in PHASES}

    def measured(self) -> dict[str, Any]:
        """Other columns of a failed run's record."""
        used = self.resources
        return {
            "layer": self.layer,
            "items_in": self.items_in,
            "peak_mb": used.peak_mb,
            "cpu_ms": used.cpu_ms,
        }


def ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _measured(value: object) -> float:
    # The guest's own figure: shown to the one whose code it is, and trusted for nothing.
    return round(value, 3) if isinstance(value, int | float) and 0 <= value < 1e9 else 0.0


def count(usage: Mapping[str, float]) -> int:
    # Likewise: nothing is parsed here, so what came in is for the guest to count.
    return min(int(_measured(usage.get("items_in"))), MOST_ITEMS)
