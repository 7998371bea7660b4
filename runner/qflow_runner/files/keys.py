"""The keys with which the runner encrypts what it keeps."""

import os
import secrets
import stat
from pathlib import Path

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from qflow_runner.errors import KeyInvalid
from qflow_runner.settings import Settings, is_fernet_key

log = structlog.get_logger()


class Keys:
    """Wraps small secrets, such as the key of a file. The newest key wraps; any key that there is unwraps.

    The keys are those of QFLOW_ENCRYPTION_KEYS, and behind them the one in the data directory if there is one: a
    runner that is given keys of its own still reads what it wrote before. Blocks, for a moment, when it is made.
    Raises KeyInvalid, and OSError.
    """

    def __init__(self, settings: Settings) -> None:
        path = settings.data_dir / "key"
        given = [key.get_secret_value() for key in settings.encryption_keys]
        kept = _kept(path)
        if kept is None and not given:
            kept = _made(path)
        fernets = [Fernet(key) for key in [*given, *([kept] if kept else [])]]
        self._newest = fernets[0]
        self._all = MultiFernet(fernets)
        self.count = len(fernets)

    def wrap(self, content: bytes) -> bytes:
        return self._all.encrypt(content)

    def unwrap(self, wrapped: bytes) -> bytes | None:
        """None where it was altered, or none of the keys is its key."""
        try:
            return self._all.decrypt(wrapped)
        except InvalidToken:
            return None

    def renewed(self, wrapped: bytes) -> bytes | None:
        """Wrapped with the newest key, or None where it is already, or cannot be. The time of its making stays."""
        try:
            self._newest.decrypt(wrapped)
        except InvalidToken:
            try:
                return self._all.rotate(wrapped)
            except InvalidToken:
                return None
        return None


def _kept(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    if not is_fernet_key(text):
        raise KeyInvalid(f"{path} holds no key.")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        log.warning(
            "key.readable", path=str(path), hint="chmod 600: others can read what the runner encrypts"
        )
    return text


def _made(path: Path) -> str:
    key = Fernet.generate_key().decode()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"key.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(descriptor)  # a key that a crash loses takes with it all that was encrypted
    part.rename(path)
    return key
