"""Reads requests: bodies up to a size, held to a model, and a sentence for what does not fit."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from qflow_runner.api.models import Name
from qflow_runner.api.state import STATE
from qflow_runner.errors import BodyStalled, BodyTooLarge, RequestError

Model = TypeVar("Model", bound=BaseModel)

_NAME = TypeAdapter[str](Name)

MAX_DEFINITION = 8 * 1024 * 1024
"""Bytes of a definition's JSON: its code may be all escapes."""
SLOWEST = 1_024
"""Bytes in a second, over the whole of a body."""
SEND_LESS = "Send less: shorter code, or a workflow without pinned data."


async def limited(request: web.Request, limit: int, *, hint: str | None = SEND_LESS) -> bytes:
    """The body. Raises BodyTooLarge, before it is read where its length is announced, and BodyStalled."""
    if (request.content_length or 0) > limit:
        raise BodyTooLarge(f"The body is {request.content_length} bytes; this call takes {limit}.", hint=hint)
    if request.content.is_eof():  # all is here, as it is with most bodies
        body = request.content.read_nowait()
        if len(body) > limit:
            raise _too_large(limit, hint)
        return body
    pieces: list[bytes] = []
    room = limit
    async with aclosing(paced(request)) as chunks:
        async for chunk in chunks:
            room -= len(chunk)
            if room < 0:
                raise _too_large(limit, hint)
            pieces.append(chunk)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(limit: int, hint: str | None) -> BodyTooLarge:
    return BodyTooLarge(f"The body is more than the {limit} bytes that this call takes.", hint=hint)


async def paced(request: web.Request) -> AsyncGenerator[bytes]:
    """The body as it comes. Raises BodyStalled where it does not, or so slowly that it would go on for ever."""
    content, stall_s = request.content, request.app[STATE].settings.body_stall_s
    began, size = time.monotonic(), 0
    try:
        while not content.at_eof():
            if content.is_eof():  # all is here, and nothing has to be waited for
                chunk = await content.readany()
            else:
                async with asyncio.timeout(stall_s):
                    chunk = await content.readany()
            size += len(chunk)
            if time.monotonic() - began > 2 * stall_s + size / SLOWEST:
                raise BodyStalled(f"The body came with less than {SLOWEST} bytes in a second.")
            if chunk:
                yield chunk
    except TimeoutError:
        raise BodyStalled(f"Nothing of the body came for {stall_s:g} seconds.") from None


def checked(model: type[Model], body: bytes) -> Model:
    """The body as `model`. Raises RequestError."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestError(f"The body is not right: {sentence(error)}.", hint="See /openapi.json.") from None


def query_of(model: type[Model], request: web.Request) -> Model:
    """The query as `model`. Raises RequestError."""
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise RequestError(f"The query is not right: {sentence(error)}.", hint="See /openapi.json.") from None


def workflow_of(request: web.Request) -> str:
    """The workflow that the path names. Raises RequestError."""
    try:
        return _NAME.validate_python(request.match_info["id"])
    except ValidationError as error:
        raise RequestError(f"The workflow's id is not right: {sentence(error)}.") from None


def sentence(error: ValidationError) -> str:
    """What pydantic found, without the values: they may be secret, and long."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found[:5])
