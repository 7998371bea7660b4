"""What base images are made of where no registry can be reached: Debian's packages and this machine's Pythons.

Makes files only; `images` hands them to Docker.
"""

import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from qflow_runner.errors import ImageMissing
from qflow_runner.sandbox.image_files import image_files
from qflow_runner.sandbox.vendor import find_python

SUITE = "bookworm"
PACKAGES = (
    *("ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libreadline8"),
    *("libsqlite3-0", "libssl3", "libuuid1", "zlib1g"),
)
LEFT_OUT = (
    *(
        "./dev/*",
        "./proc/*",
        "./sys/*",
        "./tmp/*",
        "./var/cache/apt/*",
        "./var/lib/apt/lists/*",
        "./var/log/*",
    ),
    *("./usr/share/doc/*/changelog*", "./usr/share/info/*", "./usr/share/locale/*", "./usr/share/man/*"),
)
KEY = hashlib.sha256("\n".join([SUITE, *PACKAGES, *LEFT_OUT]).encode()).hexdigest()[:12]
DEBIAN = f"qflow-debian:{SUITE}-{KEY}"
"""Not `debian:bookworm-slim`: the public image of that name lacks the libraries that Python needs."""

UNUSED_FOLDERS = frozenset(
    {
        "__pycache__",
        "dist-packages",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "site-packages",
        "test",
        "tests",
        "tkinter",
        "turtledemo",
    }
)
UNUSED_FILES = ("*.a", "*.o", "*.pyc", "_tkinter.*", "sitecustomize.py", "turtle.py")

Report = Callable[[str], None]


def file_system(cache: Path, report: Report) -> Path:
    """A tar of a small Debian, made once. Raises ImageMissing when this machine cannot make it."""
    kept = cache / "base" / f"{SUITE}-{KEY}.tar"
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    program = _debootstrap(report)
    report("Making a Debian file system: about half a minute, once.")
    scratch = Path(tempfile.mkdtemp(dir=kept.parent, prefix=f".{SUITE}-"))
    root, made = scratch / "root", scratch / "made.tar"
    try:
        _do([program, "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root)])
        _do(["tar", "-C", str(root), *(f"--exclude={name}" for name in LEFT_OUT), "-cf", str(made), "."])
        made.rename(kept)
    finally:
        # debootstrap mounts /proc in there, and when it was interrupted it may still be mounted.
        subprocess.run(["rm", "-rf", "--one-file-system", str(scratch)], check=False)
    return kept


def python_context(python: str) -> IO[bytes] | None:
    """The tar that base/Dockerfile is built from, with a CPython of this machine; None without that version."""
    interpreter = find_python(python)
    if interpreter is None:
        return None
    executable, library, shared = _layout(interpreter)
    context = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=context, mode="w", dereference=True) as tar:
        tar.add(image_files() / "base" / "Dockerfile", "Dockerfile", filter=_owned_by_root)
        tar.add(executable, f"usr/local/bin/python{python}", filter=_owned_by_root)
        # Debian's interpreter says that it is linked to a shared library, and is not.
        if shared.exists():
            tar.add(shared, f"usr/local/lib/{shared.name}", filter=_owned_by_root)
        _add_library(tar, library, f"usr/local/lib/python{python}")
    context.seek(0)
    return context


def _layout(interpreter: str) -> tuple[Path, Path, Path]:
    program = (
        "import json, os, sys, sysconfig as s; v = s.get_config_var;"
        "print(json.dumps([os.path.realpath(sys.executable), s.get_path('stdlib'),"
        " os.path.join(v('LIBDIR'), v('INSTSONAME'))]))"
    )
    answer = subprocess.run([interpreter, "-I", "-c", program], capture_output=True, text=True, check=True)
    executable, library, shared = json.loads(answer.stdout)
    return Path(executable), Path(library), Path(shared)


def _add_library(tar: tarfile.TarFile, library: Path, name: str) -> None:
    for folder, folders, files in os.walk(library):
        folders[:] = sorted(set(folders) - UNUSED_FOLDERS)
        inside = Path(folder).relative_to(library)
        for file in sorted(files):
            path = Path(folder) / file
            # Debian's library has links into packages that may not be installed.
            if path.exists() and not any(fnmatch.fnmatch(file, pattern) for pattern in UNUSED_FILES):
                tar.add(path, f"{name}/{inside / file}", filter=_owned_by_root)
    # Python looks for packages in this folder only if it was there at its start.
    packages = tarfile.TarInfo(f"{name}/site-packages")
    packages.type, packages.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(packages)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _debootstrap(report: Report) -> str:
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    found = shutil.which("debootstrap", path=path)
    if os.geteuid() == 0 and found is None and shutil.which("apt-get") is not None:
        report("Installing the Debian package debootstrap …")
        _do(["apt-get", "update", "-qq"])
        _do(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"])
        found = shutil.which("debootstrap", path=path)
    if os.geteuid() != 0 or found is None:
        raise ImageMissing(
            "A base image can be made on this machine only by root and with debootstrap.",
            hint="Run this as root on Debian or Ubuntu, or load python:X-slim-bookworm with `docker load`.",
        )
    return found


def _do(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise ImageMissing(f"{Path(command[0]).name} failed: {' '.join(told)}")
