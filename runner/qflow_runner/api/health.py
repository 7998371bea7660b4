"""The calls for machines that watch the runner: alive, ready, metrics, and the API's own description."""

from aiohttp import web

from qflow_runner import __version__
from qflow_runner.api.measuring import measure
from qflow_runner.api.models import Alive
from qflow_runner.api.readiness import readiness
from qflow_runner.api.state import STATE
from qflow_runner.observe import registry

DOCUMENT = web.AppKey("openapi", str)


async def healthz(request: web.Request) -> web.Response:
    del request
    return web.json_response(text=Alive(version=__version__).model_dump_json())


async def readyz(request: web.Request) -> web.Response:
    reply = await readiness(request.app[STATE])
    return web.json_response(text=reply.model_dump_json(), status=200 if reply.ready else 503)


async def metrics(request: web.Request) -> web.Response:
    await measure(request.app[STATE])
    return web.Response(body=registry.render(), headers={"Content-Type": registry.CONTENT_TYPE})


async def openapi(request: web.Request) -> web.Response:
    return web.json_response(text=request.app[DOCUMENT])
