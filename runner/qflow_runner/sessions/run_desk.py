"""What a session asks for during a run, and hands over: files and values, piece by piece."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from qflow_agent import wire
from qflow_runner.errors import QflowError
from qflow_runner.files import Files, FileWriter, SpillWriter
from qflow_runner.sandbox.guest import Guest
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.inbox import Told
from qflow_runner.sessions.desk import Place, SpillDesk
from qflow_runner.sessions.values import ValueGone, Values


class RunDesk(SpillDesk):
    """For one run: serves files and values, takes files."""

    def __init__(
        self,
        place: Place,
        guest: Guest,
        files: Files,
        values: Values,
        told: Callable[[Told], None],
    ) -> None:
        super().__init__(values.store, place, {})
        self._guest = guest
        self._files = files
        self._values = values
        self._told = told
        self.gave = False

    async def want(self, want: wire.Want, session: GuestSession) -> None:
        try:
            if want.kind == "value":
                await self._send_value(want, session)
            else:
                await self._send_file(want, session)
        except ValueGone as gone:
            await session.send(wire.Have(want.id, reason=str(gone)))
        except QflowError as error:
            await session.send(wire.Have(want.id, reason=" ".join(filter(None, (error.detail, error.hint)))))

    @contextmanager
    def _failing(self, reference: str) -> Generator[None]:
        del reference
        yield  # a run whose file the disk did not take fails with that

    def told(self, told: Told) -> None:
        self._told(told)

    def _open(self, give: wire.Give) -> SpillWriter | FileWriter:
        if give.kind != "file":
            raise wire.WireError("a session gave a value that it was not asked for")
        self.gave = True
        return self._files.writer(self._place.workflow, self._place.execution, give.id, give.name, give.mime)

    async def _send_file(self, want: wire.Want, session: GuestSession) -> None:
        stored = await self._files.find(self._place.workflow, want.id)
        if self._guest.files is None:
            raise ValueGone("This runner's sandboxes share no directory with it.")
        link = await self._files.place(stored, self._guest.files)
        await session.send(wire.Have(want.id, stored.size, link.name))

    async def _send_value(self, want: wire.Want, session: GuestSession) -> None:
        value = await self._values.fetch(self._place.workflow, want.id, session)
        await session.send(wire.Have(want.id, value.size))
        sent = 0
        async for chunk in self._values.store.read(value):
            sent += len(chunk)
            await session.send(wire.Part(want.id, last=sent == value.size), chunk)
        if not value.size:
            await session.send(wire.Part(want.id, last=True))
