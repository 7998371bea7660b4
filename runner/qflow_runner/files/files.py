"""Files of runs: what n8n uploads for them, and what they return. Plain, on disk, while an execution lives."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import structlog

from qflow_runner.blobs import Buffer, blobs_for
from qflow_runner.errors import FileIdInvalid, FileUnknown, UploadBroken
from qflow_runner.files.disk import Disk
from qflow_runner.files.finding import find, find_all, look
from qflow_runner.files.layout import Entry, Layout
from qflow_runner.files.plain import PlainReader, gone, place, unlink
from qflow_runner.files.shelf import Shelf
from qflow_runner.files.tidy import Tidy
from qflow_runner.files.writer import FileWriter, StoredFile, checked_id, clean_mime, clean_name, too_large
from qflow_runner.observe import metrics
from qflow_runner.settings import Settings

log = structlog.get_logger()

STALLED_S = 60.0
"""How long an upload may send nothing."""

_SWEEP_S = 60.0


class Files:
    """Each file belongs to a workflow, in which its id is unique, and to an execution, with which it ends."""

    def __init__(self, settings: Settings, *, stalled_s: float = STALLED_S) -> None:
        self._disk = Disk("qflow-files")
        self._shelf = Shelf(
            Layout(blobs_for(settings, "files", settings.files_dir), shared=settings.shared),
            settings.files_total_mb << 20,
            settings.files_keep_s,
        )
        self._limit = settings.files_max_mb << 20
        self._stalled_s = stalled_s
        self._known: dict[str, StoredFile] = {}  # by the entry's name
        self._links: dict[str, dict[Path, Path]] = {}  # by the entry's name and the directory
        self._tidy = Tidy(_SWEEP_S, self.sweep)

    @property
    def limit(self) -> int:
        """Bytes of the largest file."""
        return self._limit

    def __len__(self) -> int:
        return len(self._shelf)

    @property
    def total(self) -> int:
        """Bytes of all files, with those that are being written."""
        return self._shelf.total

    async def open(self) -> None:
        """Find what an earlier runner left, and remove what it did not finish. Raises DiskFailed."""
        await look(self._disk, self._shelf)
        self._tidy.start()

    async def close(self) -> None:
        await self._tidy.stop()
        await self._disk.close()

    async def receive(
        self, workflow: str, execution: str, chunks: AsyncIterable[Buffer], *, name: str = "", mime: str = ""
    ) -> StoredFile:
        """Store what `chunks` brings under a new id. Where it fails or is cancelled, nothing is left.

        Raises FileTooLarge, UploadBroken when it stalls, DiskFull, DiskFailed, and what `chunks` raises.
        """
        return await self.fill(
            self.writer(workflow, execution, secrets.token_urlsafe(18), name, mime), chunks
        )

    async def fill(self, writer: FileWriter, chunks: AsyncIterable[Buffer]) -> StoredFile:
        """As `receive`, into a writer."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._stalled_s) as deadline:
                async for chunk in chunks:
                    writer.write(chunk)
                    await writer.drain()
                    deadline.reschedule(loop.time() + self._stalled_s)
            return await writer.finish()
        except TimeoutError:
            raise UploadBroken(f"The upload sent nothing for {self._stalled_s:g} seconds.") from None
        finally:
            writer.abort()

    def writer(
        self, workflow: str, execution: str, file_id: str, name: str = "", mime: str = ""
    ) -> FileWriter:
        """For a file whose id the sender chose. The same id again replaces the file of the same execution.

        Raises FileIdInvalid when it is no id, or is another execution's; DiskFull.
        """
        entry = self._shelf.new(workflow, execution, checked_id(file_id))
        self._check_free(entry)
        stored = StoredFile(
            file_id,
            workflow,
            execution,
            clean_name(name),
            clean_mime(mime),
            0,
            entry,
        )
        return FileWriter(
            self._disk, self._shelf, stored, limit=self._limit, evicted=self._evicted, finished=self._finished
        )

    async def find(self, workflow: str, file_id: str) -> StoredFile:
        """Raises FileUnknown and DiskFailed."""
        entry = await find(self._disk, self._shelf, workflow, file_id)
        if entry is None:
            raise FileUnknown("There is no such file in this workflow, or not any more.")
        stored = self._known.get(entry.name)
        if stored is None:
            stored = self._known[entry.name] = await self._disk.call(self._read_head, entry)
        return stored

    def check_size(self, announced: int | None) -> None:
        """Raises FileTooLarge for what is too large before it comes."""
        if (announced or 0) > self._limit:
            raise too_large(self._limit)

    async def read(self, stored: StoredFile) -> AsyncGenerator[bytes]:
        """Its content, piece by piece. Raises FileUnknown when it is gone, before the first piece."""
        async with aclosing(self._disk.chunks(PlainReader(self._shelf.layout, stored.entry))) as pieces:
            async for piece in pieces:
                yield piece

    async def place(self, stored: StoredFile, directory: Path) -> Path:
        """Make it readable in `directory`, under a name that only whoever is told it can know.

        A directory that is not there is made so that others may enter it but not list it. The link goes with the
        file. Raises FileUnknown, DiskFull, DiskFailed.
        """
        if not self._shelf.has(stored.entry):
            raise gone()
        links = self._links.setdefault(stored.entry.name, {})
        link = links.setdefault(directory, directory / secrets.token_urlsafe(24))
        await self._disk.call(place, self._shelf.layout, stored.entry, link)
        if not self._shelf.has(stored.entry):  # removed meanwhile, and perhaps before there was a link
            self._disk.call_later(unlink, [link])
            raise gone()
        self._shelf.touch(stored.entry)
        return link

    async def delete(self, workflow: str, file_id: str) -> bool:
        """Whether there was one."""
        entry = await find(self._disk, self._shelf, workflow, file_id)
        if entry is not None:
            await self._remove([entry])
        return entry is not None

    def discard(self, files: Iterable[StoredFile]) -> None:
        """Remove them, without waiting for it."""
        self._disk.later(self._remove([each.entry for each in files]))

    async def forget(self, execution: str) -> None:
        """The execution is over: its files go, and their links in sandboxes."""
        await self._remove(await find_all(self._disk, self._shelf, execution))

    async def sweep(self) -> None:
        """Remove what is too old, and what is too much, the oldest first."""
        if self._shelf.layout.shared:
            await look(self._disk, self._shelf)
        await self._gone(self._shelf.outdated())

    def _check_free(self, entry: Entry) -> None:
        kept = self._shelf.by_key(entry.key)
        if kept is not None and kept.execution != entry.execution:
            raise FileIdInvalid("Another execution has a file of this id.")

    def _finished(self, stored: StoredFile, reserved: int) -> None:
        try:
            self._check_free(stored.entry)
        except FileIdInvalid:
            self._shelf.release(stored.entry.workflow, reserved)
            self._disk.call_later(self._shelf.layout.unlink, [stored.entry])
            raise
        self._known[stored.entry.name] = stored
        metrics.FILES_STORED.inc()
        metrics.FILES_STORED_BYTES.inc(stored.size)
        replaced = self._shelf.add(stored.entry, reserved)
        if replaced is not None:
            self._disk.later(self._gone([replaced]))

    def _evicted(self, entries: list[Entry]) -> None:
        metrics.EVICTED.labels(kind="file").inc(len(entries))
        log.warning("files.evicted", count=len(entries), reason="no room for a new file")
        self._disk.later(self._gone(entries))

    async def _remove(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._shelf.remove(entry)
        await self._gone(entries)

    async def _gone(self, entries: list[Entry]) -> None:
        if not entries:
            return
        links: list[Path] = []
        for entry in entries:
            self._known.pop(entry.name, None)
            links.extend(self._links.pop(entry.name, {}).values())
        await self._disk.call(self._shelf.layout.unlink, entries)
        await self._disk.call(unlink, links)

    def _read_head(self, entry: Entry) -> StoredFile:
        """Once per file that another runner left. Blocks."""
        name = self._shelf.layout.head(entry)
        held = self._shelf.layout.blobs.read(name)
        try:
            about = cast("dict[str, Any]", json.loads(held.content if held else b""))
            texts = {each: str(about[each]) for each in ("id", "workflow", "execution", "name", "mime")}
        except (ValueError, KeyError, TypeError) as error:
            log.warning("file.damaged", file=name, reason=str(error))
            raise FileUnknown("What the runner knew of this file is damaged.") from None
        return StoredFile(**texts, size=entry.size, entry=entry)
