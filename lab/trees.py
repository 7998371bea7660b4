"""Directories that others change while they are read."""

import os
from collections.abc import Iterator
from pathlib import Path


def below(folder: Path) -> Iterator[Path]:
    """All that lies below a folder. What is removed meanwhile is left out, where `rglob` would raise."""
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))
