"""Values that outlive their session: a session hands them over, pickled, and a later one loads them.

The runner cannot read them, and would not: they are bytes. They stay for days, so they are encrypted.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qflow_runner.blobs import Blobs, Reading, blobs_for
from qflow_runner.errors import ValueDamaged
from qflow_runner.files.disk import Disk
from qflow_runner.files.finding import find, find_all, look
from qflow_runner.files.layout import Entry, Layout
from qflow_runner.files.shelf import OVERHEAD, Shelf
from qflow_runner.files.spill_writer import CHUNK, TAG, SpilledValue, SpillWriter, nonce
from qflow_runner.files.tidy import Tidy
from qflow_runner.files.writer import checked_id
from qflow_runner.keys import Keys
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings

log = structlog.get_logger()

_DAY_S = 86_400.0
_SWEEP_S = 600.0
_REMEMBERED = 10_000


class Spill:
    """Each value belongs to a workflow, in which its reference is unique."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        now: Callable[[], float] = time.time,
        *,
        blobs: Blobs | None = None,
        days: float | None = None,
        total_mb: int | None = None,
        overhead: int = OVERHEAD,
        once: bool = False,
    ) -> None:
        """Of the values behind references, unless `blobs` says where others lie; `days` is how long they are kept.

        `once`: no reference is written twice, and `forget` is not used.
        """
        self._disk = Disk("qflow-spill", threads=2)
        self._keys = keys
        self._days = days or settings.spill_days
        self._shelf = Shelf(
            Layout(
                blobs or blobs_for(settings, "spill", settings.spill_dir),
                now,
                shared=settings.shared,
                once=once,
            ),
            (total_mb or settings.spill_total_mb) << 20,
            self._days * _DAY_S,
            overhead,
        )
        self._gone: OrderedDict[str, str] = OrderedDict()
        self._rotating = asyncio.Lock()
        self._newest = keys.newest
        self._tidy = Tidy(_SWEEP_S, self.sweep)

    def __len__(self) -> int:
        return len(self._shelf)

    @property
    def total(self) -> int:
        """Bytes of all values, with those that are being written."""
        return self._shelf.total

    async def open(self) -> None:
        """Find what an earlier runner left, and remove what it did not finish. Raises DiskFailed."""
        await look(self._disk, self._shelf)
        if self._keys.count > 1:
            self._disk.later(self._rotate_all())
        self._tidy.start()

    async def close(self) -> None:
        await self._tidy.stop()
        await self._disk.close()

    def writer(self, workflow: str, reference: str, about: dict[str, Any]) -> SpillWriter:
        """`about` is JSON; its "execution" is what `forget` goes by. Raises FileIdInvalid for what is no reference, FileTooLarge for `about`, DiskFull."""
        entry = self._shelf.new(workflow, str(about.get("execution", "")), checked_id(reference))
        value = SpilledValue(workflow, reference, 0, 0, about, entry, AESGCM.generate_key(256))
        return SpillWriter(
            self._disk, self._shelf, self._keys, value, evicted=self._evicted, finished=self._finished
        )

    async def find(self, workflow: str, reference: str) -> SpilledValue | None:
        """None where there is none (see `why_gone`). Raises ValueDamaged where what is known of it is no good."""
        entry = await find(self._disk, self._shelf, workflow, reference)
        if entry is None:
            return None
        token = await self._disk.call(self._head, entry)
        if token is None:
            if not self._shelf.has(entry):
                return None
            raise ValueDamaged("What the runner knew of this spilled value is missing on its disk.")
        plain = await self._disk.call(self._keys.unwrap, token)
        if plain is None:
            raise ValueDamaged(
                "A spilled value cannot be decrypted: it was altered on disk, or its key is not one of the runner's.",
                hint="Put the key back into QFLOW_ENCRYPTION_KEYS if it was taken out; otherwise run the workflow again.",
            )
        known = cast("dict[str, Any]", json.loads(plain))
        if (known["workflow"], known["reference"], known["file"]) != (workflow, reference, entry.name):
            raise ValueDamaged("A spilled value on the runner's disk was exchanged for another one.")
        return SpilledValue(
            workflow,
            reference,
            known["size"],
            known["made"],
            known["about"],
            entry,
            bytes.fromhex(known["key"]),
        )

    def belongs(self, workflow: str, reference: str, execution: str) -> bool:
        """Whether there is a value of this execution's."""
        entry = self._shelf.get(workflow, reference)
        return (
            entry is not None and entry.execution == self._shelf.new(workflow, execution, reference).execution
        )

    def why_gone(self, workflow: str, reference: str) -> str:
        """A sentence on when and why a value was removed; empty where that is not known (any more)."""
        return self._gone.get(self._shelf.new(workflow, "", reference).key, "")

    async def read(self, value: SpilledValue) -> AsyncGenerator[bytes]:
        """Its bytes, chunk by chunk; each is good when it comes. Raises ValueDamaged when the next one is not."""
        reader = _SealedReader(self._shelf.layout, value)
        async with aclosing(self._disk.chunks(reader)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def drop(self, workflow: str, reference: str) -> bool:
        """Whether there was one."""
        entry = await find(self._disk, self._shelf, workflow, reference)
        if entry is None:
            return False
        self._shelf.remove(entry)
        await self._disk.call(self._shelf.layout.unlink, [entry])
        return True

    async def forget(self, execution: str, why: str) -> int:
        """The execution is over: its values go. `why` is what `why_gone` says then. How many there were."""
        entries = await find_all(self._disk, self._shelf, execution)
        for entry in entries:
            self._shelf.remove(entry)
        self._remember(entries, why)
        await self._disk.call(self._shelf.layout.unlink, entries)
        return len(entries)

    async def sweep(self) -> None:
        """Remove what is too old, and what is too much, the oldest first."""
        if self._shelf.layout.shared:
            await look(self._disk, self._shelf)
        outdated = self._shelf.outdated()
        self._remember(
            outdated, f"it was kept for {self._days:g} days, or there was no room for it any longer"
        )
        await self._disk.call(self._shelf.layout.unlink, outdated)
        if self._newest != self._keys.newest:
            self._newest = self._keys.newest
            await self._rotate_all()

    async def rotate(self) -> int:
        """Wrap every value's key with the newest key. How many were not; those that nobody can unwrap stay."""
        renewed = 0
        async with self._rotating:
            for entry in self._shelf.all():
                renewed += await self._disk.call(self._renew, entry)
                if not self._shelf.has(entry):  # removed meanwhile, and perhaps before its new head came
                    await self._disk.call(self._shelf.layout.unlink, [entry])
        return renewed

    def _head(self, entry: Entry) -> bytes | None:
        held = self._shelf.layout.blobs.read(self._shelf.layout.head(entry))
        return held.content if held else None

    def _renew(self, entry: Entry) -> int:
        token = self._head(entry)
        fresh = None if token is None else self._keys.renewed(token)
        if fresh is None:
            return 0
        self._shelf.layout.write_head(entry, fresh)
        return 1

    async def _rotate_all(self) -> None:
        if renewed := await self.rotate():
            log.info("spill.rotated", values=renewed)

    def _finished(self, value: SpilledValue, reserved: int) -> None:
        self._gone.pop(value.entry.key, None)
        metrics.SPILLED.inc()
        metrics.SPILLED_BYTES.inc(value.size)
        replaced = self._shelf.add(value.entry, reserved)
        if replaced is not None:
            self._disk.call_later(self._shelf.layout.unlink, [replaced])

    def _evicted(self, entries: list[Entry]) -> None:
        metrics.EVICTED.labels(kind="value").inc(len(entries))
        log.warning("spill.evicted", count=len(entries), reason="no room for a new value")
        self._remember(entries, "there was no room for it any longer")
        self._disk.call_later(self._shelf.layout.unlink, entries)

    def _remember(self, entries: list[Entry], why: str) -> None:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self._shelf.layout.now()))
        for entry in entries:
            self._gone[entry.key] = f"The value was removed at {when}: {why}."
            self._gone.move_to_end(entry.key)
        while len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)


class _SealedReader:
    def __init__(self, layout: Layout, value: SpilledValue) -> None:
        self._blobs = layout.blobs
        self._name = layout.data(value.entry)
        self._file: Reading | None = None
        self._opener = AESGCM(value.key)
        self._number = 0
        self._left = value.size
        self._done = False

    def next(self) -> bytes:
        if self._done:
            return b""
        if self._file is None:
            try:
                self._file = self._blobs.reader(self._name)
            except FileNotFoundError:
                raise ValueDamaged("A spilled value is missing on the runner's disk.") from None
        size = min(self._left, CHUNK)
        self._done = self._left <= CHUNK
        sealed = self._file.read(size + TAG)
        try:
            chunk = self._opener.decrypt(nonce(self._number, last=self._done), sealed, None)
        except (InvalidTag, ValueError):
            kind = "truncated" if len(sealed) < size + TAG else "altered"
            raise ValueDamaged(f"A spilled value was {kind} on the runner's disk.") from None
        if self._done and self._file.read(1):
            raise ValueDamaged("A spilled value was altered on the runner's disk: something follows its end.")
        self._number += 1
        self._left -= size
        return chunk

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
