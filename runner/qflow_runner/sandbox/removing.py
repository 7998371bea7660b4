"""What sandboxes leave: containers, sockets and directories, also those of an earlier runner."""

import asyncio
import shutil
from collections.abc import Collection
from pathlib import Path

import structlog

from qflow_runner.errors import QflowError
from qflow_runner.sandbox.backend import Backend
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.ledger import SUFFIX

log = structlog.get_logger()


class Removing:
    """`left` has the sandboxes that could not be removed while the backend was away."""

    def __init__(self, backend: Backend, run_dir: Path, files: Path | None) -> None:
        self.left: set[str] = set()
        self._backend = backend
        self._run_dir = run_dir
        self._files = files

    async def sandbox(self, sandbox: str) -> None:
        """Its container. Where the backend is away it is `left`."""
        self.left.discard(sandbox)
        try:
            await self._backend.remove(sandbox)
        except QflowError as error:
            log.warning("sandbox.not_removed", sandbox=sandbox, reason=error.detail)
            self.left.add(sandbox)

    async def all_of(self, sandbox: str, guest: Guest) -> None:
        """Its container, and the directories that it was reached in."""
        await self.sandbox(sandbox)
        for place in (guest.socket.parent, guest.files):
            if place is not None:
                await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    def sweep(self, wanted: Collection[str]) -> None:
        """Directories of all others. A guest that is not wanted waits for its socket: it ends now. Blocks."""
        for directory in (self._run_dir, self._files):
            for path in [] if directory is None else list(directory.iterdir()):
                if path.name.removesuffix(SUFFIX) in wanted:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
