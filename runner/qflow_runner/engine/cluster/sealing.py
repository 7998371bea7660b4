"""What passes through Redis is sealed: others may read and write there, and items and secrets are in it."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qflow_runner.errors import ClusterMismatch
from qflow_runner.keys import Keys

_MAGIC = b"QFM1"
_NAME = 8
_NONCE = 12


class Sealer:
    """A message opens for the purpose that it was sealed for, with any of the keys. May be used by threads."""

    def __init__(self, keys: Keys, cluster: str) -> None:
        self._keys = keys
        self._use = f"cluster {cluster}"

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """A millisecond for some megabytes."""
        name, key = next(iter(self._keys.derived(self._use).items()))
        nonce = secrets.token_bytes(_NONCE)
        head = _MAGIC + name[:_NAME].encode()
        return b"".join((head, nonce, AESGCM(key).encrypt(nonce, plain, head + purpose.encode())))

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Raises ClusterMismatch for what no process with our keys sealed for this purpose."""
        head, rest = sealed[: len(_MAGIC) + _NAME], sealed[len(_MAGIC) + _NAME :]
        if head[: len(_MAGIC)] == _MAGIC:
            for name, key in self._keys.derived(self._use).items():
                if name[:_NAME].encode() == head[len(_MAGIC) :]:
                    try:
                        return AESGCM(key).decrypt(rest[:_NONCE], rest[_NONCE:], head + purpose.encode())
                    except (InvalidTag, ValueError):
                        break
        raise ClusterMismatch(
            "A message of the cluster cannot be opened: its sender has other QFLOW_ENCRYPTION_KEYS, or is no member.",
            hint="Give every process of the cluster the same keys.",
        )
