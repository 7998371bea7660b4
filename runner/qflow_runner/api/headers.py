"""What every answer says to browsers, and which pages may read it."""

import re
import secrets

from aiohttp import hdrs, web

from qflow_runner.api.state import STATE

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
YEAR_S = 31_536_000
PREFLIGHT_S = 600
REQUEST_HEADER = "X-Request-Id"
REQUEST = web.RequestKey("request", str)
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = "GET, POST, PUT, DELETE"
_SENT = "Authorization, Content-Type"
_READ = "Retry-After, Content-Disposition"


def request_id(request: web.Request) -> str:
    """What this request is called in the log: as the caller says, where that is plain, else a name of our own."""
    known = request.get(REQUEST)
    if known is None:
        given = request.headers.get(REQUEST_HEADER, "")
        known = request[REQUEST] = given if _PLAIN.fullmatch(given) else secrets.token_hex(8)
    return known


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Where the handler has said otherwise, that stays."""
    headers = response.headers
    headers.setdefault(REQUEST_HEADER, request_id(request))
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if request.path.startswith("/v1/"):
        headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    settings = request.app[STATE].settings
    if settings.tls_cert is not None:
        headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_S}")
    if not settings.cors_origins:
        return
    headers.add(hdrs.VARY, hdrs.ORIGIN)
    origin = request.headers.get(hdrs.ORIGIN, "")
    if origin.lower() in settings.cors_origins:
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _READ


def preflight(request: web.Request) -> web.Response | None:
    """The answer to a browser that asks whether a page may call; None for what is no such question of a listed page."""
    if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
        return None
    if request.headers.get(hdrs.ORIGIN, "").lower() not in request.app[STATE].settings.cors_origins:
        return None
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _SENT,
        hdrs.ACCESS_CONTROL_MAX_AGE: str(PREFLIGHT_S),
    }
    return web.Response(status=204, headers=headers)
