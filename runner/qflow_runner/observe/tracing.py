"""Traces of runs as OpenTelemetry spans, sent to a collector as OTLP over HTTP.

Off, nothing is loaded and a run costs nothing: the trace that a caller names is passed on to the code as it came. On,
each run is a span, a child of its caller's, with a child for each phase; the code's own spans are its children too.
"""

import asyncio
import importlib
import importlib.util
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from qflow_runner import __version__
from qflow_runner.errors import Unavailable
from qflow_runner.observe.metrics import PHASES
from qflow_runner.observe.trace import Trace
from qflow_runner.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

log = structlog.get_logger()

ORDER = ("packages", "queue", "sandbox", *PHASES[3:])
"""Of the phases in a run; what the guest tells of its own does not fill the time between them."""
SHOWN_MS = 0.5
"""A phase that took less is an attribute alone: a span costs a tenth of a millisecond itself."""
FLUSH_S = 3.0
NS = 1_000_000_000


class RunSpan:
    """One run's part of a trace. `trace` is what the code in the session continues; None where there is none."""

    def __init__(self, trace: Trace | None) -> None:
        self.trace = trace

    @property
    def header(self) -> str:
        return "" if self.trace is None else str(self.trace)

    @property
    def id(self) -> str:
        """The trace's; empty where there is none."""
        return "" if self.trace is None else self.trace.id

    def end(self, outcome: str, code: str, timing: Mapping[str, float], facts: Mapping[str, Any]) -> None:
        """`timing` is in milliseconds by phase, as in an answer; `facts` become attributes `qflow.<name>`."""


class Tracing:
    """`runner` is what this process is called."""

    def __init__(self, settings: Settings, runner: str) -> None:
        """Raises Unavailable where traces are asked for and their library is not installed."""
        given = settings.otlp_endpoint
        self._endpoint = "" if given is None else endpoint_of(given.get_secret_value())
        self._runner = runner
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        if self._endpoint and not _installed():
            raise Unavailable(
                "QFLOW_OTLP_ENDPOINT is set, but OpenTelemetry is not installed.",
                hint="Install it with: pip install 'qflow[otel]'. Or unset the variable.",
            )

    async def open(self) -> None:
        """Loads the library, in a thread: it is large."""
        if self._endpoint:
            self._provider = provider = await asyncio.to_thread(self._made)
            self._tracer = provider.get_tracer("qflow", __version__)

    async def close(self) -> None:
        """Sends what waits, for a few seconds at most."""
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is None:
            return
        try:
            async with asyncio.timeout(FLUSH_S):
                await asyncio.to_thread(provider.shutdown)
        except TimeoutError:
            log.warning("traces.not_sent", reason="the collector did not answer when the runner stopped")

    def begin(self, parent: Trace | None, waited_s: float = 0.0) -> RunSpan:
        """A run began so many seconds ago."""
        if self._tracer is None:
            return RunSpan(parent)
        return _Recorded(self._tracer, parent, time.time_ns() - int(waited_s * NS))

    def _made(self) -> "TracerProvider":
        # With a provider of our own, nothing of the process is changed for others.
        resources = importlib.import_module("opentelemetry.sdk.resources")
        traces = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        named = {
            "service.name": "qflow-runner",
            "service.version": __version__,
            "service.instance.id": self._runner,
        }
        provider: TracerProvider = traces.TracerProvider(
            resource=resources.Resource.create(named), shutdown_on_exit=False
        )
        provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=self._endpoint)))
        return provider


def _installed() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def endpoint_of(url: str) -> str:
    """As OTEL_EXPORTER_OTLP_ENDPOINT is read: the path of traces is added, unless it stands there."""
    path = urlsplit(url).path
    return url if path.rstrip("/").endswith("/v1/traces") else f"{url.rstrip('/')}/v1/traces"


class _Recorded(RunSpan):
    def __init__(self, tracer: "Tracer", parent: Trace | None, began_ns: int) -> None:
        from opentelemetry import trace as api  # noqa: PLC0415 - loaded by who asked for traces

        self._tracer = tracer
        self._began_ns = began_ns
        self._span: Span = tracer.start_span(
            "qflow.run", context=_context_of(parent), kind=api.SpanKind.SERVER, start_time=began_ns
        )
        own = self._span.get_span_context()
        super().__init__(Trace(f"{own.trace_id:032x}", f"{own.span_id:016x}", bool(own.trace_flags & 1)))

    def end(self, outcome: str, code: str, timing: Mapping[str, float], facts: Mapping[str, Any]) -> None:
        from opentelemetry import trace as api  # noqa: PLC0415

        ended_ns = time.time_ns()
        span = self._span
        told = {**timing, **facts}
        span.set_attributes({f"qflow.{name}": value for name, value in told.items() if value != ""})
        span.set_attribute("qflow.outcome", outcome)
        if outcome != "ok":
            span.set_attribute("error.type", code or outcome)
            span.set_status(api.StatusCode.ERROR, code or outcome)
        if span.is_recording():
            self._phases(api.set_span_in_context(span), timing, ended_ns)
        span.end(ended_ns)

    def _phases(self, within: Any, timing: Mapping[str, float], ended_ns: int) -> None:
        """One after the other, as they were: each begins where the last one ended."""
        at = self._began_ns
        for phase in ORDER:
            ms = timing.get(f"{phase}_ms", 0.0)
            begun, at = at, min(at + int(ms * 1_000_000), ended_ns)  # the guest's figures may be anything
            if ms >= SHOWN_MS:
                self._tracer.start_span(f"qflow.{phase}", context=within, start_time=begun).end(at)


def _context_of(parent: Trace | None) -> Any:
    from opentelemetry import trace as api  # noqa: PLC0415
    from opentelemetry.context import Context  # noqa: PLC0415

    if parent is None:
        return Context()
    flags = api.TraceFlags(api.TraceFlags.SAMPLED if parent.sampled else api.TraceFlags.DEFAULT)
    known = api.SpanContext(int(parent.id, 16), int(parent.span, 16), is_remote=True, trace_flags=flags)
    return api.set_span_in_context(api.NonRecordingSpan(known), Context())
