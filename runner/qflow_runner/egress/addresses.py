"""Which addresses are of the public internet, whichever form they are written in."""

import ipaddress
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # AWS, containers
        "169.254.170.23",
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure: a public address
        "192.0.0.192",  # Oracle
    )
)
"""Services that hand a machine's credentials to whoever asks."""

# What Python's tables say of these differs between its versions.
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NEVER = tuple(
    ipaddress.ip_network(network) for network in ("0.0.0.0/8", "::/128", "224.0.0.0/3", "ff00::/8")
)


@dataclass(frozen=True)
class Judged:
    """`public`: nothing speaks against it. `metadata`, `never`: what no network grants, and what nothing does."""

    public: bool
    metadata: bool
    never: bool


def judge(text: str) -> Judged:
    """An address as the resolver gave it. One that carries another one is as good as the worst of both."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return Judged(public=False, metadata=False, never=True)
    inside = [address, *carried(address)]
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    outer = inside[1:] if mapped else inside
    return Judged(
        public=all(_public(each) for each in outer),
        metadata=any(each in METADATA for each in inside),
        never=any(each in network for each in outer for network in _NEVER if each.version == network.version),
    )


def carried(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses in an IPv6 one: mapped, compatible, NAT64, 6to4, Teredo, ISATAP."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    found: list[ipaddress.IPv4Address] = []
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    compatible = int(address) >> 32 == 0 and int(address) > 1
    isatap = (int(address) >> 32) & 0xFDFFFFFF == 0x5EFE
    if address in _NAT64 or compatible or isatap:
        found.append(last)
    return found


def plain(text: str) -> Address | None:
    """The address itself, an IPv4 one also where it is mapped into IPv6."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _public(address: Address) -> bool:
    special = any(address in network for network in _SPECIAL if network.version == address.version)
    return address.is_global and not special and not address.is_multicast
