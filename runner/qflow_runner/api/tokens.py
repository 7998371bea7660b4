"""The calls for tokens and for the audit log."""

import json
from typing import Any

from aiohttp import web

from qflow_runner.access import read_age
from qflow_runner.api.bodies import checked, limited, query_of
from qflow_runner.api.guard import CALLER, about
from qflow_runner.api.state import STATE
from qflow_runner.api.tokens_models import (
    AuditEvent,
    AuditPage,
    AuditQuery,
    NewToken,
    Token,
    TokenBody,
    TokenList,
    TokenRevoked,
)
from qflow_runner.store import AuditRow, TokenRow

MAX_BODY = 64 * 1024


async def create_token(request: web.Request) -> web.Response:
    body = checked(TokenBody, await limited(request, MAX_BODY))
    about(request, body.name, scopes=body.scopes)
    expires_s = read_age(body.expires) if body.expires.strip() else None
    made = await request.app[STATE].tokens.create(
        body.name, body.scopes, by=request[CALLER].name, expires_s=expires_s
    )
    about(request, made.row.id, token_name=body.name, scopes=made.row.scopes, expires=body.expires or "never")
    return web.json_response(text=NewToken(**_fields(made.row), token=made.token).model_dump_json())


async def list_tokens(request: web.Request) -> web.Response:
    rows = await request.app[STATE].tokens.every()
    return web.json_response(text=TokenList(tokens=[Token(**_fields(row)) for row in rows]).model_dump_json())


async def revoke_token(request: web.Request) -> web.Response:
    token_id = request.match_info["id"]
    await request.app[STATE].tokens.revoke(token_id)
    return web.json_response(text=TokenRevoked(revoked=token_id).model_dump_json())


async def list_audit(request: web.Request) -> web.Response:
    query = query_of(AuditQuery, request)
    audit = request.app[STATE].audit
    await audit.flush()
    rows = await audit.log.page(
        before=query.before,
        action=query.action,
        actor=query.actor,
        outcome=query.outcome,
        since_ms=query.since,
        limit=query.limit,
    )
    page = AuditPage(
        events=[_event(row) for row in rows], next=rows[-1].seq if len(rows) == query.limit else None
    )
    return web.json_response(text=page.model_dump_json())


def _fields(row: TokenRow) -> dict[str, Any]:
    fields: dict[str, Any] = row._asdict()
    del fields["hash"]
    return fields | {"scopes": row.scopes.split()}


def _event(row: AuditRow) -> AuditEvent:
    return AuditEvent(**row._asdict() | {"details": json.loads(row.details)})
