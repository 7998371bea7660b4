"""What the room of layers speaks of: locks, layers, and how far a build is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Compile = Callable[[str, Path], Awaitable[None]]
"""Byte-compiles a directory for a Python ("3.12"), somewhere harmless. Raises QflowError when it cannot."""

Phase = Literal["resolve", "download", "install", "compile", "verify", "done", "failed"]


@dataclass(frozen=True)
class Package:
    """One distribution of a lock; `size` is that of its wheel in bytes, 0 where the index does not tell."""

    name: str
    version: str
    size: int = 0


@dataclass(frozen=True)
class Lock:
    """What requirements came to, once: `text` is a requirements file with the hash of every wheel."""

    id: str
    python: str
    requirements: tuple[str, ...]
    text: str
    packages: tuple[Package, ...]
    warnings: tuple[str, ...] = ()


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
    """How far the work on a lock is. `bytes_*` are those of wheels; 0 in total where the index tells no sizes."""

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
