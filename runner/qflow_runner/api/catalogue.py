"""The calls that list what there is to choose from: kept workflows with their JSON, and the types that are known by name."""

import asyncio

from aiohttp import web

from qflow_runner import types
from qflow_runner.api.bodies import query_of, workflow_of
from qflow_runner.api.catalogue_models import KeptWorkflow, KnownType, TypeList, TypesQuery, WorkflowList
from qflow_runner.api.state import STATE
from qflow_runner.errors import TypeUnreadable
from qflow_runner.types.catalogue import Known, catalogue


async def list_workflows(request: web.Request) -> web.Response:
    kept = request.app[STATE].workflows.every()
    reply = WorkflowList(
        workflows=[
            KeptWorkflow(
                id=each.id,
                name=each.name,
                ok=each.check.ok,
                nodes=len(each.check.nodes),
                links=len(each.check.links),
                refused=len(each.check.refused),
                bytes=each.size,
            )
            for each in kept
        ]
    )
    return web.json_response(text=reply.model_dump_json())


async def workflow_content(request: web.Request) -> web.Response:
    text = await request.app[STATE].workflows.text(workflow_of(request))
    return web.Response(body=text, content_type="application/json")


async def list_types(request: web.Request) -> web.Response:
    query = query_of(TypesQuery, request)
    known = await asyncio.to_thread(_known, query)
    return web.json_response(text=TypeList(types=known).model_dump_json())


def _known(query: TypesQuery) -> list[KnownType]:
    source = _type(query.source) if query.source else None
    target = _type(query.target) if query.target else None
    return [_form(each) for each in catalogue(source, target)]


def _form(known: Known) -> KnownType:
    judgement = known.judgement
    return KnownType(
        name=known.name,
        group=known.group,
        parent=known.parent,
        ancestors=list(known.ancestors),
        verdict=judgement.verdict if judgement else None,
        reason=judgement.reason if judgement else "",
    )


def _type(text: str) -> types.Type:
    try:
        return types.parse(text)
    except types.TypeSyntax as error:
        raise TypeUnreadable(f"'{text[:100]}' is not a type that Python can read: {error.detail}.") from None
