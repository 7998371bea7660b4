"""How things lie in a place for contents, by hashes of what they are called. All of it blocks, and is for threads.

A thing is two blobs with one name: `.data`, written first, and `.head`, put in place when all is there.
So what has no head is unfinished, and a listing is all that a restart needs.

Where runners of a cluster share the place, each execution has a folder in it, and each key a blob that says which
thing is the newest: another runner's is found by that, and all of an execution are found together. What is written once
under a key of its own needs neither: its whole name is known to who has the key.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from qflow_runner.blobs import Blob, Blobs, Writing

_NAME = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{32}){3}")
_PART = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{32}){0,3}([.a-z]*-[0-9a-f]{16})?\.part")
_KEYS = "keys"
_NOBODY = "0" * 32
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


class Layout:
    def __init__(
        self,
        blobs: Blobs,
        now: Callable[[], float] = time.time,
        *,
        shared: bool = False,
        once: bool = False,
    ) -> None:
        """`shared`: other runners write there too. `once`: nothing is written twice under one name, nor asked for by its execution."""
        self.blobs = blobs
        self.now = now
        self.shared = shared
        self._once = once
        self._indexed = shared and not once

    def new(self, workflow: str, execution: str, name: str) -> Entry:
        """An entry that is not there yet."""
        key = digest(workflow, name)
        if self._once:
            return _entry(_once(workflow, key), 0, 0)
        return Entry(digest(workflow), digest(execution), key, secrets.token_hex(16), 0, 0)

    def data(self, entry: Entry) -> str:
        return f"{self._folder(entry)}{entry.name}.data"

    def head(self, entry: Entry) -> str:
        return f"{self._folder(entry)}{entry.name}.head"

    def scan(self) -> list[Entry]:
        """What is finished there; what never will be is removed."""
        self.blobs.prepare()
        found = self.blobs.list(deep=self._indexed)
        finished = _finished(found)
        self.blobs.remove(each.name for each in found if self._abandoned(each, finished))
        return list(finished.values())

    def newest(self, workflow: str, name: str) -> Entry | None:
        """What the shared place has under this name."""
        key = digest(workflow, name)
        found = _once(workflow, key) if self._once else self._indexed_name(key)
        if _NAME.fullmatch(found) is None or found.split("-")[2] != key:
            return None
        entry = _entry(found, 0, 0)
        about = self.blobs.about(self.data(entry)) or self.blobs.about(self.head(entry))
        if about is None:
            return None
        # Where the data is missing, the head stays: whoever asks for it is told that it is damaged.
        return replace(entry, size=about.size if about.name.endswith(".data") else 0, made=about.changed)

    def together(self, execution: str) -> list[Entry]:
        """What the shared place has of an execution."""
        return list(_finished(self.blobs.list(digest(execution))).values())

    def writer(self, entry: Entry, mode: int = 0o600) -> Writing:
        """Of its new data."""
        return self.blobs.writer(self.data(entry), mode)

    def unlink(self, entries: Iterable[Entry]) -> None:
        """The head first: what has none is nothing."""
        for entry in entries:
            self.blobs.remove([self.head(entry), self.data(entry)])
            if self._indexed:
                self._forget(entry)

    def write_head(self, entry: Entry, content: bytes) -> None:
        """Put the head in place of what is there, at once."""
        self.blobs.write(self.head(entry), content)
        if self._indexed:
            self.blobs.write(f"{_KEYS}/{entry.key}", entry.name.encode())

    def _folder(self, entry: Entry) -> str:
        return f"{entry.execution}/" if self._indexed else ""

    def _indexed_name(self, key: str) -> str:
        held = self.blobs.read(f"{_KEYS}/{key}")
        return held.content.decode("ascii", "replace") if held else ""

    def _abandoned(self, blob: Blob, finished: dict[str, Entry]) -> bool:
        file = blob.name.rpartition("/")[2]
        name, _, kind = file.partition(".")
        half = kind == "data" and name not in finished and _NAME.fullmatch(name) is not None
        if not half and _PART.fullmatch(file) is None:
            return False
        return not self.shared or blob.changed < self.now() - _ABANDONED_S

    def _forget(self, entry: Entry) -> None:
        name = f"{_KEYS}/{entry.key}"
        held = self.blobs.read(name)
        if held is not None and held.content == entry.name.encode():
            self.blobs.remove([name])


def _finished(found: Iterable[Blob]) -> dict[str, Entry]:
    """By name: what has a head, with the size and the time of its data."""
    heads: dict[str, Blob] = {}
    data: dict[str, Blob] = {}
    for each in found:
        name, _, kind = each.name.rpartition("/")[2].partition(".")
        if kind in {"head", "data"} and _NAME.fullmatch(name) is not None:
            (heads if kind == "head" else data)[name] = each
    entries: dict[str, Entry] = {}
    for name, head in heads.items():
        there = data.get(name)
        # Where the data is missing, the head stays: whoever asks for it is told that it is damaged.
        entries[name] = _entry(name, there.size if there else 0, (there or head).changed)
    return entries


def _once(workflow: str, key: str) -> str:
    return f"{digest(workflow)}-{_NOBODY}-{key}-{_NOBODY}"


def _entry(name: str, size: int, made: float) -> Entry:
    return Entry(*name.split("-"), size=size, made=made)


def digest(*parts: str) -> str:
    """32 hexadecimal digits. The lengths are hashed too: ("ab", "c") is not ("a", "bc")."""
    whole = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        whole.update(len(encoded).to_bytes(8, "big"))
        whole.update(encoded)
    return whole.hexdigest()[:32]
