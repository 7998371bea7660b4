"""Writes the files that let n8n check links, with the runner's address and token."""

import json
import os
import secrets
from pathlib import Path

import qflow_runner

HOOKS = "qflow-hooks.cjs"
EXTENSION = "qflow-editor.js"
SETTINGS = "qflow.json"
EXTENSION_URL = "/rest/qflow/editor.js"
"""Where n8n serves the extension, once it has loaded the hook file."""


def editor_files() -> Path:
    """The folder `editor`: beside the package in a checkout, inside it when installed."""
    package = Path(qflow_runner.__file__).parent
    installed = package / "_editor"
    return installed if installed.is_dir() else package.parent / "editor"


def write_files(directory: Path, url: str, token: str) -> list[str]:
    """Write them into `directory`, which is made, and answer with what to do, a sentence each. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in (HOOKS, EXTENSION):
        _write(directory / name, (editor_files() / name).read_bytes(), 0o644)
    settings = json.dumps({"url": url.rstrip("/"), "token": token}, indent=2) + "\n"
    _write(directory / SETTINGS, settings.encode(), 0o600)
    hooks = (directory / HOOKS).resolve()
    return [
        f"Wrote {HOOKS}, {EXTENSION} and {SETTINGS} to {directory}.",
        f"{SETTINGS} holds the token: only its owner can read it, and n8n must run as that user.",
        f"Set EXTERNAL_HOOK_FILES={hooks} for every n8n process (the path as n8n sees it, in a container too).",
        f"Set EXTERNAL_FRONTEND_HOOKS_URLS={EXTENSION_URL} for n8n's main process, and restart n8n.",
        f"n8n will ask the runner at {url}; QFLOW_URL and QFLOW_TOKEN in n8n's environment come before the file.",
    ]


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step, so that n8n never reads half of it, and no link in its place is followed.

    What root writes into another user's directory, n8n's for one, is given to that user.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)  # whatever the umask
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
