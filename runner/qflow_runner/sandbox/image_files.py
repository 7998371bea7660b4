"""The files that sandbox images are made of: where they are, what they amount to, and a build's context."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import qflow_runner

AGENT = ("qflow_agent", "qflow")
"""The agent's packages: itself, and what it offers to people's code."""


def image_files() -> Path:
    """The folder `sandbox-images`: beside the runner in a checkout, inside the package when installed."""
    package = Path(qflow_runner.__file__).parent
    installed = package / "_sandbox_images"
    return installed if installed.is_dir() else package.parents[1] / "sandbox-images"


def cache_dir() -> Path:
    """Where downloads are kept between calls; anything in it may be deleted."""
    named = os.environ.get("QFLOW_CACHE_DIR") or os.environ.get("QFLOW_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qflow"


def lock_file(files: Path) -> Path:
    return files / "agent" / "requirements.lock"


def content_hash(files: Path) -> str:
    """Twelve hex digits over all that a sandbox image is made of, except its Python."""
    digest = hashlib.sha256()
    for path in _sources(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(files).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def sandbox_context(files: Path, libraries: Path) -> io.BytesIO:
    """The tar that the Dockerfile is built from: itself, `agent/` and `lib/`. About 2 MB."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        tar.add(files / "python" / "Dockerfile", "Dockerfile", filter=_plain)
        for path in _agent(files):
            tar.add(path, path.relative_to(files).as_posix(), filter=_plain)
        tar.add(libraries, "lib", filter=_plain)
    context.seek(0)
    return context


def _sources(files: Path) -> Iterator[Path]:
    yield files / "python" / "Dockerfile"
    yield lock_file(files)
    yield from _agent(files)


def _agent(files: Path) -> list[Path]:
    return sorted(path for name in AGENT for path in (files / "agent" / name).rglob("*.py"))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Owned by root and readable by all, whoever checked the files out and with whatever umask."""
    if member.name.endswith("/__pycache__"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o755 if member.isdir() else 0o644
    return member
