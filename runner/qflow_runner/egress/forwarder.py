"""The process in a sandbox that listens on its loopback, as the runner sees it. It is in the guest, and trusted for nothing.

What it says is only how far it got: whoever it lets in, the gate decides what may be reached.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol

from qflow_agent import wire
from qflow_runner.errors import EgressUnavailable

START_S = 10.0
"""To be forked, to dial in, and to listen at every port."""


class Line(Protocol):
    """Its connection."""

    def send(self, message: wire.Message) -> None: ...
    def abort(self) -> None: ...


class Forwarder:
    """Lives in one event loop. `ask` has the sandbox's first process fork one that dials in with a token."""

    def __init__(self, ask: Callable[[str], None]) -> None:
        self._ask = ask
        self._token = ""
        self._line: Line | None = None
        self._listening: set[tuple[str, int]] = set()
        self._changed = asyncio.Event()
        self._failure = ""
        self._over = False

    def listens(self, places: set[tuple[str, int]]) -> bool:
        return self._line is not None and places <= self._listening

    def expects(self, token: str) -> bool:
        return self._line is None and bool(self._token) and secrets.compare_digest(token, self._token)

    async def listen(self, places: dict[tuple[str, int], str]) -> None:
        """Returns when it listens at all of them, for the host of each; "" is the proxy. Raises EgressUnavailable."""
        self._failure = ""
        try:
            async with asyncio.timeout(START_S):
                if self._line is None:
                    self._token = secrets.token_urlsafe(18)
                    self._ask(self._token)
                    while self._line is None:
                        await self._next_change()
                for address, port in sorted(places.keys() - self._listening):
                    self._line.send(wire.Listen(address, port, places[address, port]))
                while not places.keys() <= self._listening:
                    await self._next_change()
        except TimeoutError:
            raise EgressUnavailable(
                f"The sandbox did not open its way to the network within {START_S:g} s."
            ) from None

    def close(self) -> None:
        self._over = True
        self._changed.set()
        if self._line is not None:
            self._line.abort()

    # what its connection reports

    def dialled(self, line: Line) -> None:
        self._token = ""
        self._line = line
        self._changed.set()

    def received(self, message: wire.Message, payload: object) -> None:
        del payload
        if not isinstance(message, wire.Listening):
            raise wire.WireError("a forwarder says nothing but where it listens")
        if message.reason:
            self._failure = f"{message.address[:50]}:{message.port} ({message.reason[:200]})"
        elif len(self._listening) < 1_000:
            self._listening.add((message.address, message.port))
        self._changed.set()

    def lost(self, error: Exception | None) -> None:
        del error
        self._line = None
        self._listening.clear()
        self._changed.set()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
        if self._over:
            raise EgressUnavailable("The sandbox is being stopped.")
        if self._failure:
            raise EgressUnavailable(f"The sandbox cannot listen at {self._failure}.")
        if self._line is None and not self._token:
            raise EgressUnavailable("The sandbox's way to the network was ended.")
