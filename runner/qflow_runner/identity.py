"""What a runner keeps on disk: its token, its name among runners, and the lock that makes it the only one there."""

import fcntl
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from qflow_runner.errors import QflowError
from qflow_runner.settings import Settings


class InUse(QflowError):
    code = "data_dir_in_use"
    category = "unavailable"
    status = 503
    hint = "Stop the other runner, or give this one a QFLOW_DATA_DIR of its own."


class NoToken(QflowError):
    code = "token_missing"
    category = "unavailable"
    status = 503
    hint = "Start the runner once (qflow serve), or set QFLOW_TOKEN to the token that it was started with."


class DataDir:
    """The runner's directory, held by an advisory lock for as long as the process lives. Raises InUse."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.data_dir
        self._given = settings.token.get_secret_value() if settings.token else None
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"Another runner uses {self._path}.") from None

    def identity(self) -> str:
        """What marks this runner's sandboxes, so that it finds its own again and touches no other's."""
        return _kept(self._path / "identity", lambda: secrets.token_hex(8))[0]

    def token(self) -> tuple[str, bool]:
        """The API's token, and whether it was made just now."""
        if self._given is not None:
            return self._given, False
        return _kept(self._path / "token", lambda: secrets.token_urlsafe(32))

    @staticmethod
    def kept_token(settings: Settings) -> str:
        """The token of a runner that may be running just now: the one that is set, or that it made. Raises NoToken."""
        if settings.token is not None:
            return settings.token.get_secret_value()
        try:
            return (settings.data_dir / "token").read_text().strip()
        except OSError:
            raise NoToken(f"There is no token in {settings.data_dir} yet.") from None


def _kept(path: Path, make: Callable[[], str]) -> tuple[str, bool]:
    if path.exists() and (text := path.read_text().strip()):
        return text, False
    text = make()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    return text, True
