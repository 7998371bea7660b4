"""Serves the parts of a runner until it is told to stop."""

import asyncio
import json
import os
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import structlog
from aiohttp import web

from qflow_runner.api import draining, health, openapi, problems, starting
from qflow_runner.api.connections import CONNECTIONS, Connections
from qflow_runner.api.console import add_console
from qflow_runner.api.headers import add_headers
from qflow_runner.api.malformed import server_log
from qflow_runner.api.routes import ROUTES, Route
from qflow_runner.api.state import STATE, State

if TYPE_CHECKING:
    from qflow_runner.engine.cluster.worker import Worker

log = structlog.get_logger()

WATCHING = tuple(route for route in ROUTES if route.path in {"/healthz", "/readyz", "/metrics"})
"""What a worker answers: its runs come another way."""

CUT_OFF_S = 1.0
"""What is still under way after the drain may take so long to notice that it is over."""


class Store(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None:
        """Also where it was not opened."""
        ...


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
    opened = await asyncio.gather(*(each.open() for each in _stores(state)), return_exceptions=True)
    failure = next((each for each in opened if isinstance(each, BaseException)), None)
    if failure is not None:
        await _shut(state)
        raise failure
    await asyncio.gather(state.engine.open(), state.analyzer.open())
    await state.workflows.open()
    yield
    await state.workflows.close()
    await state.analyzer.close()
    state.limiter.close()
    await state.engine.close()
    state.egress.close()
    await state.recorder.close()
    await state.tokens.close()
    state.guard.tally.close()
    await _shut(state)


def _stores(state: State) -> tuple[Store, ...]:
    """What is opened before anything works with it, and closed after all."""
    return (
        state.files,
        state.spill,
        state.layers,
        state.vetting,
        state.cache,
        state.inputs,
        state.shared,
        state.tracing,
    )


async def _shut(state: State) -> None:
    state.lag.close()
    await state.audit.close()
    await asyncio.gather(*(each.close() for each in _stores(state)), state.database.close())


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
        logger=server_log(),
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
        await watching.end()
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
