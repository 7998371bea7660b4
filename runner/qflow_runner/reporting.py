"""What is told of a run when it ended: to the metrics, to whoever watches, to the log, to its trace, and to the record."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import structlog

from qflow_runner.cache import Inputs, Payload
from qflow_runner.errors import QflowError
from qflow_runner.observe import metrics
from qflow_runner.observe.events import Events
from qflow_runner.observe.tracing import RunSpan
from qflow_runner.store import Recorder, RunRow, details_of, new_run_id, now_ms

log = structlog.get_logger()

NO_SPAN = RunSpan(None)


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
    request: str = ""
    """What the caller's HTTP request is called."""
    span: RunSpan = field(default=NO_SPAN)


@dataclass(frozen=True)
class Recorded:
    """The id of the record, whether it is in the database already, and its page; empty where nobody knows its address."""

    id: str
    committed: bool
    link: str = ""


class Reports:
    """`public_url` is the runner's address as people see it, or empty."""

    def __init__(self, events: Events, recorder: Recorder, inputs: Inputs, public_url: str = "") -> None:
        self._events = events
        self._recorder = recorder
        self._inputs = inputs
        self._public_url = public_url

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
        row = _row(about, "ok", "", timing["total_ms"], cached=cached, layer=layer, **times, **measured)
        if not cached:
            metrics.RUN_SECONDS.observe(row.ms / 1000)
            for phase, seconds in metrics.PHASE.items():
                seconds.observe(times[f"{phase}_ms"] / 1000)
        metrics.OUT.inc(row.bytes_out)
        metrics.RUN_ITEMS.inc(row.items_out)
        metrics.RUN_ITEMS_FAILED.inc(row.errors)
        self._tell(about, row, times, **({"cached": "yes"} if cached else {}))
        if about.items is not None:
            self._inputs.keep(row.id, about.items, failed=False)
        committed = await self._recorder.add(row, details_of(row.id, None, logs))
        return Recorded(row.id, committed, self._link(about, row))

    async def failed(
        self, about: Subject, error: QflowError, timing: dict[str, float], **measured: Any
    ) -> None:
        """The error's document learns the id of the record, and its page. `measured` are other columns of the record."""
        times = {name: ms for name, ms in timing.items() if name != "total_ms"}
        row = _row(about, error.category, error.code, timing["total_ms"], **times, **measured)
        self._tell(about, row, times, code=error.code)
        error.members["run"] = row.id
        link = self._link(about, row)
        if link:
            error.members["link"] = link
        if about.items is not None:
            self._inputs.keep(row.id, about.items, failed=True)
        await self._recorder.add(row, details_of(row.id, error.document(), ()))

    def cancelled(self, about: Subject, ms: float) -> None:
        """Its caller hung up: nobody waits for an answer, and there is no record."""
        self._tell(about, _row(about, "cancelled", "", ms), {})

    def _tell(self, about: Subject, row: RunRow, times: dict[str, float], **more: str) -> None:
        metrics.RUNS.labels(category=row.outcome).inc()
        metrics.IN.inc(row.bytes_in)
        ms = round(row.ms, 2)
        self._events.tell(about.execution, "ended", about.node, outcome=row.outcome, ms=ms, **more)
        facts = _facts(about, row)
        log.info("run", outcome=row.outcome, code=row.code, ms=ms, **times, **facts)
        about.span.end(row.outcome, row.code, times, facts)

    def _link(self, about: Subject, row: RunRow) -> str:
        if not self._public_url:
            return ""
        page = f"{self._public_url}/console/executions/{quote(about.execution, safe='')}"
        return f"{page}?workflow={quote_plus(about.workflow)}&run={row.id}"


def _facts(about: Subject, row: RunRow) -> dict[str, Any]:
    """Of the one event of a run in the log: its names are held by docs/monitoring.md."""
    return {
        "items": row.items_out,
        "errors": row.errors,
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
        "peak_mb": row.peak_mb,
        "cpu_ms": row.cpu_ms,
        "cached": row.cached,
        "layer": row.layer,
        "python": row.python,
        "definition": row.definition,
        "workflow": row.workflow,
        "execution": row.execution,
        "node": row.node,
        "run": row.id,
        "request": about.request,
        "trace": about.span.id,
    }


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
