"""One run, from end to end.

1. find the definition, which the API has from n8n's earlier upload;
2. have the packages that it needs, as a layer on disk;
3. lease the workflow's sandbox from the pool, in it the layer's environment, and in that the execution's session;
4. hand over the items as the bytes that they came as, serve what the session asks for meanwhile, and wait for the
   answer within the deadline;
5. remember what the session keeps for later nodes; count it, log it, answer.

The items are never parsed here: the guest parses once and encodes once, and n8n parses once.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog

from qflow_agent import wire
from qflow_runner.cache import Cached, ResultCache
from qflow_runner.code_policy import CodePolicy
from qflow_runner.definitions import Definition, Definitions
from qflow_runner.egress import used
from qflow_runner.errors import GuestProblem, QflowError, ResultTooLarge, SandboxError, SessionLost
from qflow_runner.files import Files
from qflow_runner.layers import Lock
from qflow_runner.live import Live
from qflow_runner.observe.events import Events
from qflow_runner.observe.trace import Trace
from qflow_runner.observe.tracing import Tracing
from qflow_runner.packages import Packages, Ready
from qflow_runner.progress import TIMES, Progress, count, ms
from qflow_runner.reporting import Recorded, Reports, Subject
from qflow_runner.sandbox.checked import checked_hints, checked_logs
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.guest_session import GuestSession
from qflow_runner.sandbox.keeper import Keeper
from qflow_runner.sandbox.limiter import Limiter
from qflow_runner.sandbox.pool import Key
from qflow_runner.sandbox.resources import Resources
from qflow_runner.sandbox.streams import BodyStream, ItemStream, ResultStream
from qflow_runner.sessions import Place, RunDesk, Sessions, Values

log = structlog.get_logger()

MEMORY_SHORT = 0.6
"""The share of a sandbox's memory from which on what its sessions keep is moved to disk: packing needs some too."""


@dataclass(frozen=True)
class RunRequest:
    """Who runs what. `on_error` is "stop" at the first failing item or "continue" with the next."""

    definition: str
    workflow: str
    execution: str
    node: str = ""
    on_error: str = "stop"
    keep: bool = False
    """Whether references may be answered where the definition leaves that open."""
    lock: Lock | None = None
    """The packages to run with, where it is not for the definition's requirements to say."""
    bounds: tuple[tuple[str, ...], ...] = ()
    """For each of its secrets that is bound to hosts, those."""
    waited_s: float = 0.0
    """How long it waited for a place, of the time that it may wait for a sandbox."""
    lane: int = 0
    """Runs of one execution in different lanes have sessions of their own, and run at the same time."""
    request: str = ""
    """What the caller's HTTP request is called, for the log."""
    trace: Trace | None = None
    """The caller's, of which the run becomes a part."""


@dataclass
class RunAnswer:
    """`payload` is a JSON array of items, as the guest encoded it. Times are in milliseconds."""

    payload: Payload | ItemStream
    errors: int
    timing: dict[str, float]
    logs: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    hints: list[str] = field(default_factory=list[str])
    lasting: bool = False
    """Whether the items mean the same later: none of them names an object or a file of this execution."""
    count: int | None = None
    """How many items there are, as the guest tells it; None where only the payload can say."""
    kept: tuple[str, ...] = ()
    """References to what the run left in its session."""
    layer: str = ""
    resources: Resources = field(default_factory=Resources)
    record: Recorded | None = None


class Flow:
    def __init__(
        self,
        definitions: Definitions,
        *,
        packages: Packages,
        keeper: Keeper,
        sessions: Sessions,
        values: Values,
        files: Files,
        events: Events,
        cache: ResultCache,
        reports: Reports,
        code_policy: CodePolicy,
        limiter: Limiter,
        tracing: Tracing,
    ) -> None:
        self._definitions = definitions
        self._packages = packages
        self._keeper = keeper
        self._sessions = sessions
        self._values = values
        self._files = files
        self._events = events
        self._cache = cache
        self._reports = reports
        self._code_policy = code_policy
        self._limiter = limiter
        self._tracing = tracing
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def run(self, request: RunRequest, payload: Payload | BodyStream) -> AsyncGenerator[RunAnswer]:
        """The answer, to be read within: a large result is still on its way from the session, which waits for that.

        Raises QflowError for every way in which it can fail. Cancelling it kills the code.
        """
        began = time.perf_counter() - request.waited_s
        definition = await self._definitions.get(request.definition)
        self._events.tell(request.execution, "started", request.node)
        key = await self._cache_key(request, definition, payload)
        about = Subject(
            request.workflow,
            request.execution,
            request.node,
            definition.id,
            definition.python,
            bytes_in=payload.size if isinstance(payload, BodyStream) else len(payload),
            items=None if isinstance(payload, BodyStream) else payload,
            request=request.request,
            span=self._tracing.begin(request.trace, request.waited_s),
        )
        if about.span.trace is not request.trace:
            request = replace(request, trace=about.span.trace)
        cached = await self._cache.get(key) if key else None
        if cached is not None:
            timing = dict.fromkeys(TIMES, 0.0) | {
                "queue_ms": ms(request.waited_s),
                "total_ms": ms(time.perf_counter() - began),
            }
            record = await self._reports.succeeded(
                about, timing, [], cached=True, errors=cached.errors, bytes_out=len(cached.payload)
            )
            hints = [f"{cached.age_hint().capitalize()}."]
            yield RunAnswer(cached.payload, cached.errors, timing, hints=hints, record=record)
            return
        async with AsyncExitStack() as held:
            progress = Progress(began, request.waited_s)
            try:
                told = await self._code_policy.check(
                    definition.id, definition.code, definition.python, request.workflow
                )
                answer = await self._attempted(held, request, definition, payload, progress)
            except QflowError as error:
                error.members.setdefault("node", request.node)
                await self._reports.failed(about, error, progress.timing(), **progress.measured())
                raise
            except asyncio.CancelledError:
                self._reports.cancelled(about, (time.perf_counter() - began) * 1000)
                raise
            if key and answer.lasting and not isinstance(answer.payload, ItemStream):
                result = Cached(answer.payload, answer.errors, time.time())
                self._cache.put(key, result, definition.cache_ttl_s)
            answer.hints = [*told, *answer.hints]
            answer.record = await self._reports.succeeded(
                about,
                answer.timing,
                answer.logs,
                layer=answer.layer,
                peak_mb=answer.resources.peak_mb,
                cpu_ms=answer.resources.cpu_ms,
                errors=answer.errors,
                items_in=progress.items_in,
                items_out=answer.count or 0,
                bytes_out=answer.payload.size
                if isinstance(answer.payload, ItemStream)
                else len(answer.payload),
            )
            yield answer

    async def _attempted(
        self,
        held: AsyncExitStack,
        request: RunRequest,
        definition: Definition,
        payload: Payload | BodyStream,
        progress: Progress,
    ) -> RunAnswer:
        """What never started is tried once more; what may have, only where the definition says that this does no harm."""
        try:
            async with AsyncExitStack() as attempt:
                answer = await self._run(attempt, request, definition, payload, progress)
                held.push_async_exit(attempt.pop_all())
                return answer
        except (SessionLost, SandboxError) as error:
            lost = isinstance(error, SandboxError) or type(error) is SessionLost
            may_repeat = definition.idempotent and lost and not isinstance(payload, BodyStream)
            # Who got no sandbox at all was tried for by the pool already.
            if not progress.leased or (progress.sent and not may_repeat):
                raise
            log.info(
                "run.again",
                code=error.code,
                sent=progress.sent,
                workflow=request.workflow,
                execution=request.execution,
            )
        progress.again()
        return await self._run(held, request, definition, payload, progress)

    async def _cache_key(
        self, request: RunRequest, definition: Definition, payload: Payload | BodyStream
    ) -> str:
        """Empty where the result is not to be kept. What passes through unread has no key."""
        if not definition.cache_ttl_s or request.lock or isinstance(payload, BodyStream):
            return ""
        decided = self._packages.decided(definition.python, definition.requirements)
        code = f"{definition.id}:{request.on_error}:{request.keep}:{decided}"
        return await self._cache.key(code, request.workflow, payload)

    async def _run(
        self,
        held: AsyncExitStack,
        request: RunRequest,
        definition: Definition,
        payload: Payload | BodyStream,
        progress: Progress,
    ) -> RunAnswer:
        place = Place(request.workflow, request.execution, request.lane)
        live = Live(self._events, request.execution, request.node)
        progress.entered = time.perf_counter()
        ready = await held.enter_async_context(self._ready(request, definition))
        progress.packed = time.perf_counter()
        progress.layer = ready.layer
        guest = await held.enter_async_context(
            self._keeper.lease(Key(request.workflow, definition.python), request.waited_s)
        )
        progress.leased = time.perf_counter()
        network = await held.enter_async_context(
            used(guest.gate, request.workflow, request.execution, definition.egress, request.bounds)
        )
        zygote = await guest.environment(ready.layer, frozenset(definition.imports))
        spot, session = await held.enter_async_context(self._sessions.lease(guest, zygote, place))
        watched = await held.enter_async_context(
            self._limiter.held(guest, session, definition.limits, live.reading)
        )
        progress.handed = handed = time.perf_counter()
        desk = RunDesk(place, guest, self._files, self._values, live.told)
        # A session that is gone by now takes nothing; nothing else can happen before its first byte is written.
        progress.sent = not session.gone
        try:
            done, items = await session.run(
                define_message(definition),
                self._run_message(request, definition, network.proxy),
                payload,
                desk,
            )
        except QflowError as error:
            figures: Mapping[str, float] = {}
            if isinstance(error, GuestProblem):
                progress.told, figures = error.timing, error.usage
            progress.items_in = count(figures)
            progress.resources = await watched.resources(figures, (time.perf_counter() - handed) * 1000)
            raise
        finally:
            self._values.changed(spot, session.changed)
        size = items.size if isinstance(items, ResultStream) else len(items)
        if definition.output_mb and size > definition.output_mb << 20:
            session.end()
            raise ResultTooLarge(
                f"The result is {size / (1 << 20):.1f} MB of JSON, the node's limit is {definition.output_mb} MB."
            )
        self._values.kept(spot, done.kept, anywhere=definition.reference_scope == "runner")
        if done.memory > MEMORY_SHORT:
            log.info("sandbox.memory_short", workflow=request.workflow, share=round(min(done.memory, 1), 2))
            self._sessions.relieve(guest)
        if isinstance(items, ResultStream):
            held.callback(_end_unless_complete, session, items)
        elif items[:1] != b"[" or items[-1:] != b"]":
            raise no_items()
        progress.told, progress.items_in = done.timing, count(done.usage)
        return RunAnswer(
            items,
            max(done.errors, 0),
            progress.timing(),
            checked_logs(done.logs),
            [*ready.hints, *checked_hints(done.hints), *network.hints()],
            lasting=not (done.kept or desk.gave),
            count=max(done.items, 0),
            kept=tuple(done.kept),
            layer=ready.layer,
            resources=await watched.resources(done.usage, (time.perf_counter() - handed) * 1000),
        )

    def _ready(self, request: RunRequest, definition: Definition) -> AbstractAsyncContextManager[Ready]:
        if request.lock is not None:
            return self._packages.installed(request.lock, execution=request.execution, node=request.node)
        return self._packages.ready(
            definition.python,
            definition.requirements,
            workflow=request.workflow,
            execution=request.execution,
            node=request.node,
        )

    def _run_message(self, request: RunRequest, definition: Definition, proxy: str) -> wire.Run:
        return wire.Run(
            run=next(self._numbers),
            definition=definition.id,
            workflow=request.workflow,
            execution=request.execution,
            node=request.node,
            time_limit_s=definition.timeout_s,
            on_error=request.on_error,
            keep=request.keep,
            proxy=proxy,
            file_mb=definition.file_mb,
            output_mb=definition.output_mb,
            log_kb=definition.log_kb,
            threads=max(1, int(definition.cpus)) if definition.cpus else 0,
            traceparent="" if request.trace is None else str(request.trace),
            live=True,
        )


def define_message(definition: Definition) -> wire.Define:
    return wire.Define(
        definition=definition.id,
        code=definition.code,
        function=definition.function,
        mode=definition.mode,
        output=definition.output,
        validation=definition.validation,
        parallel=definition.parallel,
        sharing=definition.sharing,
    )


def no_items() -> SandboxError:
    return SandboxError("The session answered with something that is not a list of items.")


def _end_unless_complete(session: GuestSession, items: ResultStream) -> None:
    """Nobody reads the rest, and the session would wait for ever to write it."""
    if not items.complete:
        session.end()
