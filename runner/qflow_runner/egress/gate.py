"""The one way out of one sandbox: a unix socket at which the runner connects to what its workflow lists.

Whoever connects is inside that sandbox, because the socket is in a directory that it alone sees; so there is nothing
to prove, and nothing that another workflow's list could be used for.
"""

import asyncio
import os
import resource
import socket
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qflow_runner.egress.dialling import Dialled, Dialler, Refused, Unreached
from qflow_runner.egress.forwarder import Forwarder
from qflow_runner.egress.heads import Asked
from qflow_runner.egress.names import host_of, shown, targets_of
from qflow_runner.egress.policy import Policy
from qflow_runner.egress.reach import PROXY_URL, Reach
from qflow_runner.egress.relay import Caller, Deadlines, Moved
from qflow_runner.egress.telling import Audit, Event, Outcome, Teller, Troubles
from qflow_runner.errors import EgressInvalid
from qflow_runner.observe import metrics

SOCKET = "egress.sock"
HOSTS = "hosts"
ALL_MOST = 4096


@dataclass
class Counts:
    """Since the sandbox was started, for GET /v1/sandboxes."""

    connections: int = 0
    refused: int = 0
    failed: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Places:
    """Connections of all sandboxes together: each takes two of the descriptors that the runner needs for everything."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    @classmethod
    def of_process(cls) -> "Places":
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(ALL_MOST if soft == resource.RLIM_INFINITY else min(ALL_MOST, soft // 4))


@dataclass(frozen=True)
class Shared:
    """What the gates of all sandboxes have in common."""

    policy: Policy
    dialler: Dialler
    deadlines: Deadlines
    connections: int
    places: Places
    audits: list[Audit] = field(default_factory=list[Audit])


class Gate:
    """Lives in one event loop. `ask` is told the token of a forwarder that is wanted in the sandbox."""

    def __init__(self, shared: Shared, directory: Path, ask: Callable[[str], None]) -> None:
        self.sandbox = directory.name
        self.workflow = ""
        self.reach = Reach(directory / HOSTS)
        self.forwarder = Forwarder(ask)
        self.counts = Counts()
        self._socket = directory / SOCKET
        self._shared = shared
        self._teller = Teller(shared.audits)
        self._troubles = Troubles()
        self._executions: Counter[str] = Counter()
        self._callers: dict[Caller, tuple[str, int, str]] = {}
        self._server: asyncio.Server | None = None
        self._opening = asyncio.Lock()

    @property
    def open(self) -> int:
        return len(self._callers)

    @property
    def proxy(self) -> str:
        """What sessions have in HTTP_PROXY; empty where no node of the workflow lists a pattern."""
        return PROXY_URL if self.reach.wildcards else ""

    def prepare(self) -> None:
        """Before the sandbox boots, or when one of an earlier runner is taken up again."""
        self.reach.write()

    async def allow(self, workflow: str, lines: Sequence[str], bounds: Iterable[Sequence[str]] = ()) -> None:
        """Let the sandbox reach what a node lists, from before its code starts.

        `bounds`: for each secret of the run that is bound to hosts, those. Raises EgressInvalid, EgressNotAllowed,
        EgressTooMany, SecretHostRefused or EgressUnavailable.
        """
        targets = targets_of(lines)
        self._shared.policy.check(targets)
        self.reach.bind([targets_of(bound) for bound in bounds], targets)
        if not targets:
            return
        self.workflow = workflow
        self.reach.add(targets)  # before anything is awaited, so that a bound of another run meets it
        if self.forwarder.listens({self.reach.address(target) for target in targets}):
            return
        async with self._opening:
            await self._serve()
            await self.forwarder.listen(
                {
                    self.reach.address(target): "" if target.wildcard else target.host
                    for target in self.reach.targets
                }
            )

    @contextmanager
    def used_by(self, execution: str) -> Generator[None]:
        """While a run of it is under way, connections are its own, if no other one's is."""
        self._executions[execution] += 1
        try:
            yield
        finally:
            self._executions[execution] -= 1
            if not self._executions[execution]:
                del self._executions[execution]

    def troubles(self, moment: float) -> list[str]:
        """What was refused or failed since, as sentences; `moment` is of time.monotonic()."""
        return self._troubles.since(moment)

    def row(self) -> dict[str, Any]:
        return {"hosts": [str(target) for target in sorted(self.reach.targets)], "open": self.open} | vars(
            self.counts
        )

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for caller in list(self._callers):
            caller.abort()
        self.forwarder.close()

    async def _serve(self) -> None:
        if self._server is not None:
            return
        self._socket.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._socket))
        os.chmod(self._socket, 0o666)  # noqa: S103, PTH101 - the directory above keeps others out
        self._server = await asyncio.get_running_loop().create_unix_server(
            self._caller, sock=listener, backlog=128
        )

    def _caller(self) -> asyncio.Protocol:
        shared = self._shared
        if len(self._callers) >= shared.connections:
            self._full(f"The code has {len(self._callers)} connections open, and may have no more at once.")
            return _Surplus()
        if shared.places.taken >= shared.places.most:
            self._full(
                f"The runner has {shared.places.taken} connections of code open, and can hold no more."
            )
            return _Surplus()
        shared.places.taken += 1
        caller: Caller

        async def dial(wanted: Asked) -> Dialled:
            return await self._dial(caller, wanted)

        caller = Caller(dial, self._over, shared.deadlines)
        self._callers[caller] = ("", 0, "")
        metrics.EGRESS_OPEN.inc()
        return caller

    async def _dial(self, caller: Caller, wanted: Asked) -> Dialled:
        port = wanted.port
        try:
            host = host_of(wanted.host, f"{wanted.host}:{port}")
        except EgressInvalid as error:
            raise self._refused(wanted.host, port, error.detail) from None
        if not self.reach.allows(host, port) or host.startswith("*"):
            raise self._refused(
                host, port, f"{shown(host)}:{port} is not in the Network Access of this workflow's nodes."
            )
        try:
            dialled = await self._shared.dialler.dial(host, port)
        except Refused as refused:
            raise self._refused(host, port, f"{host}:{port} may not be reached: {refused}.") from None
        except Unreached as unreached:
            self.counts.failed += 1
            sentence = f"{host}:{port} was not reached: {unreached}."
            self._tell("failed", host, port, reason=sentence)
            self._troubles.add(sentence)
            raise Unreached(sentence) from None
        self.counts.connections += 1
        self._callers[caller] = (host, port, dialled.address)
        self._tell("connected", host, port, address=dialled.address)
        return dialled

    def _refused(self, host: str, port: int, sentence: str) -> Refused:
        self.counts.refused += 1
        self._tell("refused", shown(host), port, reason=sentence)
        self._troubles.add(sentence)
        return Refused(sentence)

    def _full(self, sentence: str) -> None:
        self.counts.refused += 1
        self._tell("refused", "", 0, reason=sentence)
        self._troubles.add(sentence)

    def _over(self, caller: Caller, moved: Moved | None) -> None:
        host, port, address = self._callers.pop(caller)
        self._shared.places.taken -= 1
        metrics.EGRESS_OPEN.dec()
        if not host:
            return
        moved = moved or Moved(0, 0, 0.0)
        self.counts.bytes_sent += moved.sent
        self.counts.bytes_received += moved.received
        metrics.EGRESS_BYTES.labels(way="sent").inc(moved.sent)
        metrics.EGRESS_BYTES.labels(way="received").inc(moved.received)
        self._tell("closed", host, port, address=address, moved=moved)

    def _tell(
        self,
        outcome: Outcome,
        host: str,
        port: int,
        *,
        address: str = "",
        reason: str = "",
        moved: Moved | None = None,
    ) -> None:
        execution = next(iter(self._executions)) if len(self._executions) == 1 else ""
        self._teller.tell(
            Event(
                outcome,
                self.sandbox,
                self.workflow,
                execution,
                host,
                port,
                address,
                reason,
                sent=moved.sent if moved else 0,
                received=moved.received if moved else 0,
                seconds=round(moved.seconds, 3) if moved else 0.0,
            )
        )


class _Surplus(asyncio.Protocol):
    """A connection more than there may be: it is closed unread, because each takes memory and a descriptor."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
