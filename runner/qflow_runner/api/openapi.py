"""The OpenAPI 3.1 document, made from the table of routes."""

import re
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from qflow_runner import __version__
from qflow_runner.api.models import Problem
from qflow_runner.api.routes import ROUTES, Route

TEMPLATE = "#/components/schemas/{model}"
MEANING = {
    400: "The request is not right",
    401: "The token is missing or wrong",
    403: "Not allowed, also by the token's scopes",
    404: "Not known",
    408: "The body came too slowly",
    409: "It is in use, or changed meanwhile",
    410: "What it needs is not kept any more",
    413: "The body is too large",
    422: "The code, or a value it was given, is not right",
    429: "Too many calls, or too many wrong tokens",
    500: "A mistake of the runner",
    502: "The sandbox failed",
    503: "Busy, or a part of the runner is away",
    504: "The time limit was reached",
    507: "The memory limit was reached, or the runner's disk is full",
}


def document() -> dict[str, Any]:
    used: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [(Problem, "validation")]
    for route in ROUTES:
        used.extend((model, "validation") for model in (route.body, route.reply) if model is not None)
    _, definitions = models_json_schema(used, ref_template=TEMPLATE, by_alias=True)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Qflow runner", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    failures = {*route.failures, 500} | (set() if route.open else {401, 403, 429, 503})
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        schema = route.query.model_json_schema()
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", []),
                "description": rules.pop("description", ""),
                "schema": rules,
            }
            for name, rules in schema["properties"].items()
        ]
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done", "content": {route.content: _schema(route.reply)}},
            **{str(status): _failure(status) for status in sorted(failures)},
        },
        "security": [] if route.open else [{"token": list(route.scopes)}],
    }
    bodies: dict[str, Any] = {} if route.body is None else {"application/json": _schema(route.body)}
    bodies |= {content: {} for content in route.raw}
    if bodies:
        operation["requestBody"] = {"required": True, "content": bodies}
    return operation


def _failure(status: int) -> dict[str, Any]:
    return {"description": MEANING[status], "content": {"application/problem+json": _schema(Problem)}}


def _schema(model: type[BaseModel] | None) -> dict[str, Any]:
    return {} if model is None else {"schema": {"$ref": TEMPLATE.format(model=model.__name__)}}
