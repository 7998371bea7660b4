"""What happens in an execution, as server-sent events."""

import json

from aiohttp import web

from qflow_runner.api.state import STATE

PAUSE_S = 15.0


async def execution_events(request: web.Request) -> web.StreamResponse:
    """Until the caller hangs up: the execution may be one that has not begun."""
    reply = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    reply.content_type = "text/event-stream"
    with request.app[STATE].events.watched(request.match_info["id"]) as watcher:
        await reply.prepare(request)
        async for event in watcher.events(PAUSE_S):
            if event is None:
                await reply.write(b": still here\n\n")
            else:
                data = json.dumps({"node": event.node, **event.about})
                await reply.write(f"event: {event.kind}\ndata: {data}\n\n".encode())
    return reply
