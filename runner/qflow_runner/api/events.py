"""What happens, as server-sent events: in one execution, or in all."""

import json

from aiohttp import web

from qflow_runner.api.state import STATE
from qflow_runner.observe.events import ALL

PAUSE_S = 15.0


async def execution_events(request: web.Request) -> web.StreamResponse:
    """Until the caller hangs up: the execution may be one that has not begun."""
    return await _stream(request, request.match_info["id"])


async def all_events(request: web.Request) -> web.StreamResponse:
    return await _stream(request, ALL)


async def _stream(request: web.Request, execution: str) -> web.StreamResponse:
    reply = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    reply.content_type = "text/event-stream"
    with request.app[STATE].events.watched(execution) as watcher:
        await reply.prepare(request)
        async for event in watcher.events(PAUSE_S):
            if event is None:
                await reply.write(b": still here\n\n")
            else:
                data = json.dumps({"execution": event.execution, "node": event.node, **event.about})
                await reply.write(f"event: {event.kind}\ndata: {data}\n\n".encode())
    return reply
