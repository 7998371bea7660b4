"""Every call of the API in one table. The server, the authorisation and the OpenAPI document read it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from qflow_runner.api import calls, health, models
from qflow_runner.definitions import DefinitionReply, DefinitionRequest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """`open` routes need no token. `reply` is the model of a 200; `content` its type where it is not JSON."""

    method: str
    path: str
    handler: Handler
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    reply: type[BaseModel] | None = None
    content: str = "application/json"
    open: bool = False
    failures: tuple[int, ...] = ()


ROUTES = (
    Route("GET", "/healthz", health.healthz, "The process is alive", reply=models.Alive, open=True),
    Route(
        "GET",
        "/readyz",
        health.readyz,
        "Whether runs can be served, with a reason for every part",
        reply=models.Readiness,
        open=True,
        failures=(503,),
    ),
    Route("GET", "/metrics", health.metrics, "Metrics for Prometheus", content="text/plain", open=True),
    Route("GET", "/openapi.json", health.openapi, "This document", reply=models.Document, open=True),
    Route(
        "PUT",
        "/v1/definitions",
        calls.put_definition,
        "Store a definition; the same content has the same id",
        body=DefinitionRequest,
        reply=DefinitionReply,
        failures=(400, 413, 422),
    ),
    Route(
        "POST",
        "/v1/definitions/{id}/runs",
        calls.run,
        "Call the definition's function with n8n items",
        body=models.RunBody,
        query=models.RunQuery,
        reply=models.RunReply,
        failures=(400, 403, 404, 413, 422, 502, 503, 504, 507),
    ),
    Route(
        "DELETE",
        "/v1/executions/{id}/session",
        calls.end_session,
        "The execution is over: end its sessions and free what they hold",
        reply=models.SessionsEnded,
    ),
    Route(
        "GET",
        "/v1/sandboxes",
        calls.sandboxes,
        "The sandboxes that there are",
        reply=models.SandboxList,
    ),
)
