"""What is told of each connection: a line of the log, metrics, and whoever else wants to know."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from qflow_runner.observe import metrics

log = structlog.get_logger()

Outcome = Literal["connected", "closed", "refused", "failed"]

BURST = 20
REFILL_S = 1.0
TROUBLES_KEPT = 32


@dataclass(frozen=True)
class Event:
    """`execution` is empty where several run in the sandbox. `sent` and `received` are bytes, as the code sees them."""

    outcome: Outcome
    sandbox: str
    workflow: str
    execution: str
    host: str
    port: int
    address: str = ""
    reason: str = ""
    sent: int = 0
    received: int = 0
    seconds: float = 0.0
    unsaid: int = 0
    """Refusals before this one that were not told, because they came too fast."""


Audit = Callable[[Event], None]
"""Must not block, and must not raise."""


class Teller:
    """For one sandbox, whose code may ask for what is refused as fast as it can."""

    def __init__(self, audits: list[Audit]) -> None:
        self._audits = audits
        self._credit = float(BURST)
        self._at = time.monotonic()
        self._unsaid = 0

    def tell(self, event: Event) -> None:
        metrics.EGRESS.labels(outcome=event.outcome).inc()
        if event.outcome in {"refused", "failed"} and not self._affordable():
            self._unsaid += 1
            return
        write = log.info if event.outcome in {"connected", "closed"} else log.warning
        facts = {name: value for name, value in vars(event).items() if value not in {"", 0}}
        del facts["outcome"]
        if self._unsaid and event.outcome in {"refused", "failed"}:
            facts["unsaid"], self._unsaid = self._unsaid, 0
        write(f"egress.{event.outcome}", **facts)
        for audit in self._audits:
            audit(event)

    def _affordable(self) -> bool:
        now = time.monotonic()
        self._credit = min(BURST, self._credit + (now - self._at) / REFILL_S)
        self._at = now
        if self._credit < 1:
            return False
        self._credit -= 1
        return True


class Troubles:
    """Sentences about what did not work lately, for the hints of runs that failed meanwhile."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, str]] = deque(maxlen=TROUBLES_KEPT)

    def add(self, sentence: str) -> None:
        self._kept.append((time.monotonic(), sentence))

    def since(self, moment: float) -> list[str]:
        return list(dict.fromkeys(sentence for at, sentence in self._kept if at >= moment))[:5]
