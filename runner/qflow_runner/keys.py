"""The keys with which the runner encrypts what it keeps.

They are those of QFLOW_ENCRYPTION_KEYS, and behind them the lines of the file `key` in the data directory, each with
the newest first: a runner that is given keys of its own still reads what it wrote before. The file is looked at again
while the runner runs, so that a key that `qflow keys rotate` puts in front is used without a restart.
"""

import hashlib
import hmac
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from qflow_runner.errors import KeyInvalid
from qflow_runner.key_file import kept, locked, made, write
from qflow_runner.settings import Settings

LOOK_S = 2.0
"""How often the file is looked at."""


@dataclass(frozen=True)
class _Ring:
    secrets: tuple[str, ...]

    @cached_property
    def fernets(self) -> tuple[Fernet, ...]:
        return tuple(map(Fernet, self.secrets))

    @cached_property
    def every(self) -> MultiFernet:
        return MultiFernet(self.fernets)


class Keys:
    """Wraps small secrets and texts. The newest key wraps; any key that there is unwraps. May be used by threads.

    Blocks, for a moment, when it is made. Raises KeyInvalid, and OSError.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.data_dir / "key"
        self._given = tuple(key.get_secret_value() for key in settings.encryption_keys)
        self._looked = time.monotonic()
        self._stamp = _stamp(self._path)
        found = kept(self._path)
        if not found and not self._given:
            found = made(self._path)
            self._stamp = _stamp(self._path)
        self._ring = _Ring((*self._given, *found))

    @property
    def count(self) -> int:
        return len(self._ring.secrets)

    @property
    def names(self) -> list[str]:
        """What the keys are called, the newest first: the beginning of a hash, which tells nothing of the key."""
        return [name_of(secret) for secret in self._current().secrets]

    @property
    def given(self) -> frozenset[str]:
        """The names of those that QFLOW_ENCRYPTION_KEYS has."""
        return frozenset(map(name_of, self._given))

    @property
    def newest(self) -> str:
        return name_of(self._current().secrets[0])

    def wrap(self, content: bytes) -> bytes:
        return self._current().every.encrypt(content)

    def unwrap(self, wrapped: bytes) -> bytes | None:
        """None where it was altered, or none of the keys is its key."""
        try:
            return self._ring.every.decrypt(wrapped)
        except InvalidToken:
            pass
        if not self._looked_again():
            return None
        try:
            return self._ring.every.decrypt(wrapped)
        except InvalidToken:
            return None

    def renewed(self, wrapped: bytes) -> bytes | None:
        """Wrapped with the newest key, or None where it is already, or cannot be. The time of its making stays."""
        ring = self._current()
        try:
            ring.fernets[0].decrypt(wrapped)
        except InvalidToken:
            try:
                return ring.every.rotate(wrapped)
            except InvalidToken:
                return None
        return None

    def seal(self, text: str, place: str) -> str:
        """The text for a column of the database. It opens at that place alone, so that rows cannot be exchanged."""
        return self.wrap(f"{place}\n{text}".encode("utf-8", "surrogatepass")).decode("ascii")

    def opened(self, sealed: str, place: str) -> str | None:
        """None where it was altered, exchanged or not sealed, or its key is gone."""
        plain = self.unwrap(sealed.encode("utf-8", "replace"))
        if plain is None:
            return None
        at, _, text = plain.decode("utf-8", "surrogatepass").partition("\n")
        return text if at == place else None

    def holder(self, wrapped: bytes) -> str | None:
        """The name of the key that it is wrapped with."""
        ring = self._current()
        for secret, fernet in zip(ring.secrets, ring.fernets, strict=True):
            try:
                fernet.decrypt(wrapped)
            except InvalidToken:
                continue
            return name_of(secret)
        return None

    def sign(self, content: bytes, purpose: str) -> str:
        return _signature(self._current().secrets[0], content, purpose)

    def signed(self, content: bytes, purpose: str, signature: str) -> bool:
        """Whether one of the keys signed it."""
        made_by = (_signature(secret, content, purpose) for secret in self._current().secrets)
        return any(hmac.compare_digest(each.encode(), signature.encode()) for each in made_by)

    def derived(self, purpose: str) -> dict[str, bytes]:
        """A key of 32 bytes for another use, of each, by its name, the newest first."""
        secrets = self._current().secrets
        return {
            name_of(each): hmac.digest(each.encode(), b"qflow " + purpose.encode(), "sha256")
            for each in secrets
        }

    def rotate(self) -> str:
        """Put a new key in front of the file, and return its name. Blocks. Raises KeyInvalid where keys are given."""
        if self._given:
            raise KeyInvalid(
                "The keys are those of QFLOW_ENCRYPTION_KEYS, which a command cannot change.",
                hint="Put a new key in front of them, start the runner again, and then renew what is encrypted.",
            )
        with locked(self._path):
            secret = Fernet.generate_key().decode()
            write(self._path, [secret, *kept(self._path)])
        self.look_again()
        return name_of(secret)

    def remove(self, name: str) -> None:
        """Take a key out of the file. Blocks. Raises KeyInvalid for the newest, and for one that is not in the file."""
        with locked(self._path):
            found = kept(self._path)
            left = [secret for secret in found if name_of(secret) != name]
            if len(left) == len(found):
                raise KeyInvalid(f"The key file has no key {name}.", hint="See `qflow keys status`.")
            if name == self.newest:
                raise KeyInvalid(
                    f"{name} is the newest key.", hint="Make a newer one first: `qflow keys rotate`."
                )
            write(self._path, left)
        self.look_again()

    def look_again(self) -> None:
        """Read the file now. Raises KeyInvalid and OSError."""
        self._stamp = _stamp(self._path)
        self._ring = _Ring((*self._given, *kept(self._path)))

    def _current(self) -> _Ring:
        if time.monotonic() - self._looked >= LOOK_S:
            self._looked_again()
        return self._ring

    def _looked_again(self) -> bool:
        """Whether there are other keys now. A file that is being replaced, or is none, changes nothing."""
        self._looked = time.monotonic()
        stamp = _stamp(self._path)
        if stamp in {self._stamp, None}:
            return False
        try:
            self.look_again()
        except (KeyInvalid, OSError):
            return False
        return True


def name_of(secret: str) -> str:
    return hashlib.sha256(b"qflow key " + secret.encode()).hexdigest()[:8]


def _signature(secret: str, content: bytes, purpose: str) -> str:
    derived = hmac.digest(secret.encode(), b"qflow " + purpose.encode(), "sha256")
    return hmac.digest(derived, content, "sha256").hex()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - the quickest way, on the path of a write
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
