"""What the room of layers speaks of: locks, layers, and how far a build is."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Compile = Callable[[str, Path, Path], Awaitable[None]]
"""Byte-compiles, for a Python ("3.12"), those files of a directory that a list names (see compiling.write_list).

Somewhere harmless. Raises QflowError when it cannot.
"""


@dataclass(frozen=True)
class Confined:
    """A program for a container of its own: no network, nothing to write to but `writable` and a /tmp in memory.

    Memory in MB of 2^20 bytes, which `tmp_mb` is a part of. Without a `user` it is that of sandboxes.
    """

    python: str
    command: Sequence[str]
    deadline_s: float
    readable: Mapping[Path, str] = field(default_factory=dict[Path, str])
    """Paths inside, by those of this machine."""
    writable: Mapping[Path, str] = field(default_factory=dict[Path, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    user: str = ""
    memory_mb: int = 1024
    tmp_mb: int = 0
    processes: int = 64
    lines: int = 5
    """How many of the last ones that it prints are of interest."""


@dataclass(frozen=True)
class Ended:
    """`status` is None where the deadline came first. `told` is what a stranger's program printed."""

    status: int | None
    out_of_memory: bool
    told: str


Confine = Callable[[Confined], Awaitable[Ended]]
"""Runs a program behind a boundary. Raises QflowError when there is none, or when it cannot be started."""

Phase = Literal["resolve", "download", "install", "compile", "verify", "done", "failed"]


@dataclass(frozen=True)
class Package:
    """One distribution of a lock; `size` is that of its wheel in bytes, 0 where the index does not tell."""

    name: str
    version: str
    size: int = 0


@dataclass(frozen=True)
class Built:
    """A wheel that was built here: the SHA-256, in hex, of its source distribution and of itself."""

    python: str
    name: str
    version: str
    file: str
    source: str
    wheel: str


@dataclass(frozen=True)
class Lock:
    """What requirements came to, once: `text` is a requirements file with the hash of every wheel."""

    id: str
    python: str
    requirements: tuple[str, ...]
    text: str
    packages: tuple[Package, ...]
    warnings: tuple[str, ...] = ()
    built: tuple[Built, ...] = ()
    """Of the packages, those that no index has as a wheel."""


@dataclass(frozen=True)
class LockChange:
    """What an upgrade would change: names with versions, as (name, version) or (name, before, after)."""

    key: str
    old: Lock | None
    new: Lock
    added: tuple[tuple[str, str], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    changed: tuple[tuple[str, str, str], ...] = ()

    @property
    def same(self) -> bool:
        return self.old is not None and self.old.text == self.new.text


@dataclass(frozen=True)
class Layer:
    """A directory of installed distributions. `modules` are the names that can be imported from it."""

    id: str
    python: str
    path: Path
    packages: tuple[Package, ...]
    modules: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class LayerInfo:
    """A layer as its owner sees it. Times are seconds since 1970; `held` counts who uses it in this process."""

    id: str
    python: str
    packages: tuple[Package, ...]
    modules: tuple[str, ...]
    bytes: int
    built: float
    used: float
    held: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildProgress:
    """How far the work on a lock is. `bytes_*` are those of wheels; 0 in total where the index tells no sizes.

    `package` is one that is being downloaded, with its version.
    """

    id: str
    phase: Phase
    package: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    packages_done: int = 0
    packages_total: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Record:
    """What a finished layer says of itself in its marker file; `manifest` is the hash of the list of its files."""

    format: int
    id: str
    platform: str
    lock: Lock
    modules: tuple[str, ...]
    bytes: int
    built: float
    manifest: str
    warnings: tuple[str, ...] = field(default=())
