"""The wheels that were built here: kept, because another build of the same source may come out otherwise.

One directory for each, named by the wheel's hash, with the wheel and what is known of it.
"""

import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from qflow_runner.errors import BuildFailed
from qflow_runner.layers import tree
from qflow_runner.layers.model import Built

log = structlog.get_logger()

ABOUT = "built.json"
NEW = ".new-"
LEFT_S = 86_400.0

_FORM = TypeAdapter(Built)


class BuiltWheels:
    """All its methods touch the disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def open(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self.directory.glob(f"{NEW}*"):
            # A younger one may be another process's, which is at it.
            if time.time() - left.lstat().st_mtime > LEFT_S:
                tree.remove(left)

    def find(self, python: str, name: str, version: str) -> Built | None:
        """The oldest that is whole."""
        found: list[tuple[float, Built]] = []
        for about in self.directory.glob(f"*/{ABOUT}"):
            try:
                built = _FORM.validate_json(about.read_bytes())
            except (OSError, ValidationError) as error:
                log.warning("built.unreadable", path=str(about), reason=str(error).splitlines()[0])
                continue
            if (built.python, built.name, built.version) == (python, name, version):
                found.append((about.stat().st_mtime, built))
        return next((each for _, each in sorted(found, key=lambda pair: pair[0]) if self._whole(each)), None)

    def place(self, built: Built) -> Path:
        """The directory to find it in. Raises BuildFailed when it is not there as it was built."""
        if not self._whole(built):
            raise BuildFailed(
                f"{built.name} {built.version} was built on this runner, and its wheel is gone or was changed.",
                hint="Restore 'wheels' in QFLOW_DATA_DIR from a backup, or upgrade the requirements: it is built anew then.",
            )
        return self.directory / built.wheel

    def add(self, wheel: Path, built: Built) -> Built:
        """Keep it, if that hash is not kept already. `wheel` is a file of this user's own."""
        scratch = Path(tempfile.mkdtemp(dir=self.directory, prefix=NEW))
        try:
            shutil.copyfile(wheel, scratch / built.file)
            (scratch / built.file).chmod(0o644)
            tree.write(scratch / ABOUT, _FORM.dump_json(built))
            with (scratch / built.file).open("rb") as file:
                os.fsync(file.fileno())
            scratch.chmod(0o755)
            place = self.directory / built.wheel
            if place.exists() and not self._whole(built):
                tree.remove(place)
            if not place.exists():
                scratch.rename(place)
                tree.sync(self.directory)
        finally:
            tree.remove(scratch)
        return built

    def _whole(self, built: Built) -> bool:
        try:
            with (self.directory / built.wheel / built.file).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == built.wheel
        except OSError:
            return False
