"""What lies in a directory, by hashes of what it is called, and how much room it takes.

A thing is two files with one name: `.data`, written first, and `.head`, renamed into place when all is there.
So what has no head is unfinished, and listing the directory is all that a restart needs.

Where runners of a cluster share the directory, each execution has a folder in it, and each key a file that says which
thing is the newest: another runner's is found by that, and all of an execution are found together.
"""

import contextlib
import hashlib
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from qflow_runner.errors import DiskFull

OVERHEAD = 256 * 1024
"""Bytes that each thing counts for beside its content: what bounds the number of empty ones."""

_NAME = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{32}){3}")
_KEYS = "keys"
_ABANDONED_S = 3600.0
"""What another runner began to write and did not touch for so long will never be finished."""


@dataclass(frozen=True)
class Entry:
    """`made` is when it was finished or last used (Unix time); the others are hashes, and `nonce` is random."""

    workflow: str
    execution: str
    key: str
    nonce: str
    size: int
    made: float

    @property
    def name(self) -> str:
        return f"{self.workflow}-{self.execution}-{self.key}-{self.nonce}"

    @property
    def cost(self) -> int:
        return self.size + OVERHEAD


class Shelf:
    """Bookkeeping of the event loop. What blocks says so and is for threads; the rest touches no disk."""

    def __init__(
        self,
        path: Path,
        limit: int,
        keep_s: float,
        now: Callable[[], float] = time.time,
        *,
        shared: bool = False,
    ) -> None:
        """`shared`: other runners write there too, and what is in memory here need not be all, nor the newest."""
        self.path = path
        self.now = now
        self.shared = shared
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

    def data(self, entry: Entry) -> Path:
        return self._folder(entry) / f"{entry.name}.data"

    def head(self, entry: Entry) -> Path:
        return self._folder(entry) / f"{entry.name}.head"

    def new(self, workflow: str, execution: str, name: str) -> Entry:
        """An entry that is not on the shelf yet."""
        return Entry(digest(workflow), digest(execution), digest(workflow, name), secrets.token_hex(16), 0, 0)

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
        self._take(entry.workflow, entry.cost - reserved)
        return replaced

    def remove(self, entry: Entry) -> None:
        if self._drop(entry):
            self._take(entry.workflow, -entry.cost)

    def touch(self, entry: Entry) -> None:
        """It is in use: its age counts from now."""
        if self._drop(entry):
            self._put(replace(entry, made=self.now()))

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
        limit = self.now() - self._keep_s
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

    def scan(self) -> list[Entry]:
        """What is finished in the directory, which is made if need be; what never will be is removed. Blocks."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        return [entry for folder in self._folders() for entry in self._finished_in(folder)]

    def newest(self, workflow: str, name: str) -> Entry | None:
        """What the shared directory has under this name. Blocks."""
        key = digest(workflow, name)
        try:
            found = (self.path / _KEYS / key).read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return None
        if _NAME.fullmatch(found) is None or found.split("-")[2] != key:
            return None
        return self._found(found, self.path / found.split("-")[1])

    def together(self, execution: str) -> list[Entry]:
        """What the shared directory has of an execution. Blocks."""
        return self._finished_in(self.path / digest(execution))

    def create(self, entry: Entry) -> int:
        """A descriptor of its new data file. Blocks."""
        data = self.data(entry)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(data, flags, 0o600)
        except FileNotFoundError:  # the first of its execution
            data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(data, flags, 0o600)

    def unlink(self, entries: Iterable[Entry]) -> None:
        """The head first: what has none is nothing. Blocks."""
        for entry in entries:
            self.head(entry).unlink(missing_ok=True)
            self.data(entry).unlink(missing_ok=True)
            if self.shared:
                self._forget(entry)

    def write_head(self, entry: Entry, content: bytes) -> None:
        """Put the head in place of what is there, at once. Blocks."""
        _write(self._folder(entry) / f"{entry.name}.part", content, self.head(entry))
        if self.shared:
            keys = self.path / _KEYS
            keys.mkdir(mode=0o700, exist_ok=True)
            _write(keys / f"{entry.name}.part", entry.name.encode(), keys / entry.key)

    def _folder(self, entry: Entry) -> Path:
        return self.path / entry.execution if self.shared else self.path

    def _folders(self) -> Iterator[Path]:
        if not self.shared:
            yield self.path
            return
        for each in os.scandir(self.path):
            if each.name != _KEYS and each.is_dir(follow_symlinks=False):
                yield Path(each.path)

    def _finished_in(self, folder: Path) -> list[Entry]:
        heads: set[str] = set()
        unfinished: dict[str, os.DirEntry[str]] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
            for each in found:
                name, _, kind = each.name.partition(".")
                if not each.is_file(follow_symlinks=False) or _NAME.fullmatch(name) is None:
                    continue
                if kind == "head":
                    heads.add(name)
                elif kind in {"data", "part"}:
                    unfinished[each.name] = each
        for file, each in unfinished.items():
            name, _, kind = file.partition(".")
            if (kind == "part" or name not in heads) and self._abandoned(each):
                Path(each.path).unlink(missing_ok=True)
        entries = [self._found(name, folder) for name in heads]
        return [entry for entry in entries if entry is not None]

    def _abandoned(self, file: "os.DirEntry[str]") -> bool:
        try:
            return not self.shared or file.stat(follow_symlinks=False).st_mtime < self.now() - _ABANDONED_S
        except FileNotFoundError:
            return False

    def _forget(self, entry: Entry) -> None:
        key = self.path / _KEYS / entry.key
        with contextlib.suppress(FileNotFoundError):
            if key.read_text(encoding="ascii", errors="replace") == entry.name:
                key.unlink()
        with contextlib.suppress(OSError):  # others of its execution are there
            self._folder(entry).rmdir()

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

    def _found(self, name: str, folder: Path) -> Entry | None:
        """None where it was removed meanwhile."""
        try:
            status = (folder / f"{name}.data").stat()
            size = status.st_size
        except FileNotFoundError:
            # Where the data is missing, the head stays: whoever asks for it is told that it is damaged.
            try:
                status, size = (folder / f"{name}.head").stat(), 0
            except FileNotFoundError:
                return None
        return Entry(*name.split("-"), size=size, made=status.st_mtime)


def _write(part: Path, content: bytes, place: Path) -> None:
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        part.rename(place)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def digest(*parts: str) -> str:
    """32 hexadecimal digits. The lengths are hashed too: ("ab", "c") is not ("a", "bc")."""
    whole = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        whole.update(len(encoded).to_bytes(8, "big"))
        whole.update(encoded)
    return whole.hexdigest()[:32]
