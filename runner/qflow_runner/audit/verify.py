"""Walks the whole chain, and names the first row that is not as it was written."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from qflow_runner.audit.head import PRUNED, HeadDamaged, kept, signed_text
from qflow_runner.keys import Keys
from qflow_runner.store import AuditLog, AuditRow, ChainEnd, row_hash

ROWS = 1_000


@dataclass
class Verified:
    """`broken` is a sentence on the first fault, and `row` the number of its row; `notes` say what could not be told."""

    rows: int = 0
    first: int = 0
    last: int = 0
    broken: str = ""
    row: int | None = None
    notes: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        return not self.broken

    def fault(self, sentence: str, row: int | None = None) -> "Verified":
        self.broken, self.row = sentence, row
        return self


async def verify(audit: AuditLog, keys: Keys, head_path: Path) -> Verified:
    """Rows that are added meanwhile are left for the next time. Raises DatabaseUnavailable and OSError."""
    found = Verified()
    try:
        # Read first, because it follows the database.
        mine = await asyncio.to_thread(kept, head_path, keys)
    except HeadDamaged as error:
        return found.fault(f"The signed end of the log is no good: {error}.")
    head = await audit.head()
    before = head.pruned
    if before.seq and not keys.signed(signed_text(before), PRUNED, head.mac):
        return found.fault(
            f"The log begins after row {before.seq}, and none of the runner's keys signed that.",
            before.seq + 1,
        )
    found.first = before.seq + 1
    before = await _walked(audit, found, before, head.last.seq, mine)
    if found.broken:
        return found
    if before.hash != head.last.hash:
        return found.fault(f"The log ends with row {before.seq}, and is said to end otherwise.", before.seq)
    if mine is None:
        found.notes.append(
            "This machine has no signed end of the log: it cannot be told whether rows were cut off."
        )
    elif mine.seq > head.last.seq:
        return found.fault(
            f"The rows from {head.last.seq + 1} to {mine.seq} were cut off: this machine wrote them.",
            head.last.seq + 1,
        )
    return found


async def _walked(
    audit: AuditLog, found: Verified, before: ChainEnd, last: int, mine: ChainEnd | None
) -> ChainEnd:
    """The last row that is as it was written."""
    while before.seq < last:
        rows = (await audit.walk(before.seq, ROWS))[: last - before.seq]
        if not rows:
            found.fault(f"The rows from {before.seq + 1} to {last}, the end, are missing.", before.seq + 1)
            break
        for row in rows:
            wrong = _wrong(before, row)
            if mine is not None and row.seq == mine.seq and row.hash != mine.hash:
                wrong = wrong or f"Row {row.seq} is another one than this machine wrote there."
            if wrong:
                found.fault(wrong, before.seq + 1)
                return before
            before = ChainEnd(row.seq, row.hash)
            found.rows, found.last = found.rows + 1, row.seq
    return before


def _wrong(before: ChainEnd, row: AuditRow) -> str:
    if row.seq != before.seq + 1:
        return f"The rows from {before.seq + 1} to {row.seq - 1} are missing."
    if row_hash(before.hash, row.seq, row.entry) != row.hash:
        return f"Row {row.seq} was altered, or one before it was exchanged."
    return ""
