"""The locks on disk: one file for each set of requirements, with the lock in use and those before it."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from qflow_runner.errors import LockMoved
from qflow_runner.layers.lines import Asked
from qflow_runner.layers.model import Lock, LockChange

log = structlog.get_logger()

EARLIER_KEPT = 5


@dataclass(frozen=True)
class _Kept:
    current: Lock
    earlier: tuple[Lock, ...] = field(default=())
    decided: int = 0
    """How often a person changed it, forward or back."""


_FORM = TypeAdapter(_Kept)


class LockBook:
    """`policy` is what else a resolution depends on: constraints, index, platform; never a credential."""

    def __init__(self, directory: Path, policy: Sequence[str]) -> None:
        self._directory = directory
        self._policy = hashlib.sha256("\n".join(policy).encode()).hexdigest()
        self._memory: dict[str, tuple[int, _Kept]] = {}
        self._guard = threading.Lock()

    def key(self, asked: Asked, python: str) -> str:
        hashes = sorted((name, *sorted(marks)) for name, marks in asked.hashes.items())
        content = json.dumps([asked.requirements, hashes, python, self._policy])
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def current(self, key: str) -> Lock | None:
        """The lock in use. From memory, unless another process wrote a newer one."""
        kept = self._read(key)
        return kept.current if kept else None

    def decided(self, key: str) -> int:
        """How often a person changed the lock in use: a number that differs once there is another to follow."""
        kept = self._read(key)
        return kept.decided if kept else 0

    def store(self, key: str, lock: Lock) -> Lock:
        """The lock that is in use now. Whoever was first has chosen: runners that share the book run the same versions."""
        with self._changing():
            kept = self._read(key)
            if kept is not None:
                return kept.current
            self._write(key, _Kept(lock))
        return lock

    def accept(self, change: LockChange) -> Lock:
        """Raises LockMoved when the lock in use is no longer the one that the change was made from."""
        with self._changing():
            kept = self._read(change.key)
            if (kept.current.id if kept else None) != (change.old.id if change.old else None):
                raise LockMoved("The lock was changed since this upgrade was worked out.")
            if kept is None or kept.current.text != change.new.text:
                after = _after(kept, change.new)
                self._write(change.key, replace(after, decided=after.decided + 1))
        return change.new

    def rollback(self, key: str) -> Lock:
        """Raises LockMoved when there is no earlier lock."""
        with self._changing():
            kept = self._read(key)
            if kept is None or not kept.earlier:
                raise LockMoved(
                    "There is no earlier lock to go back to.", hint="These requirements were never upgraded."
                )
            self._write(key, _Kept(kept.earlier[0], kept.earlier[1:], kept.decided + 1))
        return kept.earlier[0]

    @contextlib.contextmanager
    def _changing(self) -> Generator[None]:
        """One change at a time, also of other runners that share the directory."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._guard:
            descriptor = os.open(self._directory / ".changing", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def _read(self, key: str) -> _Kept | None:
        path = self._path(key)
        try:
            stamp = path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        known = self._memory.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            kept = _FORM.validate_json(path.read_bytes())
        except (ValidationError, FileNotFoundError) as error:
            log.warning("lock.unreadable", lock=key, path=str(path), reason=str(error).splitlines()[0])
            return None
        self._memory[key] = (stamp, kept)
        return kept

    def _write(self, key: str, kept: _Kept) -> None:
        path = self._path(key)
        scratch = path.with_name(f".{key}.{secrets.token_hex(8)}")
        with scratch.open("wb") as file:
            file.write(_FORM.dump_json(kept))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        self._memory[key] = (path.stat().st_mtime_ns, kept)

    def _path(self, key: str) -> Path:
        if re.fullmatch(r"[0-9a-f]{32}", key) is None:
            raise LockMoved("There is no such lock.")
        return self._directory / f"{key}.json"


def _after(kept: _Kept | None, lock: Lock) -> _Kept:
    if kept is None:
        return _Kept(lock)
    return _Kept(lock, (kept.current, *kept.earlier)[:EARLIER_KEPT], kept.decided)


def change_between(key: str, old: Lock | None, new: Lock) -> LockChange:
    before = {package.name: package.version for package in old.packages} if old else {}
    after = {package.name: package.version for package in new.packages}
    return LockChange(
        key,
        old,
        new,
        added=tuple((name, after[name]) for name in after if name not in before),
        removed=tuple((name, before[name]) for name in before if name not in after),
        changed=tuple(
            (name, before[name], after[name])
            for name in after
            if before.get(name, after[name]) != after[name]
        ),
    )
