"""Every call of the API in one table. The server, the authorisation and the OpenAPI document read it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from qflow_runner.api import authoring, calls, events, files, health, models
from qflow_runner.definitions import DefinitionReply, DefinitionRequest
from qflow_runner.workflows import Workflow

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """`open` routes need no token. `reply` is the model of a 200; `content` its type where it is not JSON.

    `raw` are the types of bodies without a model.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    reply: type[BaseModel] | None = None
    content: str = "application/json"
    raw: tuple[str, ...] = ()
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
        raw=("multipart/form-data",),
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
        "/v1/executions/{id}/events",
        events.execution_events,
        "What happens in an execution from now on: the start, progress and end of its runs",
        content="text/event-stream",
    ),
    Route(
        "POST",
        "/v1/files",
        files.upload,
        "Store a file for the runs of an execution: the body is its content",
        raw=("application/octet-stream",),
        query=models.UploadQuery,
        reply=models.FileReply,
        failures=(400, 413, 507),
    ),
    Route(
        "GET",
        "/v1/files/{id}",
        files.download,
        "A file's content",
        query=models.FileQuery,
        content="application/octet-stream",
        failures=(400, 404),
    ),
    Route(
        "DELETE",
        "/v1/files/{id}",
        files.delete,
        "Remove a file before its execution is over",
        query=models.FileQuery,
        reply=models.FileDeleted,
        failures=(400,),
    ),
    Route(
        "GET",
        "/v1/sandboxes",
        calls.sandboxes,
        "The sandboxes that there are",
        reply=models.SandboxList,
    ),
    Route(
        "POST",
        "/v1/analyze",
        authoring.analyze,
        "Functions, types, packages and mistakes of code, which is not run",
        body=models.AnalyzeBody,
        reply=models.Analysis,
        failures=(400, 413, 422),
    ),
    Route(
        "POST",
        "/v1/types/check",
        authoring.check_types,
        "May a value of the source type flow into a parameter of the target type?",
        body=models.TypesBody,
        reply=models.Judgement,
        failures=(400, 413, 422),
    ),
    Route(
        "POST",
        "/v1/workflows/check",
        authoring.check_workflow,
        "Judge every link between the Qflow nodes of an n8n workflow",
        body=Workflow,
        reply=models.WorkflowCheck,
        failures=(400, 413),
    ),
    Route(
        "PUT",
        "/v1/workflows/{id}",
        authoring.put_workflow,
        "Check a workflow, and keep what was found",
        body=Workflow,
        reply=models.WorkflowCheck,
        failures=(400, 413),
    ),
    Route(
        "GET",
        "/v1/workflows/{id}",
        authoring.get_workflow,
        "What the last check of a kept workflow found",
        reply=models.WorkflowCheck,
        failures=(404,),
    ),
    Route(
        "GET",
        "/editor/qflow-editor.js",
        authoring.editor_extension,
        "The script that colours links in n8n's editor",
        content="text/javascript",
        open=True,
    ),
)
