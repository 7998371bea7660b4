"""The form in which an entry leaves the memory, the same for a file and for Redis.

::

    "QFR1" | length of the token, 2 bytes | token | chunks

The token is wrapped by `Keys` and holds a key of this entry alone, both times, the count of errors and the size. The
chunks are the payload, sealed as a spilled value's are (see `files.spill_writer`), and with the cache's key and the
token as associated data: an entry that is put in another one's place does not open, nor one with another head.
"""

import secrets
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qflow_runner.cache.entry import Cached, Payload
from qflow_runner.files import Keys
from qflow_runner.files.spill_writer import CHUNK, TAG, nonce

_MAGIC = b"QFR1"
_HEAD = struct.Struct(">4sH")
_TOKEN = struct.Struct(">32sddIQ")
_MAX_TOKEN = 1024


def sealed_max(size: int) -> int:
    """Bytes that a payload of this size takes at most when it is sealed."""
    return _HEAD.size + _MAX_TOKEN + _sealed(size)


def seal(keys: Keys, key: str, cached: Cached) -> bytearray:
    """Blocks for about a millisecond per megabyte, and lets other threads in between."""
    size = len(cached.payload)
    secret = secrets.token_bytes(32)
    errors = min(max(cached.errors, 0), 0xFFFF_FFFF)
    token = keys.wrap(_TOKEN.pack(secret, cached.made, cached.expires, errors, size))
    head = _HEAD.pack(_MAGIC, len(token)) + token
    whole = bytearray(len(head) + _sealed(size))
    whole[: len(head)] = head
    sealer, bound = AESGCM(secret), key.encode() + head
    source, target = memoryview(cached.payload), memoryview(whole)[len(head) :]
    for number, start, end in _chunks(size):
        at = start + number * TAG
        sealer.encrypt_into(
            nonce(number, last=end == size),
            source[start:end],
            bound,
            target[at : at + end - start + TAG],
        )
    return whole


def unseal(keys: Keys, key: str, sealed: Payload, value_max: int) -> Cached | None:
    """None for what is not, in every byte, what was sealed for this key, or is larger than `value_max`. Blocks."""
    if len(sealed) < _HEAD.size:
        return None
    magic, length = _HEAD.unpack_from(sealed)
    if magic != _MAGIC or length > _MAX_TOKEN:
        return None
    begin = _HEAD.size + length
    plain = keys.unwrap(bytes(sealed[_HEAD.size : begin]))
    if plain is None or len(plain) != _TOKEN.size:
        return None
    secret, made, expires, errors, size = _TOKEN.unpack(plain)
    if size > value_max or len(sealed) != begin + _sealed(size):
        return None
    payload = bytearray(size)
    opener, bound = AESGCM(secret), key.encode() + bytes(sealed[:begin])
    source, target = memoryview(sealed)[begin:], memoryview(payload)
    try:
        for number, start, end in _chunks(size):
            at = start + number * TAG
            opener.decrypt_into(
                nonce(number, last=end == size),
                source[at : at + end - start + TAG],
                bound,
                target[start:end],
            )
    except InvalidTag:
        return None
    return Cached(payload, errors, made, expires)


def _sealed(size: int) -> int:
    return size + TAG * max(1, -(-size // CHUNK))


def _chunks(size: int) -> list[tuple[int, int, int]]:
    """(number, start, end) of each; nothing is one empty chunk."""
    starts = range(0, max(size, 1), CHUNK)
    return [(number, start, min(start + CHUNK, size)) for number, start in enumerate(starts)]
