"""Reads requests: bodies up to a size, held to a model, and a sentence for what does not fit."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from qflow_runner.errors import BodyTooLarge, RequestError

Model = TypeVar("Model", bound=BaseModel)

MAX_DEFINITION = 8 * 1024 * 1024
"""Bytes of a definition's JSON: its code may be all escapes."""


async def limited(request: web.Request, limit: int) -> bytes:
    """The body. Raises BodyTooLarge, before it is read where its length is announced."""
    hint = "Send less: shorter code, or a workflow without pinned data."
    if (request.content_length or 0) > limit:
        raise BodyTooLarge(f"The body is {request.content_length} bytes; this call takes {limit}.", hint=hint)
    body = await request.read()
    if len(body) > limit:
        raise BodyTooLarge(f"The body is {len(body)} bytes; this call takes {limit}.", hint=hint)
    return body


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


def sentence(error: ValidationError) -> str:
    """What pydantic found, without the values: they may be secret, and long."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found[:5])
