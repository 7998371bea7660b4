"""What is kept of one kind, and how much room it takes: bookkeeping of the event loop, which touches no disk."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from qflow_runner.errors import DiskFull
from qflow_runner.files.layout import Entry, Layout, digest

OVERHEAD = 256 * 1024
"""Bytes that each thing counts for beside its content: what bounds the number of empty ones."""


class Shelf:
    """What is in memory here is all that there is, and the newest, unless the layout is shared."""

    def __init__(self, layout: Layout, limit: int, keep_s: float, overhead: int = OVERHEAD) -> None:
        """`limit` and `overhead`, which each thing counts for beside its content, in bytes."""
        self.layout = layout
        self.overhead = overhead
        self._limit = limit
        self._keep_s = keep_s
        self._entries: dict[str, Entry] = {}  # the oldest first
        self._executions: dict[str, dict[str, None]] = {}
        self._workflows: dict[str, dict[str, None]] = {}  # their keys, the oldest first
        self._held: Counter[str] = Counter()
        self._total = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def total(self) -> int:
        """Bytes, with what is being written."""
        return self._total

    def new(self, workflow: str, execution: str, name: str) -> Entry:
        """An entry that is not on the shelf yet."""
        return self.layout.new(workflow, execution, name)

    def get(self, workflow: str, name: str) -> Entry | None:
        return self._entries.get(digest(workflow, name))

    def by_key(self, key: str) -> Entry | None:
        return self._entries.get(key)

    def has(self, entry: Entry) -> bool:
        """This very one, and not one that replaced it."""
        kept = self._entries.get(entry.key)
        return kept is not None and kept.nonce == entry.nonce

    def all(self) -> list[Entry]:
        return list(self._entries.values())

    def of(self, execution: str) -> list[Entry]:
        return [self._entries[key] for key in self._executions.get(digest(execution), ())]

    def add(self, entry: Entry, reserved: int) -> Entry | None:
        """In place of the room that was reserved for it. Returns what it replaces, which is off the shelf now."""
        replaced = self._entries.get(entry.key)
        if replaced is not None:
            self.remove(replaced)
        self._put(entry)
        self._take(entry.workflow, entry.size + self.overhead - reserved)
        return replaced

    def remove(self, entry: Entry) -> None:
        if self._drop(entry):
            self._take(entry.workflow, -entry.size - self.overhead)

    def touch(self, entry: Entry) -> None:
        """It is in use: its age counts from now."""
        if self._drop(entry):
            self._put(replace(entry, made=self.layout.now()))

    def reserve(self, workflow: str, size: int) -> list[Entry]:
        """Take room, and say what had to leave the shelf for it. Raises DiskFull, and then takes none.

        The oldest goes first, of the workflow that holds the most: so whoever floods the shelf loses their own, and
        nobody makes room at the cost of one that holds less.
        """
        gone: list[Entry] = []
        while self._total + size > self._limit:
            holders = [each for each in self._workflows if self._held[each] >= self._held[workflow]]
            if not holders:
                raise DiskFull(
                    f"All {self._limit >> 20} MB that the runner keeps at most are in use, and most of it by others' "
                    "files or by what is being written."
                )
            heaviest = max(holders, key=self._held.__getitem__)
            oldest = self._entries[next(iter(self._workflows[heaviest]))]
            self.remove(oldest)
            gone.append(oldest)
        self._take(workflow, size)
        return gone

    def release(self, workflow: str, size: int) -> None:
        self._take(workflow, -size)

    def outdated(self) -> list[Entry]:
        """Take off what is too old, and then what is too much, oldest first."""
        limit = self.layout.now() - self._keep_s
        gone = [entry for entry in self._entries.values() if entry.made < limit]
        for entry in gone:
            self.remove(entry)
        while self._total > self._limit and self._entries:
            oldest = next(iter(self._entries.values()))
            self.remove(oldest)
            gone.append(oldest)
        return gone

    def settle(self, found: Iterable[Entry], since: float) -> list[Entry]:
        """Be what was found at that time, and what was finished here since then. Returns what others replace."""
        found = list(found)
        there = {entry.name for entry in found}
        for entry in self.all():
            if entry.name not in there and entry.made < since:
                self.remove(entry)
        unknown = [entry for entry in found if not self.has(entry)]
        replaced = [self.add(entry, 0) for entry in sorted(unknown, key=lambda each: each.made)]
        return [entry for entry in replaced if entry is not None]

    def _put(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        self._executions.setdefault(entry.execution, {})[entry.key] = None
        self._workflows.setdefault(entry.workflow, {})[entry.key] = None

    def _drop(self, entry: Entry) -> bool:
        if not self.has(entry):
            return False
        del self._entries[entry.key]
        for keys, of in ((self._executions, entry.execution), (self._workflows, entry.workflow)):
            del keys[of][entry.key]
            if not keys[of]:
                del keys[of]
        return True

    def _take(self, workflow: str, size: int) -> None:
        self._total += size
        self._held[workflow] += size
        if not self._held[workflow]:
            del self._held[workflow]
