"""What is told of a run while it lasts, for whoever watches its execution: how far it is, what it prints, what it uses.

The session's part of it is a guest's word: held to its form, and to so much of it that nobody is flooded. Nothing is
lost by that, because the answer has all that was printed.
"""

import time
from typing import Any

from qflow_agent import wire
from qflow_runner.observe.events import Events, Kind
from qflow_runner.sandbox.checked import checked_text, printable
from qflow_runner.sandbox.inbox import Told

SHOWN = 8_000
"""Characters of one event."""
SHOWN_S = 10
"""Events of printed text in a second."""


class Live:
    """Of one run."""

    def __init__(self, events: Events, execution: str, node: str) -> None:
        self._events = events
        self._execution = execution
        self._node = node
        self._second = 0
        self._shown = 0

    def told(self, told: Told) -> None:
        """By the session."""
        if isinstance(told, wire.Printed):
            self._printed(told)
            return
        fraction = told.fraction if 0 <= told.fraction <= 1 else None
        self._tell("progress", fraction=fraction, text=checked_text(told.text))

    def reading(self, reading: dict[str, Any]) -> None:
        """By the runner's own look at the session."""
        self._tell("reading", **reading)

    def _printed(self, printed: wire.Printed) -> None:
        if printed.stream not in {"stdout", "stderr"}:
            return
        second = int(time.monotonic())
        self._shown = self._shown + 1 if second == self._second else 1
        self._second = second
        if self._shown <= SHOWN_S:
            self._tell("printed", stream=printed.stream, text=printable(printed.text[-SHOWN:]))

    def _tell(self, kind: Kind, **about: Any) -> None:
        self._events.tell(self._execution, kind, self._node, **about)
