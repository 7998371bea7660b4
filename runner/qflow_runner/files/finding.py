"""What a shelf has, also where other runners put things onto it: then the place is asked, and not the memory."""

import time

from qflow_runner.files.disk import Disk
from qflow_runner.files.layout import Entry
from qflow_runner.files.shelf import Shelf


async def find(disk: Disk, shelf: Shelf, workflow: str, name: str) -> Entry | None:
    """Raises DiskFailed."""
    known = shelf.get(workflow, name)
    if not shelf.layout.shared:
        return known
    found = await disk.call(shelf.layout.newest, workflow, name)
    if found is None:
        if known is not None:
            shelf.remove(known)
        return None
    return _taken(disk, shelf, found)


async def find_all(disk: Disk, shelf: Shelf, execution: str) -> list[Entry]:
    """What an execution has. Raises DiskFailed."""
    if shelf.layout.shared:
        for found in await disk.call(shelf.layout.together, execution):
            _taken(disk, shelf, found)
    return shelf.of(execution)


async def look(disk: Disk, shelf: Shelf) -> None:
    """Read what is there, and remove what was left unfinished. Raises DiskFailed."""
    since = time.time()
    replaced = shelf.settle(await disk.call(shelf.layout.scan), since)
    await disk.call(shelf.layout.unlink, replaced)


def _taken(disk: Disk, shelf: Shelf, found: Entry) -> Entry:
    if not shelf.has(found):
        replaced = shelf.add(found, 0)
        if replaced is not None:
            disk.call_later(shelf.layout.unlink, [replaced])
    return found
