"""The calls for machines that watch the runner: alive, ready, metrics, and the API's own description."""

from collections import Counter

from aiohttp import web

from qflow_runner import __version__
from qflow_runner.api.models import Alive, Part, Readiness
from qflow_runner.api.state import STATE, State
from qflow_runner.egress import UNENFORCED
from qflow_runner.observe import metrics as measured

DOCUMENT = web.AppKey("openapi", str)


async def healthz(request: web.Request) -> web.Response:
    del request
    return web.json_response(text=Alive(version=__version__).model_dump_json())


async def readyz(request: web.Request) -> web.Response:
    state = request.app[STATE]
    backend = await state.keeper.health()
    counted = Counter(row["state"] for row in state.keeper.snapshot())
    working = counted["warm"] + counted["owned"]
    described = ", ".join(f"{count} {name}" for name, count in sorted(counted.items())) or "no sandbox"
    if working:
        pool = Part(ok=True, reason=described)
    else:
        failure = state.keeper.last_failure
        reason = f"{described}; {failure.detail} {failure.hint or ''}".strip() if failure else described
        pool = Part(ok=state.settings.pool_floor == 0 and failure is None, reason=reason)
    database = await state.database.health()
    parts = {
        state.settings.backend: Part(ok=backend.ok, reason=backend.reason),
        "pool": pool,
        "egress": Part(
            ok=True, reason=UNENFORCED if state.settings.backend == "process" else state.egress.reason()
        ),
        "database": Part(ok=database.ok, reason=database.reason),
        "runs": Part(ok=not state.drain.begun, reason=_runs(state)),
        "loop": Part(
            ok=state.lag.ok,
            reason=f"the event loop was at most {state.lag.most_s * 1000:.0f} ms late in the last minute",
        ),
    }
    # Warm sandboxes work on while Docker is away, so the runner is ready as long as one is there.
    # And what is in memory runs on while the database is away.
    ready = pool.ok and (database.ok or len(state.definitions) > 0) and not state.drain.begun
    reply = Readiness(ready=ready, parts=parts)
    return web.json_response(text=reply.model_dump_json(), status=200 if ready else 503)


def _runs(state: State) -> str:
    if state.drain.begun:
        return (
            f"draining: the runner stops when {state.drain.under_way} calls are over, and takes no new ones"
        )
    return state.admission.describe()


async def metrics(request: web.Request) -> web.Response:
    state = request.app[STATE]
    counted = Counter(row["state"] for row in state.keeper.snapshot())
    for name in ("booting", "warm", "owned"):
        measured.SANDBOXES.labels(state=name).set(counted[name])
    measured.SESSIONS.set(state.sessions.total)
    measured.ADMITTED.set(state.admission.runs)
    measured.WAITING.set(state.admission.waiting)
    return web.Response(body=measured.render(), headers={"Content-Type": measured.CONTENT_TYPE})


async def openapi(request: web.Request) -> web.Response:
    return web.json_response(text=request.app[DOCUMENT])
