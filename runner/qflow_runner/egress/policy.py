"""What the administrator lets nodes list, and which addresses a listed name may have."""

import ipaddress
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

from qflow_runner.egress.addresses import METADATA, Network, judge, plain
from qflow_runner.egress.names import Pattern, Target, host_covers, host_of, pattern_of
from qflow_runner.errors import EgressInvalid, EgressNotAllowed
from qflow_runner.settings import Settings


@dataclass(frozen=True)
class Private:
    """One entry of QFLOW_EGRESS_PRIVATE: a network with a port or with 0 for any, or a pattern of names."""

    network: Network | None = None
    pattern: Pattern | None = None
    port: int = 0

    @classmethod
    def of(cls, text: str) -> "Private":
        """Raises EgressInvalid."""
        host, _, port = text.rpartition(":")
        for address, ending in ((text, ""), (host, port)):
            try:
                network = ipaddress.ip_network(address.removeprefix("[").removesuffix("]"))
            except ValueError:
                continue
            if ending and not (ending.isascii() and ending.isdigit() and 0 < int(ending) < 65536):
                raise EgressInvalid(f"'{text}' has no port between 1 and 65535.")
            return cls(network=network, port=int(ending or 0))
        return cls(pattern=pattern_of(text))

    def grants(self, host: str, port: int, address: str) -> bool:
        judged, given = judge(address), plain(address)
        if judged.never or given is None:
            return False
        if self.pattern is not None:
            near = self.pattern.port in {0, port} and host_covers(self.pattern.host, host)
            return near and not judged.metadata
        network = self.network
        if network is None or self.port not in {0, port} or network.version != given.version:
            return False
        exact = network.num_addresses == 1 and network.network_address in METADATA
        return given in network and (exact or not judged.metadata)


class Policy:
    """Raises EgressInvalid, with the variable's name, for a setting that cannot be read."""

    def __init__(self, settings: Settings) -> None:
        with _of("QFLOW_EGRESS_ALLOW"):
            self.allow = tuple(pattern_of(each) for each in settings.egress_allow)
        with _of("QFLOW_EGRESS_HOSTS"):
            self.hosts = hosts_of(settings.egress_hosts)
        with _of("QFLOW_EGRESS_PRIVATE"):
            self._private = tuple(Private.of(each) for each in settings.egress_private)

    def check(self, targets: Iterable[Target]) -> None:
        """Raises EgressNotAllowed for the first that may not be listed."""
        for target in targets:
            if any(pattern.covers(target) for pattern in self.allow):
                continue
            what = "nothing" if not self.allow else "no pattern that covers it"
            raise EgressNotAllowed(
                f"{target} may not be reached from a node: QFLOW_EGRESS_ALLOW lists {what}.",
                hint="Take it out of the node's Network Access, or ask the administrator to add "
                f"{target} to QFLOW_EGRESS_ALLOW.",
            )

    def refusal(self, host: str, port: int, address: str) -> str:
        """Why this address of the host may not be connected to; empty where it may."""
        judged = judge(address)
        if judged.never:
            return f"{address} is an address that nothing can be reached at"
        if judged.public and not judged.metadata:
            return ""
        if any(entry.grants(host, port, address) for entry in self._private):
            return ""
        kind = "that of a metadata service" if judged.metadata else "private"
        return f"its address {address} is {kind}, and QFLOW_EGRESS_PRIVATE does not list it"


def hosts_of(entries: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`name=address` lines as a table. Raises EgressInvalid."""
    table: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        name, _, address = entry.partition("=")
        host = host_of(name, entry)
        if host.startswith("*") or plain(address.strip()) is None or "%" in address:
            raise EgressInvalid(f"'{entry}' is not name=address.")
        table[host] = (*table.get(host, ()), address.strip())
    return table


@contextmanager
def _of(variable: str) -> Generator[None]:
    try:
        yield
    except EgressInvalid as error:
        raise EgressInvalid(f"{variable}: {error.detail}", hint=error.hint) from None
