"""Puts the parts together and serves them until it is told to stop."""

import asyncio
import json
import os
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from qflow_runner.access import Tokens
from qflow_runner.admission import Admission, admission_limits
from qflow_runner.advisories import Advisories
from qflow_runner.analysis import Analyzer
from qflow_runner.api import draining, health, openapi, problems, starting
from qflow_runner.api.authoring import check_text
from qflow_runner.api.connections import CONNECTIONS, Connections
from qflow_runner.api.console import add_console
from qflow_runner.api.draining import Drain
from qflow_runner.api.guard import Guard
from qflow_runner.api.headers import add_headers
from qflow_runner.api.installed import finder
from qflow_runner.api.operations import calls_of
from qflow_runner.api.routes import ROUTES, Route
from qflow_runner.api.saving import resolver
from qflow_runner.api.shared import SharedPlace
from qflow_runner.api.state import STATE, State
from qflow_runner.audit import Audit
from qflow_runner.blobs import blobs_for
from qflow_runner.cache import Inputs, ResultCache
from qflow_runner.code_policy import CodePolicy, rules_of
from qflow_runner.definitions import Definitions
from qflow_runner.egress import Egress
from qflow_runner.ending import end
from qflow_runner.engine import Call, Embedded, Engine
from qflow_runner.files import Files, Keys, Spill
from qflow_runner.layers import Layers
from qflow_runner.observe.events import Events
from qflow_runner.observe.lag import LoopLag
from qflow_runner.observe.tracing import Tracing
from qflow_runner.packages import Packages
from qflow_runner.reporting import Reports
from qflow_runner.run import Flow
from qflow_runner.sandbox.backend import Backend
from qflow_runner.sandbox.keeper import Keeper
from qflow_runner.sandbox.limiter import Limiter
from qflow_runner.sessions import Sessions, Values
from qflow_runner.settings import Settings
from qflow_runner.store import (
    Database,
    Failures,
    History,
    Recorder,
    Rotation,
    SavedDefinitions,
    StoredDefinitions,
    StoredTokens,
    StoredWorkflows,
)
from qflow_runner.upgrades import Replayer, Upgrades
from qflow_runner.vetting import Vetting
from qflow_runner.workflows import Checker
from qflow_runner.workflows.kept import KEPT_WORKFLOWS, KeptWorkflows

if TYPE_CHECKING:
    from qflow_runner.engine.cluster.worker import Worker

log = structlog.get_logger()

WATCHING = tuple(route for route in ROUTES if route.path in {"/healthz", "/readyz", "/metrics"})
"""What a worker answers: its runs come another way."""

PAYLOAD_DAYS = 0.1

CUT_OFF_S = 1.0
"""What is still under way after the drain may take so long to notice that it is over."""


def build_state(
    settings: Settings,
    token: str,
    identity: str,
    backend: Backend,
    pythons: tuple[str, ...],
    *,
    worker: bool = False,
) -> State:
    """`worker`: it makes the runs of a cluster, and hands none on."""
    keys = Keys(settings)
    database = Database(settings, keys)
    audit = Audit(settings, database, identity)
    tokens = Tokens(StoredTokens(database), token)
    Rotation(database)
    starting.know_secrets(settings, token)
    saved = SavedDefinitions(database)
    definitions = Definitions(settings, pythons, StoredDefinitions(settings, database))
    admission = Admission(admission_limits(settings))
    recorder = Recorder(database, lambda: admission.runs)
    events = Events()
    tracing = Tracing(settings, identity)
    files = Files(settings)
    values = Values(Spill(settings, keys))
    cache = ResultCache(settings, keys)
    inputs = Inputs(settings, keys)
    layers = Layers(settings, backend.compile, backend.confine)
    vetting = Vetting(settings, Advisories(settings))
    egress = Egress(settings)
    keeper = Keeper(
        settings,
        backend,
        identity,
        layers=settings.layers_dir,
        files=settings.sandbox_files_path,
        egress=egress,
    )
    sessions = Sessions(settings.session_idle_s, settings.sessions_per_sandbox, values)
    keeper.before_removal = sessions.farewell
    keeper.after_return = sessions.returned
    limiter = Limiter(settings, backend)
    analyzer = Analyzer()
    checker = Checker(analyzer, settings.python, resolver(saved), finder(layers))
    code_policy = CodePolicy(rules_of(settings), analyzer)
    flow = Flow(
        definitions,
        packages=Packages(layers, vetting, events, sessions.lives),
        keeper=keeper,
        sessions=sessions,
        values=values,
        files=files,
        events=events,
        cache=cache,
        reports=Reports(events, recorder, inputs, settings.public_url),
        code_policy=code_policy,
        limiter=limiter,
        tracing=tracing,
    )
    calls: dict[str, Call] = {}
    engine: Engine = Embedded(flow, keeper, calls)
    if settings.engine == "celery" and not worker:
        from qflow_runner.engine.cluster.engine import ClusterEngine  # noqa: PLC0415 - Celery is optional

        engine = ClusterEngine(settings, keys, events, large_items(settings, keys), admission)
    state = State(
        settings=settings,
        token=token,
        tokens=tokens,
        audit=audit,
        guard=Guard(settings, tokens, audit),
        definitions=definitions,
        keeper=keeper,
        sessions=sessions,
        flow=flow,
        engine=engine,
        limiter=limiter,
        analyzer=analyzer,
        code_policy=code_policy,
        checker=checker,
        workflows=KeptWorkflows(
            StoredWorkflows(database, KEPT_WORKFLOWS), lambda text: check_text(checker, text)
        ),
        database=database,
        recorder=recorder,
        inputs=inputs,
        history=History(settings, database),
        failures=Failures(database),
        saved=saved,
        cache=cache,
        events=events,
        egress=egress,
        files=files,
        layers=layers,
        vetting=vetting,
        upgrades=Upgrades(layers, vetting, Replayer(flow, keeper, sessions, files)),
        spill=values.store,
        shared=SharedPlace(settings),
        admission=admission,
        drain=Drain(),
        lag=LoopLag(),
        tracing=tracing,
    )
    calls.update(calls_of(state))
    return state


def large_items(settings: Settings, keys: Keys) -> Spill:
    """Where items lie that are too large for a cluster's queue; what nobody fetched is removed within hours."""
    return Spill(settings, keys, blobs=blobs_for(settings, "payloads"), days=PAYLOAD_DAYS, once=True)


def build_app(state: State, routes: Iterable[Route] = ROUTES) -> web.Application:
    app = web.Application(middlewares=[problems.edge, draining.gate], client_max_size=state.settings.max_body)
    app[STATE] = state
    app[health.DOCUMENT] = json.dumps(openapi.document())
    app[CONNECTIONS] = Connections()
    app[problems.ROUTED] = {
        app.router.add_route(route.method, route.pattern, route.handler): route for route in routes
    }
    add_console(app)
    app.on_response_prepare.append(draining.say_goodbye)
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_keep)
    return app


async def _keep(app: web.Application):  # noqa: ANN202 - aiohttp's shape of an async generator
    state = app[STATE]
    state.lag.open()
    await state.database.open()
    await state.audit.open()
    starting.note_start(state)
    await asyncio.gather(
        state.files.open(),
        state.spill.open(),
        state.layers.open(),
        state.vetting.open(),
        state.cache.open(),
        state.inputs.open(),
        state.shared.open(),
        state.tracing.open(),
    )
    await asyncio.gather(state.engine.open(), state.analyzer.open())
    await state.workflows.open()
    yield
    state.lag.close()
    await state.workflows.close()
    await state.analyzer.close()
    state.limiter.close()
    await state.engine.close()
    state.egress.close()
    await state.recorder.close()
    await state.tokens.close()
    state.guard.tally.close()
    await state.audit.close()
    await asyncio.gather(
        state.files.close(),
        state.spill.close(),
        state.layers.close(),
        state.vetting.close(),
        state.cache.close(),
        state.inputs.close(),
        state.shared.close(),
        state.tracing.close(),
        state.database.close(),
    )


async def serve(
    state: State, ready: "asyncio.Future[str] | None" = None, worker: "Worker | None" = None
) -> None:
    """Serve until SIGTERM or SIGINT, then let runs finish; a second signal ends the process. `ready` is told the address.

    With `worker` it takes the runs of a cluster, and answers at its address only how it is.
    """
    settings = state.settings
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stop)
    runner = web.AppRunner(
        build_app(state, ROUTES if worker is None else WATCHING),
        handler_cancellation=True,  # a caller that hangs up cancels its run
        access_log=None,
        shutdown_timeout=CUT_OFF_S,
        keepalive_timeout=75,
    )
    certificate = starting.certificate_of(settings)
    await runner.setup()
    watching = starting.watch(runner, state, certificate)
    try:
        context = certificate.context if certificate else None
        site = web.TCPSite(runner, settings.host, settings.port, backlog=1024, ssl_context=context)
        await site.start()
        host, port = runner.addresses[0][:2]
        scheme = "https" if certificate else "http"
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        if worker is not None:
            await worker.open()
        log.info("runner.listening", address=address, backend=settings.backend)
        if ready is not None:
            ready.set_result(address)
        await stop.wait()
        await _drain(state, worker)
    finally:
        await end([watching])
        await runner.cleanup()
        if worker is not None:
            await worker.leave()


async def _drain(state: State, worker: "Worker | None") -> None:
    drain_s = state.settings.drain_s
    under_way = state.drain.under_way if worker is None else worker.running
    log.info("runner.stopping", drain_s=drain_s, under_way=under_way)
    state.drain.begin()
    state.admission.stop()
    quiet = await (state.drain.quiet(drain_s) if worker is None else worker.drain(drain_s))
    if not quiet:
        log.warning("runner.cut_off", calls=state.drain.under_way if worker is None else worker.running)


def _stop(stop: asyncio.Event) -> None:
    if stop.is_set():
        # As when it is killed: what is left is taken up by the next start, or ends itself.
        log.warning("runner.stopped_at_once")
        os._exit(0)
    stop.set()
