"""Counts what can happen any number of times: the first one is noted at once, those that follow once a minute."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from qflow_runner.audit.log import NOBODY, Audit, Who

MINUTE_S = 60.0
SUBJECTS = 1_000
"""Different ones that are told apart within a minute; the others are counted together."""
OTHERS = "others"


class _Subject(NamedTuple):
    action: str
    object: str
    by: Who
    outcome: str


@dataclass
class _Count:
    times: int = 0
    sums: dict[str, int] = field(default_factory=dict[str, int])


class Tally:
    """Beside an audit log. `add` may be called as often as anybody likes: what it writes is bounded."""

    def __init__(self, audit: Audit, every_s: float = MINUTE_S) -> None:
        self._audit = audit
        self._every_s = every_s
        self._counts: OrderedDict[_Subject, _Count] = OrderedDict()
        self._telling: asyncio.Task[None] | None = None

    def add(
        self, action: str, thing: str = "", *, by: Who = NOBODY, outcome: str = "ok", **sums: int
    ) -> None:
        """`sums` are added up, as sizes are."""
        subject = _Subject(action, thing[:400], by, outcome)
        if subject not in self._counts and len(self._counts) >= SUBJECTS:
            subject = _Subject(action, OTHERS, NOBODY, outcome)
        if subject not in self._counts:
            self._counts[subject] = _Count()
            self._audit.note(action, subject.object, by=subject.by, outcome=outcome, **sums)
        else:
            count = self._counts[subject]
            count.times += 1
            for name, value in sums.items():
                count.sums[name] = count.sums.get(name, 0) + value
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_later())

    def close(self) -> None:
        """Note what was counted since."""
        if self._telling is not None:
            self._telling.cancel()
        self._tell()

    async def _tell_later(self) -> None:
        while self._counts:
            await asyncio.sleep(self._every_s)
            self._tell()
        self._telling = None

    def _tell(self) -> None:
        counts, self._counts = self._counts, OrderedDict()
        for subject, count in counts.items():
            if count.times:
                self._audit.note(
                    subject.action,
                    subject.object,
                    by=subject.by,
                    outcome=subject.outcome,
                    times=count.times,
                    **count.sums,
                )
                self._counts[subject] = _Count()  # it goes on: the next one is counted too
