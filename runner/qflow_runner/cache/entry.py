"""What is kept of a result, by which key, and for how long."""

import hashlib
import time
from dataclasses import dataclass

Payload = bytes | bytearray

MAX_TTL_S = 30 * 86_400.0
"""The longest time to live; a longer one is cut to it."""

SKEW_S = 5.0
"""Seconds by which an entry may be from the future: clocks of machines that share a Redis differ a little."""

_KEY_VERSION = b"1"
"""Part of every key: another version finds nothing of this one. Raise it when the meaning of an entry changes."""

_UNITS = ((86_400, "day", "days"), (3600, "h", "h"), (60, "min", "min"), (1, "s", "s"))


@dataclass(frozen=True)
class Cached:
    """`payload` is a JSON array of items, and is not changed once it is here. Times are Unix times."""

    payload: Payload
    errors: int
    made: float
    expires: float = 0.0
    """Set by ResultCache.put."""

    def fresh(self, now: float) -> bool:
        """Both times are checked, so that no jump of the clock makes an entry immortal."""
        return self.made - SKEW_S <= now < self.expires <= self.made + MAX_TTL_S

    def age_hint(self, now: float | None = None) -> str:
        """For the one who runs the node, as in: from cache, 3 min old."""
        age = max(0, int((time.time() if now is None else now) - self.made))
        for seconds, one, many in _UNITS:
            if age >= seconds:
                count = age // seconds
                return f"from cache, {count} {one if count == 1 else many} old"
        return "from cache, 0 s old"


def result_key(definition_id: str, workflow: str, payload: Payload) -> str:
    """64 hexadecimal digits. The lengths are hashed too: ("ab", "c") is not ("a", "bc")."""
    whole = hashlib.blake2b(digest_size=32, person=b"qflow-result", salt=_KEY_VERSION)
    for part in (definition_id, workflow):
        encoded = part.encode("utf-8", "surrogatepass")
        whole.update(len(encoded).to_bytes(8, "big"))
        whole.update(encoded)
    whole.update(payload)
    return whole.hexdigest()
