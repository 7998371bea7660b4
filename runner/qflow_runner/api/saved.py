"""The calls under /v1/saved: definitions that people keep by name, with their versions."""

import base64
import binascii

from aiohttp import web

from qflow_runner.analysis import to_json
from qflow_runner.api import saved_models as models
from qflow_runner.api.bodies import MAX_DEFINITION, checked, limited, query_of
from qflow_runner.api.models import Analysis
from qflow_runner.api.saving import new_version, request_of
from qflow_runner.api.state import STATE
from qflow_runner.errors import RequestError
from qflow_runner.store import Saved, SavedVersion, check_name


async def list_saved(request: web.Request) -> web.Response:
    query = query_of(models.SavedQuery, request)
    # One more than asked for tells whether there is another page.
    found = await request.app[STATE].saved.page(query.q, _after(query.cursor), query.limit + 1)
    shown = found[: query.limit]
    cursor = _cursor(shown[-1]) if len(found) > query.limit else None
    reply = models.SavedList(saved=[_listed(each) for each in shown], cursor=cursor)
    return web.json_response(text=reply.model_dump_json())


async def put_saved(request: web.Request) -> web.Response:
    state = request.app[STATE]
    name = check_name(request.match_info["name"])
    body = checked(models.SavedBody, await limited(request, MAX_DEFINITION))
    new = await new_version(body, body.note, state.analyzer, state.definitions, state.settings)
    version, added = await state.saved.put(name, new, based_on=body.based_on)
    reply = models.SavedReply(**_described(version), added=added)
    return web.json_response(text=reply.model_dump_json())


async def get_saved(request: web.Request) -> web.Response:
    state = request.app[STATE]
    query = query_of(models.VersionQuery, request)
    version = await state.saved.get(request.match_info["name"], query.version)
    content = request_of(version, {})
    python = content.python if content.python in state.definitions.pythons else state.settings.python
    analysis = to_json(await state.analyzer.analyze(content.code, python))
    reply = models.SavedContent(
        **_described(version), content=content, analysis=Analysis.model_validate(analysis)
    )
    return web.json_response(text=reply.model_dump_json())


async def list_versions(request: web.Request) -> web.Response:
    query = query_of(models.VersionsQuery, request)
    found = await request.app[STATE].saved.versions(request.match_info["name"], query.cursor, query.limit + 1)
    shown = found[: query.limit]
    reply = models.VersionList(
        versions=[models.Version(**_described(each)) for each in shown],
        cursor=shown[-1].version if len(found) > query.limit else None,
    )
    return web.json_response(text=reply.model_dump_json())


async def delete_saved(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    await request.app[STATE].saved.delete(name)
    return web.json_response(text=models.SavedDeleted(deleted=name).model_dump_json())


def _listed(saved: Saved) -> models.SavedEntry:
    return models.SavedEntry(
        name=saved.name,
        version=saved.version,
        function=saved.function,
        signature=saved.signature,
        created=saved.created,
        updated=saved.updated,
    )


def _described(version: SavedVersion) -> models.VersionFields:
    return {
        "name": version.name,
        "version": version.version,
        "latest": version.latest,
        "definition": version.definition_id,
        "function": version.function,
        "signature": version.signature,
        "note": version.note,
        "created": version.created,
    }


def _cursor(last: Saved) -> str:
    return base64.urlsafe_b64encode(last.key.encode()).decode().rstrip("=")


def _after(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise RequestError(
            "The cursor is none that this call gave.", hint="Leave it out to begin anew."
        ) from None
