"""The edge: checks the token, and turns whatever went wrong into a problem document."""

import hmac
import json
from typing import Any

import structlog
from aiohttp import web

from qflow_runner.api.routes import ROUTES, Handler
from qflow_runner.api.state import STATE
from qflow_runner.errors import (
    BodyTooLarge,
    Internal,
    MethodNotAllowed,
    NotFound,
    QflowError,
    RequestError,
    Unauthorized,
)

log = structlog.get_logger()

OPEN_PATHS = frozenset(route.path for route in ROUTES if route.open)


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        if request.path not in OPEN_PATHS:
            _authorise(request)
        return await handler(request)
    except QflowError as error:
        return problem(error)
    except web.HTTPException as error:
        return problem(_from_http(error))
    except Exception:
        log.exception("request.failed", method=request.method, path=request.path)
        return problem(Internal("The runner made a mistake."))


def problem(error: QflowError) -> web.Response:
    # JSON in ASCII, because the detail may carry what no encoding holds.
    body: dict[str, Any] = error.document()
    return web.Response(
        status=error.status,
        body=json.dumps(body).encode("ascii"),
        headers={"Content-Type": "application/problem+json", **error.headers},
    )


def _authorise(request: web.Request) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = request.app[STATE].token
    given = token.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given, expected.encode()):
        raise Unauthorized("The token is missing or wrong.")


def _from_http(error: web.HTTPException) -> QflowError:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return BodyTooLarge("The body is larger than this runner takes.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed("This path has no such method.")
    if isinstance(error, web.HTTPNotFound):
        return NotFound("There is nothing at this path.")
    return RequestError(error.reason or "The request is not right.")
