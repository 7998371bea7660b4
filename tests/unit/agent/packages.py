"""Packages that people's code uses, for tests with the real ones: installed by uv, once per Python, outside the tree."""

import hashlib
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from uv import find_uv_bin

from qflow_runner.sandbox.image_files import cache_dir

INSTALL_DEADLINE_S = 600
PACKAGES = (
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pillow",
    "matplotlib",
    "plotly",
    "scikit-learn",
    "cloudpickle",
)


@cache
def packages(python: str, names: tuple[str, ...] = PACKAGES) -> Path:
    """The directory with the newest packages for that version of Python. Safe to call in two processes at once."""
    key = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
    place = cache_dir() / "test-packages" / f"{python}-{key}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as scratch:
        made = Path(scratch) / "packages"
        made.mkdir()
        command = [
            *(find_uv_bin(), "pip", "install", "--quiet", "--target", str(made), "--python-version", python),
            *("--only-binary", ":all:", "--link-mode", "copy", *names),
        ]
        subprocess.run(command, cwd=made, check=True, timeout=INSTALL_DEADLINE_S, stdin=subprocess.DEVNULL)
        try:
            made.rename(place)
        except OSError:
            # Another process renamed its own first.
            if not place.is_dir():
                raise
    return place
