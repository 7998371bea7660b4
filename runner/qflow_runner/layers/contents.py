"""What an installed tree brings: the modules, and whether each distribution's files are those that it lists."""

import base64
import csv
import io
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

RESERVED = frozenset({"qflow", "qflow_agent"})
"""Modules of the guest's own: code that took their names would stand between it and the runner."""

RECORD_MAX = 32 << 20
_NO_MODULES = frozenset({"bin", "__pycache__"})
_SUFFIXES = (".py", ".so", ".pyd")

# Of the standard library that this process has, what others have not yet, or no longer.
_GONE = {
    (3, 12): "asynchat asyncore distutils imp smtpd",
    (
        3,
        13,
    ): "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr"
    " spwd sunau telnetlib uu xdrlib",
}
_SINCE = {
    "tomllib": (3, 11),
    "zoneinfo": (3, 9),
    "graphlib": (3, 9),
    "annotationlib": (3, 14),
    "compression": (3, 14),
}
_UNTIL = {name: version for version, names in _GONE.items() for name in names.split()}


def modules(paths: Iterable[str]) -> tuple[str, ...]:
    """The names that can be imported: packages, namespace packages, and single files of code."""
    found: set[str] = set()
    for path in paths:
        if not path.endswith(_SUFFIXES):
            continue
        top, _, rest = path.partition("/")
        name = top if rest else top.partition(".")[0]
        if name.isidentifier() and not (rest and name in _NO_MODULES):
            found.add(name)
    return tuple(sorted(found))


def shadowed(names: Iterable[str], python: str) -> list[str]:
    """Those of the names that the standard library of that Python has too."""
    major, minor = (int(part) for part in python.split("."))
    version = (major, minor)
    standard = (sys.stdlib_module_names | _UNTIL.keys() | _SINCE.keys()) - {
        *(name for name, since in _SINCE.items() if version < since),
        *(name for name, until in _UNTIL.items() if version >= until),
    }
    return sorted(set(names) & standard)


def wrong_records(directory: Path, hashes: Mapping[str, str]) -> list[str]:
    """The distributions of which a file is not the one that their RECORD names: a cache that was changed.

    `hashes` are the tree's, SHA-256 in hex by path. A file that two distributions bring is compared with neither.
    """
    records = {
        info.partition("-")[0]: _record((directory / path).read_bytes()[:RECORD_MAX])
        for path in hashes
        for info, _, file in [path.partition("/")]
        if file == "RECORD" and info.endswith(".dist-info")
    }
    owners = Counter(path for record in records.values() for path in record)
    return [
        name
        for name, record in records.items()
        if any(owners[path] == 1 and hashes.get(path) != digest for path, digest in record.items())
    ]


def neutral_scripts(directory: Path, interpreter: str) -> None:
    """Let scripts start the Python on the sandbox's PATH: the installer wrote the one of this machine into them."""
    try:
        scripts = [
            entry.path for entry in os.scandir(directory / "bin") if entry.is_file(follow_symlinks=False)
        ]
    except FileNotFoundError:
        return
    for path in scripts:
        content = Path(path).read_bytes()
        first, newline, rest = content.partition(b"\n")
        if first.startswith(b"#!") and os.fsencode(interpreter) in first:
            Path(path).write_bytes(b"#!/usr/bin/env python3" + newline + rest)


def _record(content: bytes) -> dict[str, str]:
    """The SHA-256 in hex of each file in the tree itself; scripts are left out, because they are rewritten."""
    found: dict[str, str] = {}
    for row in csv.reader(io.StringIO(content.decode("utf-8", "replace"))):
        if len(row) != 3 or not row[1].startswith("sha256=") or row[0].startswith(("bin/", "../", "/")):
            continue
        padded = row[1].removeprefix("sha256=").rstrip("=") + "="
        with suppress(ValueError):
            found[row[0]] = base64.urlsafe_b64decode(padded).hex()
    return found
