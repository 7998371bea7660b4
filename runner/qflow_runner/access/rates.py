"""How often: a bucket for each token, and a growing pause for an address that sends wrong tokens."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

FREE = 5
"""Wrong tokens from one address before it has to wait."""
LONGEST_S = 60.0
FORGOTTEN_S = 600.0
"""After so long without another one, an address begins anew."""
ADDRESSES = 4_096
CALLERS = 4_096


class Rates:
    """A bucket holds two seconds' worth of calls. A rate of 0 bounds nothing."""

    def __init__(self, per_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """0 where the call may go on, which it then counts as; otherwise when to come again."""
        if self._per_s <= 0:
            return 0.0
        now = self._now()
        full = max(1.0, 2 * self._per_s)
        left, at = self._buckets.pop(caller, (full, now))
        left = min(full, left + (now - at) * self._per_s)
        taken = left >= 1
        self._buckets[caller] = (left - 1 if taken else left, now)
        if len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - left) / self._per_s


class Failures:
    """Wrong tokens by address. The one that was quiet for longest is forgotten first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """How long this address has to wait before a token of its is looked at; 0 where it need not."""
        count, last = self._known.get(network_of(address), (0, 0.0))
        if count < FREE:
            return 0.0
        return max(0.0, last + min(LONGEST_S, 2.0 ** (count - FREE)) - self._now())

    def failed(self, address: str) -> None:
        now, network = self._now(), network_of(address)
        count, last = self._known.pop(network, (0, now))
        self._known[network] = (1 if now - last > FORGOTTEN_S else min(count + 1, 64), now)
        if len(self._known) > ADDRESSES:
            self._known.popitem(last=False)


def network_of(address: str) -> str:
    """An address of IPv6 with its neighbours: one machine has as many as it likes."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
