"""The locks: one blob for each set of requirements, with the lock in use and those before it."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog
from pydantic import TypeAdapter, ValidationError

from qflow_runner.blobs import Blobs
from qflow_runner.errors import LockMoved
from qflow_runner.layers.lines import Asked
from qflow_runner.layers.model import Lock, LockChange

log = structlog.get_logger()

EARLIER_KEPT = 5
TRIES = 20
"""How often a change begins anew because another process was quicker."""


@dataclass(frozen=True)
class _Kept:
    current: Lock
    earlier: tuple[Lock, ...] = field(default=())
    decided: int = 0
    """How often a person changed it, forward or back."""


_FORM = TypeAdapter(_Kept)


class LockBook:
    """`policy` is what else a resolution depends on: constraints, index, platform; never a credential."""

    def __init__(self, blobs: Blobs, policy: Sequence[str]) -> None:
        self._blobs = blobs
        self._policy = hashlib.sha256("\n".join(policy).encode()).hexdigest()
        self._memory: dict[str, tuple[str, _Kept]] = {}

    @property
    def near(self) -> bool:
        """Whether `current` and `decided` see at once what another process decided; else after `refresh`."""
        return self._blobs.near

    def key(self, asked: Asked, python: str) -> str:
        hashes = sorted((name, *sorted(marks)) for name, marks in asked.hashes.items())
        content = json.dumps([asked.requirements, hashes, python, self._policy])
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def current(self, key: str) -> Lock | None:
        """The lock in use, as far as it is known here. Takes microseconds."""
        kept = self._known(key)
        return kept.current if kept else None

    def decided(self, key: str) -> int:
        """How often a person changed the lock in use: a number that differs once there is another to follow."""
        kept = self._known(key)
        return kept.decided if kept else 0

    def fetch(self, key: str) -> Lock | None:
        """The lock in use. Blocks."""
        held = self._read(key)
        return held[1].current if held else None

    def refresh(self) -> None:
        """See what other processes decided on locks that are known here. Blocks."""
        for key in list(self._memory):
            self._read(key)

    def store(self, key: str, lock: Lock) -> Lock:
        """The lock that is in use now. Whoever was first has chosen: runners that share the book run the same versions. Blocks."""
        kept = self._changed(key, lambda kept: _Kept(lock) if kept is None else None)
        return kept.current

    def accept(self, change: LockChange) -> Lock:
        """Raises LockMoved when the lock in use is no longer the one that the change was made from. Blocks."""

        def after(kept: _Kept | None) -> _Kept | None:
            if (kept.current.id if kept else None) != (change.old.id if change.old else None):
                raise LockMoved("The lock was changed since this upgrade was worked out.")
            if kept is not None and kept.current.text == change.new.text:
                return None
            new = _after(kept, change.new)
            return replace(new, decided=new.decided + 1)

        self._changed(change.key, after)
        return change.new

    def rollback(self, key: str) -> Lock:
        """Raises LockMoved when there is no earlier lock. Blocks."""

        def before(kept: _Kept | None) -> _Kept:
            if kept is None or not kept.earlier:
                raise LockMoved(
                    "There is no earlier lock to go back to.", hint="These requirements were never upgraded."
                )
            return _Kept(kept.earlier[0], kept.earlier[1:], kept.decided + 1)

        return self._changed(key, before).current

    def _changed(self, key: str, change: Callable[[_Kept | None], _Kept | None]) -> _Kept:
        """What is there now. `change` says what is to come in the place of what is there, or None where that may stay."""
        for _ in range(TRIES):
            held = self._read(key)
            stamp, kept = held or (self._blobs.stamp(_name(key)), None)
            wanted = change(kept)
            if wanted is None:
                assert kept is not None  # noqa: S101 - what is not there is not left
                return kept
            written = self._blobs.replace(_name(key), _FORM.dump_json(wanted), stamp)
            if written is not None:
                self._memory[key] = (written, wanted)
                return wanted
        raise LockMoved(
            "Others change this lock all the time.", hint="Try again when they are done upgrading."
        )

    def _known(self, key: str) -> _Kept | None:
        if self._blobs.near:
            held = self._read(key)
            return held[1] if held else None
        known = self._memory.get(key)
        return known[1] if known else None

    def _read(self, key: str) -> tuple[str, _Kept] | None:
        """With its stamp; from memory where that is still there."""
        known = self._memory.get(key)
        if known is not None and self._blobs.stamp(_name(key)) == known[0]:
            return known
        self._memory.pop(key, None)
        held = self._blobs.read(_name(key))
        if held is None:
            return None
        try:
            kept = _FORM.validate_json(held.content)
        except ValidationError as error:
            log.warning("lock.unreadable", lock=key, reason=str(error).splitlines()[0])
            return None
        self._memory[key] = (held.stamp, kept)
        return self._memory[key]


def _name(key: str) -> str:
    if re.fullmatch(r"[0-9a-f]{32}", key) is None:
        raise LockMoved("There is no such lock.")
    return f"{key}.json"


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
