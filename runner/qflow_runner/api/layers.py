"""The calls about installed packages: what there is, what is known to be vulnerable in it, and taking it away."""

import json
from typing import Any

from aiohttp import web

from qflow_runner.api.bodies import query_of
from qflow_runner.api.models import LayersQuery
from qflow_runner.api.state import STATE
from qflow_runner.engine.model import all_of, first_of


async def layers(request: web.Request) -> web.Response:
    """Each once, though every worker of a cluster has those of its own."""
    audited = query_of(LayersQuery, request).audit
    answers = await request.app[STATE].engine.ask_each("layers", b"audit" if audited else b"")
    listed: dict[str, dict[str, Any]] = {}
    for answer in all_of(answers).values():
        for row in json.loads(answer):
            known = listed.setdefault(row["id"], row)
            if known is not row:
                known["held"] += row["held"]
                known["used"] = max(known["used"], row["used"])
    return web.json_response({"layers": list(listed.values())})


async def remove_layer(request: web.Request) -> web.Response:
    """From every worker that has it, and that no run of uses it."""
    first_of(await request.app[STATE].engine.ask_each("layer.remove", request.match_info["id"].encode()))
    return web.json_response({"removed": True})
