"""The answer of a run as HTTP: the guest's items, with the rest spliced in behind them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import structlog
from aiohttp import web

from qflow_runner.api.bodies import SLOWEST
from qflow_runner.errors import SandboxError
from qflow_runner.run import RunAnswer, no_items
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.streams import ItemStream

log = structlog.get_logger()


HEAD = b'{"items":'
TAKEN_S = 60.0
"""How long a caller may take nothing of a large reply: its session waits for that, and so does its place."""
NOT_RECORDED = "The runner's database is away: this run is recorded when it is back."


async def run_reply(request: web.Request, answer: RunAnswer) -> web.StreamResponse:
    """Whole, or as it comes from the session."""
    if isinstance(answer.payload, ItemStream):
        return await stream_reply(request, answer, answer.payload)
    return web.Response(body=reply_body(answer, answer.payload), content_type="application/json")


def reply_body(answer: RunAnswer, items: Payload) -> bytes:
    """The items are spliced in as the guest encoded them."""
    return b"".join((HEAD, items, _rest(answer)))


def _rest(answer: RunAnswer) -> bytes:
    record = answer.record
    told: dict[str, Any] = {
        "logs": answer.logs,
        "timing": answer.timing,
        "hints": answer.hints,
        "errors": answer.errors,
        "resources": answer.resources.document(),
    }
    if record is not None:
        told |= {"run": record.id, "recorded": record.committed}
        if record.link:
            told["link"] = record.link
        if not record.committed:
            told["hints"] = [*answer.hints, NOT_RECORDED]
    return b"," + json.dumps(told, separators=(",", ":"))[1:].encode()


async def stream_reply(request: web.Request, answer: RunAnswer, items: ItemStream) -> web.StreamResponse:
    """A large result goes to the caller as it comes from the session, and is never held whole."""
    rest = _rest(answer)
    reply = web.StreamResponse()
    reply.content_type = "application/json"
    reply.content_length = len(HEAD) + items.size + len(rest)
    await reply.prepare(request)
    try:
        async with asyncio.timeout(2 * TAKEN_S + reply.content_length / SLOWEST):
            await reply.write(HEAD)
            async for chunk in _list_of(items):
                async with asyncio.timeout(TAKEN_S):
                    await reply.write(chunk)
            async with asyncio.timeout(TAKEN_S):
                await reply.write(rest)
                await reply.write_eof()
    except (SandboxError, TimeoutError) as error:
        # The reply was begun: a caller learns only from its early end that it is not good.
        reason = error.detail if isinstance(error, SandboxError) else "the caller did not take it"
        log.warning("run.reply_broken", reason=reason)
        if request.transport is not None:
            request.transport.abort()
    return reply


async def _list_of(items: ItemStream) -> AsyncIterator[bytes]:
    """Its chunks, as long as they can be the JSON of a list. Raises SandboxError."""
    first, last = b"", b""
    async for chunk in items:
        first, last = first or chunk[:1], chunk[-1:]
        if first != b"[" or (items.complete and last != b"]"):
            raise no_items()
        yield chunk
