"""The workflows that were put, and what the last check of each found, for whoever asks again or runs them."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from qflow_runner.errors import WorkflowUnknown
from qflow_runner.workflows.check import Check

KEPT_WORKFLOWS = 1_000

KEPT_BYTES = 256 << 20
"""Of their JSON together; of the one put longest ago the check alone is left then."""


@dataclass(frozen=True)
class Kept:
    """`size` is the bytes of its JSON; None where the check alone is left."""

    id: str
    name: str
    check: Check
    size: int | None


class KeptWorkflows:
    """The workflows that were put, as they were last checked; the one put longest ago is forgotten first."""

    def __init__(self) -> None:
        self._checks: OrderedDict[str, Check] = OrderedDict()
        self._texts: OrderedDict[str, bytes] = OrderedDict()
        self._names: dict[str, str] = {}
        self._bytes = 0

    def put(self, workflow: str, check: Check, text: bytes, name: str = "") -> None:
        """`text` is its JSON."""
        self._names[workflow] = name
        self._checks[workflow] = check
        self._checks.move_to_end(workflow)
        self._bytes += len(text) - len(self._texts.pop(workflow, b""))
        self._texts[workflow] = text
        if len(self._checks) > KEPT_WORKFLOWS:
            gone, _ = self._checks.popitem(last=False)
            del self._names[gone]
            self._bytes -= len(self._texts.pop(gone, b""))
        while self._bytes > KEPT_BYTES:
            self._bytes -= len(self._texts.popitem(last=False)[1])

    def every(self) -> Iterator[Kept]:
        """The one put last first."""
        for workflow, check in reversed(self._checks.items()):
            text = self._texts.get(workflow)
            yield Kept(workflow, self._names[workflow], check, None if text is None else len(text))

    def text(self, workflow: str) -> bytes:
        """Raises WorkflowUnknown."""
        try:
            return self._texts[workflow]
        except KeyError:
            raise WorkflowUnknown(
                "The runner does not have this workflow.",
                hint="PUT it to /v1/workflows/{id} first, or send it with the run.",
            ) from None

    def get(self, workflow: str) -> Check:
        """Raises WorkflowUnknown."""
        try:
            return self._checks[workflow]
        except KeyError:
            raise WorkflowUnknown("The runner does not know this workflow.") from None
