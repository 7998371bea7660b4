"""What went wrong lately, by category, code and node."""

from dataclasses import asdict

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from qflow_runner.api.bodies import query_of
from qflow_runner.api.history_models import RunId, Since
from qflow_runner.api.state import STATE


class FailuresQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(default="", max_length=200)
    since: Since = Field(default=0, description="Milliseconds since 1970; without it, the last day")


class FailureGroup(BaseModel):
    """Failures of one node that are alike."""

    workflow: str
    node: str
    category: str
    code: str
    count: int
    last: int = Field(description="When the newest ended, in milliseconds since 1970")
    run: RunId = Field(description="The newest")
    execution: str = Field(description="That of the newest")
    message: str = Field(description="What the newest said")
    buckets: list[int] = Field(description="How many there were in each span of time, the oldest first")


class FailureSummary(BaseModel):
    """Times are milliseconds since 1970."""

    since: int
    until: int
    bucket_ms: int = Field(description="Length of a span of time")
    total: int
    categories: dict[str, int]
    groups: list[FailureGroup] = Field(description="The most frequent first")
    partial: bool = Field(description="Whether there are more kinds of failures than these")


async def summary(request: web.Request) -> web.Response:
    query = query_of(FailuresQuery, request)
    found = await request.app[STATE].failures.summary(since_ms=query.since, workflow=query.workflow)
    return web.json_response(text=FailureSummary(**asdict(found)).model_dump_json())
