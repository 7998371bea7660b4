"""One sandbox, from a name to a guest that is ready."""

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from qflow_runner.egress import Egress
from qflow_runner.errors import QflowError, SandboxError
from qflow_runner.sandbox.backend import Backend, SandboxSpec, sandbox_limits
from qflow_runner.sandbox.environments import Lessons
from qflow_runner.sandbox.growth import let_burst
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.isolation import FULL, isolation_of
from qflow_runner.sandbox.ledger import SUFFIX, Ledger, Records
from qflow_runner.settings import Settings


class Booting:
    """Makes guests, which are all alike but for their names and Pythons, and boots them."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        identity: str,
        *,
        layers: Path | None,
        files: Path | None,
        egress: Egress | None,
        lost: Callable[[str, str], None],
    ) -> None:
        """`lost` is told which sandbox's connection broke, and why."""
        self._settings = settings
        self._backend = backend
        self._identity = identity
        self._layers = layers
        self._files = files
        self._egress = None if backend.name == "process" else egress
        self._lost = lost
        self._lessons = Lessons()

    def prepare(self) -> None:
        """Make the directories that sandboxes read, and those that they are reached in."""
        self._settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self._layers, self._files):
            if directory is not None:
                directory.mkdir(parents=True, exist_ok=True)

    def new(self, sandbox: str, python: str) -> Guest:
        records = Records(sandbox, python, secrets.token_urlsafe(18), time.time())
        return self.guest(sandbox, Ledger(self._settings.run_dir / f"{sandbox}{SUFFIX}", records))

    def guest(self, sandbox: str, ledger: Ledger) -> Guest:
        directory = self._settings.run_dir / sandbox
        guest = Guest(
            directory,
            self._settings.max_body,
            lambda reason: self._lost(sandbox, reason),
            self._lessons,
            None if self._files is None else self._files / sandbox,
            ledger=ledger,
        )
        if self._egress is not None:
            guest.gate = self._egress.gate(directory, guest.ask_forwarder)
        return guest

    async def boot(self, guest: Guest) -> None:
        """Until its zygote has dialled in. Raises what `failure` turns into a sentence."""
        settings = self._settings
        limits = sandbox_limits(settings)
        async with asyncio.timeout(settings.boot_deadline_s):
            guest.ledger.begin()
            await guest.listen()
            if guest.files is not None:
                guest.files.mkdir(mode=0o755)
                guest.files.chmod(0o711)  # the guest opens what it was told the name of, and lists nothing
            await self._backend.boot(
                SandboxSpec(
                    id=guest.ledger.records.sandbox,
                    python=guest.ledger.records.python,
                    socket=guest.socket,
                    token=guest.token,
                    limits=limits,
                    layers=self._layers,
                    files=guest.files,
                    hosts=None if guest.gate is None else guest.gate.reach.hosts,
                    labels={"qflow.runner": self._identity},
                )
            )
            await guest.ready()
        if settings.isolation == "required" and guest.zygote.isolation != FULL:
            raise SandboxError(
                f"QFLOW_ISOLATION is required, but {isolation_of([guest.zygote.isolation]).reason}"
            )
        if settings.cpu_burst:
            let_burst(guest, limits)

    async def failure(self, sandbox: str, error: Exception) -> QflowError:
        """What a person is told of a boot that raised this."""
        if isinstance(error, QflowError) and not isinstance(error, SandboxError):
            return error
        told = await self._backend.explain(sandbox)
        if isinstance(error, TimeoutError):
            reason = f"it was not ready within {self._settings.boot_deadline_s:g} s"
        else:
            reason = error.detail if isinstance(error, QflowError) else str(error)
        return SandboxError(f"A sandbox did not start: {reason}{'; ' + told if told else ''}")
