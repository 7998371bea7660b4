"""What ran, as the API shows it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from qflow_runner.api.models import LogLine
from qflow_runner.observe.events import Kind

RunId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="Ids are in the order of time")]
Limit = Annotated[int, Field(ge=1, le=200, description="Rows at most")]
Since = Annotated[int, Field(ge=0, le=2**45, description="Milliseconds since 1970")]


class Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(default="", max_length=200)
    before: RunId | None = Field(default=None, description="The `next` of the page before")
    since: Since = 0
    limit: Limit = 50


class ExecutionsQuery(Page):
    failed: bool = Field(default=False, description="Only those in which a run failed")


class RunsQuery(Page):
    execution: str = Field(default="", max_length=200)
    node: str = Field(default="", max_length=200)
    outcome: str = Field(default="", max_length=20, description='"ok", or a category of failure')


class ExecutionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(default="", max_length=200, description="Where several workflows use the same id")


class Execution(BaseModel):
    """What is known of one execution from its runs. Times are milliseconds since 1970."""

    workflow: str
    execution: str
    id: RunId
    started: int
    ended: int = Field(description="When its last run so far ended")
    failed: bool
    runs: int
    failures: int
    ms: float = Field(description="Milliseconds in runs, all together")


class ExecutionPage(BaseModel):
    executions: list[Execution]
    next: RunId | None = Field(description="For `before`, to get the page that follows")


class Run(BaseModel):
    """One node run. `ended` is in milliseconds since 1970, other times in milliseconds, sizes in bytes."""

    id: RunId
    workflow: str
    execution: str
    node: str
    definition: str
    ended: int
    outcome: str = Field(description='"ok", or the category of the failure')
    code: str
    ms: float
    packages_ms: float
    queue_ms: float
    sandbox_ms: float
    load_ms: float
    parse_ms: float
    bind_ms: float
    code_ms: float
    encode_ms: float
    items_in: int
    items_out: int
    errors: int
    bytes_in: int
    bytes_out: int
    peak_mb: float
    cpu_ms: float
    cached: bool
    python: str
    layer: str


class RunPage(BaseModel):
    runs: list[Run]
    next: RunId | None
    partial: bool = Field(description="Older runs were not looked at")


class ExecutionDetails(BaseModel):
    executions: list[Execution] = Field(description="More than one where workflows use the same id")
    runs: list[Run] = Field(description="The newest first, at most 1000")


class RunDetails(Run):
    problem: dict[str, Any] | None = Field(description="The problem document of a run that failed")
    logs: list[LogLine]


class Happening(BaseModel):
    """One event of `text/event-stream`: its name is `kind`, its data the rest."""

    kind: Kind
    execution: str
    node: str
