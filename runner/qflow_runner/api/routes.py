"""Every call of the API in one table. The server, the authorisation and the OpenAPI document read it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from qflow_runner.api import (
    authoring,
    calls,
    events,
    files,
    health,
    history,
    history_models,
    layers,
    models,
    packages,
    packages_models,
    replaying,
    saved,
    saved_models,
    workflow_runs,
    workflow_runs_models,
)
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

    @property
    def pattern(self) -> str:
        """The path for aiohttp, whose own pattern of a part takes no braces, which a name may have."""
        return re.sub(r"{(\w+)}", r"{\1:[^/]+}", self.path)


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
        body=saved_models.DefinitionBody,
        reply=saved_models.DefinitionAnswer,
        failures=(400, 404, 413, 422),
    ),
    Route(
        "GET",
        "/v1/saved",
        saved.list_saved,
        "The definitions that were saved by name",
        query=saved_models.SavedQuery,
        reply=saved_models.SavedList,
        failures=(400,),
    ),
    Route(
        "PUT",
        "/v1/saved/{name}",
        saved.put_saved,
        "Save a definition under a name; other content makes a new version",
        body=saved_models.SavedBody,
        reply=saved_models.SavedReply,
        failures=(400, 413, 422),
    ),
    Route(
        "GET",
        "/v1/saved/{name}",
        saved.get_saved,
        "A version of a saved definition, with its code and what the code says",
        query=saved_models.VersionQuery,
        reply=saved_models.SavedContent,
        failures=(400, 404),
    ),
    Route(
        "GET",
        "/v1/saved/{name}/versions",
        saved.list_versions,
        "The versions of a saved definition",
        query=saved_models.VersionsQuery,
        reply=saved_models.VersionList,
        failures=(400, 404),
    ),
    Route(
        "DELETE",
        "/v1/saved/{name}",
        saved.delete_saved,
        "Forget the name; what runs by its definition's id goes on",
        reply=saved_models.SavedDeleted,
        failures=(400, 404),
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
        "GET",
        "/v1/events",
        events.all_events,
        "What happens in all executions from now on",
        content="text/event-stream",
    ),
    Route(
        "GET",
        "/v1/executions",
        history.list_executions,
        "Executions of which runs are recorded, the newest first",
        query=history_models.ExecutionsQuery,
        reply=history_models.ExecutionPage,
        failures=(400, 503),
    ),
    Route(
        "GET",
        "/v1/executions/{id}",
        history.show_execution,
        "An execution and its runs",
        query=history_models.ExecutionQuery,
        reply=history_models.ExecutionDetails,
        failures=(400, 404, 503),
    ),
    Route(
        "GET",
        "/v1/runs",
        history.list_runs,
        "Runs, the newest first",
        query=history_models.RunsQuery,
        reply=history_models.RunPage,
        failures=(400, 503),
    ),
    Route(
        "GET",
        "/v1/runs/{id}",
        history.show_run,
        "One run with what it printed and what it failed with",
        reply=history_models.RunDetails,
        failures=(404, 503),
    ),
    Route(
        "POST",
        "/v1/runs/{id}/replay",
        replaying.replay,
        "Make a recorded run again with the same items, with its code or another",
        body=replaying.ReplayBody,
        reply=models.RunReply,
        failures=(400, 404, 410, 413, 422, 502, 503, 504, 507),
    ),
    Route(
        "GET",
        "/v1/definitions/{id}",
        replaying.show_definition,
        "A definition's code and options",
        reply=replaying.DefinitionContent,
        failures=(404, 503),
    ),
    Route(
        "GET",
        "/v1/layers",
        layers.layers,
        "The installed packages, a layer for each lock",
        query=models.LayersQuery,
        reply=models.LayerList,
        failures=(400,),
    ),
    Route(
        "DELETE",
        "/v1/layers/{id}",
        layers.remove_layer,
        "Take a layer away; what needs it later installs it again",
        reply=models.LayerRemoved,
        failures=(404, 409),
    ),
    Route(
        "POST",
        "/v1/packages/lock",
        packages.lock_packages,
        "The versions that these requirements have; chosen now where they had none",
        body=packages_models.LockBody,
        reply=packages_models.AuditedLock,
        failures=(400, 413, 422, 502, 503, 504, 507),
    ),
    Route(
        "POST",
        "/v1/packages/upgrade",
        packages.upgrade_packages,
        "What the newest versions change: installed beside those in use, and tried on items. Nothing in use changes",
        body=packages_models.UpgradeBody,
        reply=packages_models.UpgradeReply,
        failures=(400, 404, 413, 422, 502, 503, 504, 507),
    ),
    Route(
        "POST",
        "/v1/packages/accept",
        packages.accept_upgrade,
        "Use what an upgrade found, from the next execution on",
        body=packages_models.UpgradeToken,
        reply=packages_models.LockReply,
        failures=(400, 404, 409, 413, 422, 502, 503, 504, 507),
    ),
    Route(
        "POST",
        "/v1/packages/rollback",
        packages.rollback_packages,
        "Use the versions before the last upgrade, from the next execution on",
        body=packages_models.LockBody,
        reply=packages_models.LockReply,
        failures=(400, 409, 413, 422),
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
        "POST",
        "/v1/workflows/{id}/runs",
        workflow_runs.run_workflow,
        "Run the Qflow nodes of an n8n workflow in the order of their links, without n8n",
        body=workflow_runs_models.WorkflowRunBody,
        reply=workflow_runs_models.WorkflowRunReply,
        failures=(400, 404, 413, 422),
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
