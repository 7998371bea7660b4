"""A local copy of OSV's export as the source: nothing leaves the machine."""

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from qflow_runner.advisories.export import MirrorUnusable
from qflow_runner.advisories.findings import Finding
from qflow_runner.advisories.index import Index, current_index

log = structlog.get_logger()

Key = tuple[str, str]


class Mirror:
    """Looks packages up in an export, of which it makes an index when the export has changed."""

    def __init__(self, export: Path, cache: Path, deadline_s: float) -> None:
        self._export = export.absolute()
        name = hashlib.sha256(str(self._export).encode(errors="surrogateescape")).hexdigest()[:16]
        self._path = (cache / f"mirror-{name}.sqlite").absolute()
        self._deadline_s = deadline_s
        self._stopped = threading.Event()
        self._making: asyncio.Task[Index] | None = None
        self.name = f"the export {export}"

    async def close(self) -> None:
        """Ends the making of an index between two of its records."""
        self._stopped.set()
        if self._making is not None:
            await asyncio.wait([self._making], timeout=self._deadline_s)

    async def ask(self, packages: Sequence[Key]) -> dict[Key, Finding]:
        """What is known of normalised names and versions. Never raises: what failed is told for each package.

        The first check after a change waits for the index within its deadline; the index is finished all the same.
        """
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make())
            self._making.add_done_callback(_log_failure)
        try:
            async with asyncio.timeout(self._deadline_s):
                index = await asyncio.shield(self._making)
                return await asyncio.to_thread(_look_up, index, packages)
        except TimeoutError:
            reason = f"the index of {self.name} is still being made: check again in a moment"
        except MirrorUnusable as error:
            reason = str(error)
        return {key: Finding(failure=reason) for key in packages}

    async def _make(self) -> Index:
        index = await asyncio.to_thread(current_index, self._path, self._export, self._stopped.is_set)
        self.name = f"the export {self._export}"
        if index.newest:
            self.name += f", its newest advisory of {index.newest}"
        return index


def _log_failure(making: asyncio.Task[Index]) -> None:
    """Here too because the check that started it may have gone at its deadline."""
    error = None if making.cancelled() else making.exception()
    if error is not None:
        log.warning("advisories.mirror_unusable", reason=str(error))


def _look_up(index: Index, packages: Sequence[Key]) -> dict[Key, Finding]:
    try:
        known = index.records_of(name for name, _ in packages)
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
        # It is made anew at the next check: the next look at the file finds the mistake, or no file.
        index.path.unlink(missing_ok=True)
        raise MirrorUnusable(f"the index {index.path} was damaged, and is made anew: {error}") from None
    found: dict[Key, Finding] = {}
    for name, version in packages:
        each = Finding()
        for record in known[name]:
            match, advisory = record.judge(name, version)
            if match.affects == "yes":
                each.advisories.append(advisory)
            elif match.affects == "unknown":
                each.failure = f"{advisory.id} does not say readably which versions it is about"
        if index.unreadable:
            each.failure = f"files of the export that could not be read ({index.unreadable}) may be about it"
        found[name, version] = each
    return found
