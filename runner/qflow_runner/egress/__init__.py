"""The way of a sandbox's code to the network: what may be listed, and the runner's side of each connection."""

from collections.abc import Callable
from pathlib import Path
from weakref import WeakSet

from qflow_runner.egress.dialling import Dialler, Resolve
from qflow_runner.egress.gate import HOSTS, SOCKET, Gate, Places, Shared
from qflow_runner.egress.names import MAX_LISTED, MAX_TEXT, Target, target_of, targets_of
from qflow_runner.egress.policy import Policy
from qflow_runner.egress.relay import Deadlines
from qflow_runner.egress.telling import Audit, Event
from qflow_runner.egress.use import Use, used
from qflow_runner.settings import Settings

__all__ = [
    "HOSTS",
    "MAX_LISTED",
    "MAX_TEXT",
    "SOCKET",
    "Audit",
    "Egress",
    "Event",
    "Gate",
    "Policy",
    "Target",
    "Use",
    "target_of",
    "targets_of",
    "used",
]

UNENFORCED = "the process backend has no boundary: code reaches whatever this machine does"


class Egress:
    """One for a runner. `audits` are told of every connection; add to them before the first run."""

    def __init__(self, settings: Settings, resolve: Resolve | None = None) -> None:
        """Raises EgressInvalid for a setting that cannot be read."""
        policy = Policy(settings)
        dialler = Dialler(policy, settings.egress_connect_s, settings.port, resolve)
        deadlines = Deadlines(settings.egress_idle_s, settings.egress_total_s)
        self._shared = Shared(policy, dialler, deadlines, settings.egress_connections, Places.of_process())
        self._gates: WeakSet[Gate] = WeakSet()

    @property
    def audits(self) -> list[Audit]:
        return self._shared.audits

    @property
    def on(self) -> bool:
        """Whether anything may be listed at all."""
        return bool(self._shared.policy.allow)

    def gate(self, directory: Path, ask: Callable[[str], None]) -> Gate:
        """For the sandbox whose sockets are in this directory; `ask` is told the token of a forwarder to fork in it."""
        gate = Gate(self._shared, directory, ask)
        self._gates.add(gate)
        return gate

    def close(self) -> None:
        for gate in list(self._gates):
            gate.close()
        self._shared.dialler.close()

    def reason(self) -> str:
        """For /readyz."""
        if not self.on:
            return "off: QFLOW_EGRESS_ALLOW lists nothing"
        reaching = sum(bool(gate.reach.targets) for gate in self._gates)
        opened = sum(gate.open for gate in self._gates)
        count = len(self._shared.policy.allow)
        return (
            f"{count} {'pattern' if count == 1 else 'patterns'} may be listed; "
            f"{reaching} sandboxes have network access, {opened} connections are open"
        )
