"""Bodies and answers of the calls under /v1/tokens and of /v1/audit."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class TokenBody(BaseModel):
    """What a token is to be."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200, description="What it is for")]
    scopes: Annotated[
        list[Annotated[str, Field(max_length=20)]],
        Field(
            min_length=1, max_length=10, description="run, read, edit, admin; or n8n, which is run and edit"
        ),
    ]
    expires: Annotated[
        str, Field(max_length=20, description="After what time it is over, as in 90d; empty: never")
    ] = ""


class Token(BaseModel):
    """A token, without what it is."""

    id: str
    name: str
    scopes: list[str]
    created: datetime
    created_by: str
    expires: datetime | None
    used: datetime | None = Field(description="When it was last used, to within a quarter of an hour")
    revoked: datetime | None


class NewToken(Token):
    token: str = Field(description="The token itself, shown this once")


class TokenList(BaseModel):
    tokens: list[Token]


class TokenRevoked(BaseModel):
    revoked: str


class AuditQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    before: Annotated[int, Field(ge=1, le=2**62)] | None = Field(
        default=None, description="The `next` of the page before"
    )
    action: str = Field(default="", max_length=60, description="A whole one, or its first word")
    actor: str = Field(default="", max_length=200, description="The id or the name of a token")
    outcome: str = Field(default="", max_length=60, description='"ok", or the code of an error')
    since: Annotated[int, Field(ge=0, le=2**45, description="Milliseconds since 1970")] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class AuditEvent(BaseModel):
    """A row of the audit log. `at` is milliseconds since 1970; `hash` covers the row and the hash before it."""

    seq: int
    at: int
    runner: str
    actor: str = Field(description="Id of the token; empty for the runner itself")
    name: str
    origin: str = Field(description="The address that the call came from")
    action: str
    object: str
    outcome: str
    details: dict[str, Any]
    hash: str


class AuditPage(BaseModel):
    events: list[AuditEvent]
    next: int | None = Field(description="For `before`, to get the page that follows")
