"""The shapes of the API's requests and answers."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from qflow_runner.definitions import MAX_CODE


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
    secrets: dict[str, str] | None = Field(
        default=None,
        description="What parameters of type Secret and Context.secrets hold; seen by the code alone",
    )


class RunQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, max_length=200, description="Runs of one workflow share a sandbox")
    execution: str = Field(min_length=1, max_length=200, description="Runs of one execution share a session")
    node: str = Field(default="", max_length=200, description="Named in errors, logs and tracebacks")
    on_error: Literal["stop", "continue"] = Field(default="stop", description="At the first item that fails")
    keep: bool = Field(
        default=False,
        description='Whether output "auto" may answer references: every node that follows can take them',
    )


class UploadQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, max_length=200, description="Whose runs may use the file")
    execution: str = Field(min_length=1, max_length=200, description="The file is kept until it is over")
    name: str = Field(default="", max_length=2_000, description="Name that is shown; its last part is kept")
    mime: str = Field(default="", max_length=300, description="Media type; default application/octet-stream")


class FileQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, max_length=200, description="The workflow that the file belongs to")


class FileReply(BaseModel):
    file: str = Field(description='Id, for `"binary": {"<key>": {"file": "<id>", …}}` in an item')
    size: int = Field(description="Bytes")


class FileDeleted(BaseModel):
    deleted: bool = Field(description="Whether there was one")


class AnalyzeBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=MAX_CODE, description="Python source, as the user wrote it")
    python: str = Field(default="", max_length=10, description="Version, such as 3.12; empty: the default")
    requirements: list[str] | None = Field(default=None, description="Packages that the node lists")


class Parameter(BaseModel):
    name: str
    type: str = Field(description="As Python writes it; empty where nothing is known")
    required: bool
    default: str | None = Field(description="Its source text")
    keyword_only: bool
    doc: str
    inferred: bool = Field(description="Whether the type follows from the code instead of an annotation")


class Function(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str
    line: int
    params: list[Parameter]
    returns: str
    inferred: bool
    doc: str
    returns_doc: str
    generator: bool
    signature: str


class Requirement(BaseModel):
    requirement: str
    source: Literal["header", "import"]
    module: str
    installed: bool | None = Field(
        default=None, description="Whether the node's layer has it; null while there is no layer"
    )


class Finding(BaseModel):
    severity: Literal["error", "warning", "info"]
    code: str
    message: str
    hint: str
    line: int
    column: int = Field(description="From 1")
    source: str = Field(description="The line, with a caret under the place")


class Analysis(BaseModel):
    functions: list[Function]
    entry: str = Field(description="The function that is called when none is named; empty: there is not one")
    script: Literal["", "native", "pyodide", "community"]
    imports: list[str]
    requirements: list[Requirement]
    findings: list[Finding]


class TypesBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str = Field(max_length=10_000, description="Type of the value, as Python writes it")
    target: str = Field(max_length=10_000, description="Type of the parameter")


Verdict = Literal["assignable", "convertible", "unchecked", "incompatible"]


class Judgement(BaseModel):
    verdict: Verdict
    reason: str
    suggestion: str


class CheckedLink(BaseModel):
    model_config = ConfigDict(extra="allow")

    from_: str = Field(alias="from", description="Name of the node that gives")
    to: str = Field(description="Name of the node that takes")
    output: int
    input: int
    source: str
    target: str
    parameter: str
    verdict: Verdict
    reason: str
    suggestion: str
    path: list[str] = Field(description="Nodes in between, which hand items on unchanged")


class WorkflowCheck(BaseModel):
    ok: bool = Field(description="False when a link is incompatible")
    links: list[CheckedLink]
    nodes: list[dict[str, Any]]
    suggestions: list[dict[str, Any]]


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


class LayersQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    audit: bool = Field(default=False, description="Also what is known to be vulnerable in each")


class PackageRow(BaseModel):
    name: str
    version: str
    size: int = Field(description="Bytes of its wheel; 0 where the index does not tell")


class LayerRow(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    python: str
    packages: list[PackageRow]
    modules: list[str] = Field(description="Names that can be imported from it")
    bytes: int
    built: float = Field(description="Seconds since 1970")
    used: float = Field(description="Seconds since 1970")
    held: int = Field(description="Runs that use it now")
    warnings: list[str]


class LayerList(BaseModel):
    layers: list[LayerRow]


class LayerRemoved(BaseModel):
    removed: bool


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
    path: str | None = Field(default=None, description="Where in the value, such as lines[2].price")
    expected: str | None = Field(default=None, description="The type that was expected, as written")
    actual: str | None = Field(default=None, description="What came instead, shortened")
    line: int | None = None
    column: int | None = None
    traceback: str | None = None
    logs: list[LogLine] | None = None
