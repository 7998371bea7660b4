"""The shapes of the API's requests and answers."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel

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


_NAMELESS = re.compile("[\0\ud800-\udfff]")


def _nameable(text: str) -> str:
    if _NAMELESS.search(text):
        raise ValueError("it has characters that no name can have")
    return text


Name = Annotated[str, Field(max_length=200), AfterValidator(_nameable)]
"""What a workflow, an execution or a node is called: whatever text a database can keep."""


class RunQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: Name = Field(min_length=1, description="Runs of one workflow share a sandbox")
    execution: Name = Field(min_length=1, description="Runs of one execution share a session")
    node: Name = Field(default="", description="Named in errors, logs and tracebacks")
    on_error: Literal["stop", "continue"] = Field(default="stop", description="At the first item that fails")
    bound: str = Field(
        default="",
        max_length=6_000,
        description="For each secret of the run that is bound to hosts, those (host:port, comma separated); "
        "secrets are separated by semicolons. Refused where the sandbox can reach another host, now or later",
    )
    keep: bool = Field(
        default=False,
        description='Whether output "auto" may answer references: every node that follows can take them',
    )


class UploadQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: Name = Field(min_length=1, description="Whose runs may use the file")
    execution: Name = Field(min_length=1, description="The file is kept until it is over")
    name: str = Field(default="", max_length=2_000, description="Name that is shown; its last part is kept")
    mime: str = Field(default="", max_length=300, description="Media type; default application/octet-stream")


class FileQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workflow: Name = Field(min_length=1, description="The workflow that the file belongs to")


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
    workflow: str = Field(default="", max_length=200, description="Whose rules for code are shown")


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


class RunResources(BaseModel):
    """Megabytes of 2^20 bytes. A run that was over before the runner looked at it has no I/O and one process."""

    cpu_ms: float = Field(description="CPU time, with that of the processes that it started")
    peak_mb: float = Field(description="The most memory that its session had")
    read_mb: float = Field(description="What it read, from files and sockets alike")
    written_mb: float = Field(description="What it wrote, to files and sockets alike")
    processes: int = Field(description="Processes and threads, when the runner last looked")


class RunReply(BaseModel):
    items: list[ReplyItem]
    logs: list[LogLine]
    timing: dict[str, float] = Field(description="Milliseconds by phase")
    hints: list[str]
    errors: int = Field(description="Items that failed (on_error=continue)")
    resources: RunResources
    run: str = Field(description="The id of this run's record")
    recorded: bool = Field(description="Whether the record is in the database already")


class SessionsEnded(BaseModel):
    ended: int


class Sandbox(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    state: str
    python: str
    workflow: str | None = None
    sessions: int = Field(description="Executions that it holds")
    memory_mb: float | None = Field(
        default=None, description="Memory in use, without what the kernel gives back"
    )
    memory_limit_mb: int | None = Field(default=None, description="Memory that it may use now")
    cpu_s: float | None = Field(default=None, description="CPU time since it was started")
    cpus: float | None = Field(default=None, description="CPU time that it may use per second now")
    processes: int | None = Field(default=None, description="Processes and threads in it")
    egress: dict[str, Any] | None = Field(
        default=None, description="What it may reach (`hosts`), and its connections and bytes since its start"
    )


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
