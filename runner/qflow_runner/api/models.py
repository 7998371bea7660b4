"""The shapes of the API's requests and answers."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel


class Alive(BaseModel):
    status: Literal["alive"] = "alive"
    version: str


class Part(BaseModel):
    ok: bool
    reason: str


class Readiness(BaseModel):
    ready: bool
    parts: dict[str, Part]


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI 3.1 document."""


class Item(BaseModel):
    """An n8n item."""

    model_config = ConfigDict(extra="allow")

    # `json` is n8n's name for it, and pydantic's for a method of the class before version 3.
    json_: dict[str, Any] = Field(alias="json")


class ReplyItem(Item):
    paired_item: int | None = Field(
        default=None, alias="pairedItem", description="Index of the input item that this one came from"
    )
    error: dict[str, Any] | None = Field(default=None, description="Why this item failed (on_error=continue)")


class RunBody(BaseModel):
    """Passed on as bytes; the sandbox parses and checks it."""

    items: list[Item]
    args: list[dict[str, Any]] | None = Field(
        default=None, description="Arguments by parameter: one entry per item, or one for all"
    )


class RunQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, max_length=200, description="Runs of one workflow share a sandbox")
    execution: str = Field(min_length=1, max_length=200, description="Runs of one execution share a session")
    node: str = Field(default="", max_length=200, description="Named in errors, logs and tracebacks")
    on_error: Literal["stop", "continue"] = Field(default="stop", description="At the first item that fails")


class LogLine(BaseModel):
    stream: Literal["stdout", "stderr"]
    text: str


class RunReply(BaseModel):
    items: list[ReplyItem]
    logs: list[LogLine]
    timing: dict[str, float] = Field(description="Milliseconds by phase")
    hints: list[str]
    errors: int = Field(description="Items that failed (on_error=continue)")


class SessionsEnded(BaseModel):
    ended: int


class Sandbox(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    state: str
    python: str
    workflow: str | None = None
    sessions: int = Field(description="Executions that it holds")


class SandboxList(BaseModel):
    sandboxes: list[Sandbox]


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    category: str
    code: str
    detail: str = Field(description="What happened, in a sentence")
    hint: str | None = Field(default=None, description="What to do about it")
    node: str | None = None
    item: int | None = None
    parameter: str | None = None
    traceback: str | None = None
    logs: list[LogLine] | None = None
