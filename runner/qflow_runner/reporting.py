"""What is told of a run when it ended: to the metrics, to whoever watches, to the log, and to the record."""

from dataclasses import dataclass
from typing import Any

import structlog

from qflow_runner.cache import Inputs, Payload
from qflow_runner.errors import QflowError
from qflow_runner.observe import metrics
from qflow_runner.observe.events import Events
from qflow_runner.store import Recorder, RunRow, details_of, new_run_id, now_ms

log = structlog.get_logger()


@dataclass(frozen=True)
class Subject:
    """Which run it is about. `bytes_in` is the size of its items as they came; `items` None where they passed unread."""

    workflow: str
    execution: str
    node: str
    definition: str
    python: str
    bytes_in: int
    items: Payload | None


@dataclass(frozen=True)
class Recorded:
    """The id of the record, and whether it is in the database already."""

    id: str
    committed: bool


class Reports:
    def __init__(self, events: Events, recorder: Recorder, inputs: Inputs) -> None:
        self._events = events
        self._recorder = recorder
        self._inputs = inputs

    async def succeeded(
        self,
        about: Subject,
        timing: dict[str, float],
        logs: list[dict[str, str]],
        *,
        cached: bool = False,
        layer: str = "",
        **measured: Any,
    ) -> Recorded:
        """`measured` are other columns of the record."""
        times = {name: ms for name, ms in timing.items() if name != "total_ms"}
        ms = timing["total_ms"]
        self._tell(about, "ok", ms, **({"cached": "yes"} if cached else {}))
        if not cached:
            metrics.RUN_SECONDS.observe(ms / 1000)
        row = _row(about, "ok", "", ms, cached=cached, layer=layer, **times, **measured)
        if about.items is not None:
            self._inputs.keep(row.id, about.items, failed=False)
        return Recorded(row.id, await self._recorder.add(row, details_of(row.id, None, logs)))

    async def failed(self, about: Subject, error: QflowError, ms: float) -> None:
        """The error's document learns the id of the record."""
        self._tell(about, error.category, ms, code=error.code)
        row = _row(about, error.category, error.code, ms)
        error.members["run"] = row.id
        if about.items is not None:
            self._inputs.keep(row.id, about.items, failed=True)
        await self._recorder.add(row, details_of(row.id, error.document(), ()))

    def _tell(self, about: Subject, outcome: str, ms: float, **more: str) -> None:
        metrics.RUNS.labels(category=outcome).inc()
        self._events.tell(about.execution, "ended", about.node, outcome=outcome, ms=round(ms, 2), **more)
        log.info(
            "run",
            outcome=outcome,
            **more,
            ms=round(ms, 2),
            workflow=about.workflow,
            execution=about.execution,
            node=about.node,
        )


def _row(about: Subject, outcome: str, code: str, ms: float, **columns: Any) -> RunRow:
    ended = now_ms()
    return RunRow(
        id=new_run_id(ended),
        workflow=about.workflow,
        execution=about.execution,
        node=about.node,
        definition=about.definition,
        ended=ended,
        outcome=outcome,
        code=code,
        ms=ms,
        python=about.python,
        bytes_in=about.bytes_in,
        **columns,
    )
