"""The edge: asks the guard, has the audit log written, and turns whatever went wrong into a problem document."""

import json

import structlog
from aiohttp import web

from qflow_runner.api.connections import CONNECTIONS
from qflow_runner.api.console import is_console
from qflow_runner.api.guard import ABOUT, CALLER, who
from qflow_runner.api.headers import preflight, request_id
from qflow_runner.api.malformed import BROKEN
from qflow_runner.api.routes import Handler, Route
from qflow_runner.api.state import STATE
from qflow_runner.errors import (
    BodyTooLarge,
    HostRefused,
    Internal,
    MethodNotAllowed,
    NotFound,
    QflowError,
    RateLimited,
    RequestError,
    ScopeMissing,
    Unauthorized,
    UploadBroken,
)
from qflow_runner.errors.access import BodyStalled
from qflow_runner.observe import metrics
from qflow_runner.observe.masking import masked_value

log = structlog.get_logger()

REFUSALS: dict[type[QflowError], str] = {
    Unauthorized: "unauthorized",
    ScopeMissing: "scope_missing",
    RateLimited: "rate_limited",
    HostRefused: "host_refused",
}

ROUTED = web.AppKey("routed", dict[web.AbstractRoute, Route])
"""The row of the table that a request was matched to."""


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        request.app[CONNECTIONS].spoke(request.protocol)
        return _counted(await _guarded(request, handler))
    except QflowError as error:
        refused = REFUSALS.get(type(error))
        if refused is not None:
            metrics.REQUESTS_REFUSED.labels(reason=refused).inc()
        return _counted(problem(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _counted(problem(_from_http(error)))
    except BROKEN as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        return _counted(problem(UploadBroken(f"The body is not what its headers announce: {reason}.")))
    except Exception:
        log.exception("request.failed", method=request.method, path=request.path, request=request_id(request))
        return _counted(problem(Internal("The runner made a mistake.")))


def _counted(response: web.StreamResponse) -> web.StreamResponse:
    metrics.REQUESTS.labels(status=f"{response.status // 100}xx").inc()
    return response


def problem(error: QflowError) -> web.Response:
    # JSON in ASCII, because the detail may carry what no encoding holds.
    wait = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    response = web.Response(
        status=error.status,
        body=json.dumps(masked_value(error.document())).encode("ascii"),
        headers={"Content-Type": "application/problem+json", **error.headers, **wait},
    )
    if isinstance(error, BodyStalled | UploadBroken):
        response.force_close()
    return response


async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    guard, route = request.app[STATE].guard, request.app[ROUTED].get(request.match_info.route)
    guard.check_host(request)
    answer = preflight(request)
    if answer is not None:
        return answer
    if is_console(request.path) or (route is not None and route.open):
        return await handler(request)
    caller = request[CALLER] = await guard.caller(request)
    if route is None:
        return await handler(request)  # nothing is there, which is told to callers alone
    guard.permit(caller, route.scopes, request)
    return await (_audited(request, handler, route.audit) if route.audit else handler(request))


async def _audited(request: web.Request, handler: Handler, action: str) -> web.StreamResponse:
    audit, outcome = request.app[STATE].audit, "cancelled"
    try:
        response = await handler(request)
        outcome = "ok"
        return response
    except QflowError as error:
        outcome = error.code
        raise
    except Exception:
        outcome = "internal"
        raise
    finally:
        told = {"object": "/".join(request.match_info.values()), **request.get(ABOUT, {})}
        audit.note(action, told.pop("object"), by=who(request[CALLER], request), outcome=outcome, **told)
        await audit.flush()  # before the answer leaves


def _from_http(error: web.HTTPException) -> QflowError:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return BodyTooLarge("The body is larger than this runner takes.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed("This path has no such method.")
    if isinstance(error, web.HTTPNotFound):
        return NotFound("There is nothing at this path.")
    return RequestError(error.reason or "The request is not right.")
