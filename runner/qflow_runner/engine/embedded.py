"""This process makes the runs."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from qflow_runner.engine.model import Answers, Calls
from qflow_runner.errors import QflowError
from qflow_runner.run import Flow, RunAnswer, RunRequest
from qflow_runner.sandbox.backend import Health
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.keeper import Keeper
from qflow_runner.sandbox.streams import BodyStream


class Embedded:
    local = True
    places = None

    def __init__(self, flow: Flow, keeper: Keeper, calls: Calls) -> None:
        self.beside: Callable[[], Mapping[str, Health]] = dict
        """How whatever hands it runs is: the worker of a cluster."""
        self._flow = flow
        self._keeper = keeper
        self._calls = calls

    async def open(self) -> None:
        await self._keeper.open()

    async def close(self) -> None:
        await self._keeper.close()

    def run(
        self, request: RunRequest, payload: Payload | BodyStream
    ) -> AbstractAsyncContextManager[RunAnswer]:
        return self._flow.run(request, payload)

    async def ask(self, call: str, body: bytes, *, execution: str = "") -> bytes:
        del execution
        return await self._calls[call](body)

    async def ask_each(self, call: str, body: bytes = b"") -> Answers:
        try:
            return {"": await self._calls[call](body)}
        except QflowError as error:
            return {"": error}

    def health(self) -> Mapping[str, Health]:
        return self.beside()
