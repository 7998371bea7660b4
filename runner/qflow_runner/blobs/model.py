"""What a place for named contents can do. All of it blocks, raises OSError, and is for threads."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Blob:
    """`name` with its folders; `size` in bytes; `changed` in Unix time."""

    name: str
    size: int
    changed: float


@dataclass(frozen=True)
class Held:
    """A content, and a `stamp` that is another one as soon as something else is there."""

    content: bytes
    stamp: str


class Writing(Protocol):
    def write(self, chunk: Buffer) -> None: ...

    def close(self) -> None:
        """All of it is there now. May be called again."""
        ...

    def discard(self) -> None:
        """Give it up; what was written of it may stay until it is removed. May come after `close`, and does nothing then."""
        ...


class Reading(Protocol):
    def read(self, size: int, /) -> bytes:
        """As much as is there, up to `size` bytes; empty at the end."""
        ...

    def close(self) -> None: ...


class Blobs(Protocol):
    """Names are the runner's own, with `/` between folders: never a guest's, and never checked here."""

    near: bool
    """Whether asking for a stamp takes microseconds, so that the event loop may do it."""

    def within(self, folder: str) -> "Blobs": ...

    def prepare(self) -> None:
        """Make what is needed before the first use."""
        ...

    def read(self, name: str) -> Held | None: ...

    def stamp(self, name: str) -> str | None: ...

    def about(self, name: str) -> Blob | None: ...

    def list(self, folder: str = "", *, deep: bool = False) -> list[Blob]:
        """What is in a folder, with `deep` in its folders too; what comes or goes meanwhile may be missing."""
        ...

    def write(self, name: str, content: Buffer) -> None:
        """In the place of what is there, whole or not at all."""
        ...

    def replace(self, name: str, content: bytes, stamp: str | None) -> str | None:
        """As `write`, but only while this stamp is there, or nothing for None. The new stamp; None where it was not so."""
        ...

    def writer(self, name: str, mode: int = 0o600) -> Writing:
        """For a name that nothing has yet. `mode` is what the finished content may be used for, where that means something."""
        ...

    def reader(self, name: str) -> Reading:
        """Raises FileNotFoundError."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """In this order where there is one, also where they are not there, and an empty folder with the last of them."""
        ...

    def touch(self, name: str) -> None:
        """It was changed now, where that can be said. Raises FileNotFoundError where it can be told that it is gone."""
        ...

    def path(self, name: str) -> Path | None:
        """Where it is on this machine, if it is."""
        ...
