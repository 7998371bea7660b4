"""What the audit log owes a database that is away: lines on disk, encrypted, until it is back."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from qflow_runner.keys import Keys
from qflow_runner.store import AuditEntry

PLACE = "audit owed"


class Spool:
    """Blocks: for threads. Raises OSError."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self._path = path
        self._keys = keys

    def load(self) -> tuple[list[AuditEntry], int]:
        """What an earlier runner left, and how many lines cannot be read."""
        try:
            lines = self._path.read_text(encoding="ascii", errors="replace").split()
        except FileNotFoundError:
            return [], 0
        opened = [self._keys.opened(line, PLACE) for line in lines]
        return [AuditEntry(*json.loads(text)) for text in opened if text is not None], opened.count(None)

    def add(self, entries: Sequence[AuditEntry]) -> None:
        """On the disk when this returns."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            lines = [self._keys.seal(json.dumps(entry), PLACE) + "\n" for entry in entries]
            content = memoryview("".join(lines).encode("ascii"))
            while content:
                content = content[os.write(descriptor, content) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)
