"""What one sandbox may reach: it only grows. Each name has a loopback address inside, which a hosts file tells."""

import ipaddress
from collections.abc import Iterable
from pathlib import Path

from qflow_runner.egress.names import Target, targets_of
from qflow_runner.errors import EgressTooMany, SecretHostRefused

MAX_TARGETS = 256
"""Each is a port that the forwarder listens at."""

PROXY = ("127.7.0.1", 3128)
"""Where the http proxy for patterns listens in a sandbox."""

PROXY_URL = "http://{}:{}".format(*PROXY)
_FIRST = ipaddress.IPv4Address("127.7.0.2")
_OWN = """127.0.0.1\tlocalhost sandbox
::1\tlocalhost ip6-localhost ip6-loopback
"""


class Reach:
    """`hosts` is mounted as the sandbox's /etc/hosts, so it is added to in place. Beside it is what secrets bind it to.

    Both are files that the sandbox reads and this side alone writes, so a runner that returns can believe them.
    """

    def __init__(self, hosts: Path) -> None:
        self.hosts = hosts
        self._bound = hosts.with_suffix(".bound")
        self.targets: set[Target] = set()
        self._addresses: dict[str, str] = {}
        self._bounds: list[tuple[Target, ...]] = []

    def write(self) -> None:
        """Before the sandbox boots. A file of an earlier runner stays: the sandbox has it mounted."""
        if self.hosts.exists():
            for line in self.hosts.read_text().splitlines():
                address, _, name = line.partition("\t")
                if address.startswith("127.7."):
                    self._addresses[name] = address
            if self._bound.exists():
                lines = self._bound.read_text().splitlines()
                self._bounds = [targets_of(line.split()) for line in lines]
        else:
            self.hosts.write_text(_OWN)
            self.hosts.chmod(0o644)

    @property
    def wildcards(self) -> bool:
        return any(target.wildcard for target in self.targets)

    def address(self, target: Target) -> tuple[str, int]:
        """Where it is inside."""
        return PROXY if target.wildcard else (self._addresses[target.host], target.port)

    def allows(self, host: str, port: int) -> bool:
        return any(target.covers(host, port) for target in self.targets)

    def bind(self, bounds: Iterable[tuple[Target, ...]], targets: Iterable[Target]) -> None:
        """From now on nothing is reached that one of `bounds` does not cover. Raises SecretHostRefused."""
        fresh = [bound for bound in bounds if bound not in self._bounds]
        self._held_to(fresh, {*self.targets, *targets})
        self._held_to(self._bounds, targets)
        self._bounds += fresh
        if fresh:
            with self._bound.open("a") as file:
                file.writelines(" ".join(map(str, bound)) + "\n" for bound in fresh)

    def add(self, targets: Iterable[Target]) -> list[Target]:
        """Those that are new; their names are in the hosts file then. Raises EgressTooMany."""
        fresh = [target for target in targets if target not in self.targets]
        if len(self.targets) + len(fresh) > MAX_TARGETS:
            raise EgressTooMany(f"The nodes of this workflow list more than {MAX_TARGETS} hosts together.")
        self.targets.update(fresh)
        lines = ""
        for target in fresh:
            if not target.wildcard and target.host not in self._addresses:
                address = self._addresses[target.host] = str(_FIRST + len(self._addresses))
                lines += f"{address}\t{target.host}\n"
        if lines:
            with self.hosts.open("ab", buffering=0) as file:
                file.write(lines.encode())  # at once, so that a reader sees whole lines
        return fresh

    @staticmethod
    def _held_to(bounds: list[tuple[Target, ...]], targets: Iterable[Target]) -> None:
        for bound in bounds:
            for target in targets:
                if not any(each.covers(target.host, target.port) for each in bound):
                    listed = ", ".join(map(str, bound)) or "no host"
                    raise SecretHostRefused(
                        f"The sandbox of this workflow can reach {target}, and a secret of it is bound to {listed}."
                    )
