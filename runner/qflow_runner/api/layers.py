"""The calls about installed packages: what there is, what is known to be vulnerable in it, and taking it away."""

from dataclasses import asdict

from aiohttp import web

from qflow_runner.advisories import audit_form
from qflow_runner.api.bodies import query_of
from qflow_runner.api.models import LayersQuery
from qflow_runner.api.state import STATE


async def layers(request: web.Request) -> web.Response:
    state = request.app[STATE]
    audited = query_of(LayersQuery, request).audit
    listed = []
    for info in state.layers.list():
        row = asdict(info)
        if audited:
            row["audit"] = audit_form(await state.vetting.audit(info.packages))
        listed.append(row)
    return web.json_response({"layers": listed})


async def remove_layer(request: web.Request) -> web.Response:
    await request.app[STATE].layers.remove(request.match_info["id"])
    return web.json_response({"removed": True})
