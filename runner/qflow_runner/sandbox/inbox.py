"""What a session asks for while it has a run, served one after another.

Nothing more is read meanwhile, so a session that sends faster than it is served waits.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from qflow_agent import wire
from qflow_runner.errors import QflowError
from qflow_runner.sandbox.connection import Connection, Payload
from qflow_runner.sandbox.streams import ResultStream

if TYPE_CHECKING:
    from qflow_runner.sandbox.guest_session import GuestSession

Result = Payload | ResultStream
Reply = wire.Done | wire.Failed | wire.Spilled
Told = wire.Progress | wire.Printed
Asked = wire.Want | wire.Give | wire.Part | Told


class Desk(Protocol):
    """Serves what a session asks for. A WireError ends the session; a QflowError fails its run."""

    async def want(self, want: wire.Want, session: "GuestSession") -> None: ...

    async def give(self, give: wire.Give) -> None: ...

    async def part(self, part: wire.Part, payload: Payload) -> None: ...

    def told(self, told: Told) -> None: ...

    async def over(self) -> None:
        """The run has its answer, or never will: what was half given is dropped."""
        ...


class Inbox:
    """Of one run, or of one time that the session is asked for its values. The last message in it is the answer."""

    def __init__(self, session: "GuestSession", connection: Connection, desk: Desk) -> None:
        self._session = session
        self._connection = connection
        self._desk = desk
        self._waiting: deque[tuple[Reply | Asked, Result]] = deque()
        self._serving: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._serving is not None

    def put(self, message: Reply | Asked, payload: Result) -> None:
        self._waiting.append((message, payload))
        if self._serving is None:
            self._connection.hold(held=True)
            self._serving = asyncio.get_running_loop().create_task(self._serve())

    async def close(self) -> None:
        serving = self._serving
        if serving is not None and serving is not asyncio.current_task():
            serving.cancel()
        self._waiting.clear()
        await self._desk.over()

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._serve_one(*self._waiting.popleft())
        except (wire.WireError, QflowError) as error:
            self._session.refuse(error)
        finally:
            self._serving = None
            self._connection.hold(held=False)

    async def _serve_one(self, message: Reply | Asked, payload: Result) -> None:
        match message:
            case wire.Want():
                await self._desk.want(message, self._session)
            case wire.Give():
                await self._desk.give(message)
            case wire.Part() if not isinstance(payload, ResultStream):
                await self._desk.part(message, payload)
            case wire.Progress() | wire.Printed():
                self._desk.told(message)
            case wire.Done() | wire.Failed() | wire.Spilled():
                self._session.answered(message, payload)
            case _:
                raise wire.WireError("a part that is no part")
