"""Definitions: what a node's code is, addressed by its own hash, and a bounded memory of them before a database.

n8n keeps the code; a definition that neither knows is answered with 404, and the node sends it again.
Whether the code parses is the sandbox's Python to say, which may be newer or older than the runner's own.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from qflow_runner.egress import MAX_LISTED, MAX_TEXT, Policy, targets_of
from qflow_runner.errors import DefinitionUnknown, PythonUnsupported, RequestError
from qflow_runner.limits import Asked, LimitsRequest, asked_in, named
from qflow_runner.settings import Settings

MAX_CODE = 1_000_000
"""Characters of code in one definition."""

Mode = Literal["auto", "item", "all", "script"]
Output = Literal["auto", "items", "reference"]
Validation = Literal["strict", "coerce", "off"]
ReferenceScope = Literal["workflow", "runner"]
Sharing = Literal["copy", "shared"]


class DefinitionRequest(LimitsRequest, BaseModel):
    """The body of PUT /v1/definitions."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[
        str, Field(min_length=1, max_length=MAX_CODE, description="Python source, as the user wrote it")
    ]
    function: Annotated[
        str, Field(max_length=200, description="The function to call; empty: the only one")
    ] = ""
    python: Annotated[
        str, Field(max_length=10, description="Version, such as 3.12; empty: the runner's default")
    ] = ""
    mode: Annotated[
        Mode,
        Field(description="Once per item, once for all items, as the first parameter says, or as a script"),
    ] = "auto"
    output: Annotated[Output, Field(description="How the result leaves the function")] = "auto"
    validation: Annotated[
        Validation,
        Field(description="Whether values are held to their annotations, converted to them, or neither"),
    ] = "strict"
    reference_scope: Annotated[
        ReferenceScope,
        Field(
            description="Who may use the references that it answers: this workflow, or every one of the runner"
        ),
    ] = "workflow"
    sharing: Annotated[
        Sharing,
        Field(
            description="What parameters get of a referenced object: a copy of their own, or the object itself, so "
            "that what the code changes is seen by the nodes that follow"
        ),
    ] = "copy"
    requirements: Annotated[
        list[Annotated[str, Field(max_length=10_000)]],
        Field(
            max_length=1_000,
            description="Packages that the code needs, a requirement each; empty: those of its header, or its imports",
        ),
    ] = []
    egress: Annotated[
        list[Annotated[str, Field(max_length=MAX_TEXT)]],
        Field(
            max_length=MAX_LISTED,
            description="What the code may reach, as host:port or *.host:port; the administrator bounds it",
        ),
    ] = []
    cache_ttl_s: Annotated[
        float,
        Field(ge=0, le=2_592_000, description="How long a result answers the same input again; 0: never"),
    ] = 0
    parallel: Annotated[
        int,
        Field(
            ge=1, le=64, description="Processes that share the items, where the function is called per item"
        ),
    ] = 1
    idempotent: Annotated[
        bool, Field(description="Run it again, once, when its session or sandbox was lost under it")
    ] = False
    timeout_s: Annotated[
        float | None, Field(gt=0, description="Seconds; the runner's default when absent")
    ] = None


@dataclass(frozen=True)
class Found:
    """What the code itself says of what it needs."""

    requirements: tuple[str, ...] = ()
    """Of its header, or of its imports."""
    imports: tuple[str, ...] = ()
    """Modules of packages, not of the standard library."""
    takes_files: bool = False


@dataclass(frozen=True)
class Definition:
    """Immutable. `id` is the SHA-256 of everything else, in hexadecimal."""

    id: str
    code: str
    function: str
    python: str
    mode: Mode
    output: Output
    validation: Validation
    timeout_s: float
    requirements: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    takes_files: bool = False
    reference_scope: ReferenceScope = "workflow"
    cache_ttl_s: float = 0.0
    idempotent: bool = False
    parallel: int = 1
    sharing: Sharing = "copy"
    egress: tuple[str, ...] = ()
    memory_mb: int = 0
    cpus: float = 0.0
    processes: int = 0
    file_mb: int = 0
    output_mb: int = 0
    log_kb: int = 0

    @cached_property
    def limits(self) -> Asked:
        """Those that it names."""
        return asked_in(vars(self))


class DefinitionReply(BaseModel):
    """The answer to PUT /v1/definitions."""

    id: str
    function: str
    python: str
    mode: Mode
    output: Output
    timeout_s: float
    requirements: list[str] = Field(description="Packages that a run installs when they are missing")
    takes_files: bool = Field(description="Whether a run reads the items' binary properties")


class Shelf(Protocol):
    """Where definitions are beyond this process."""

    async def save(self, definition_id: str, content: Mapping[str, Any]) -> None: ...
    async def load(self, definition_id: str) -> Mapping[str, Any] | None: ...


class Definitions:
    """The least recently used definition is forgotten first; what `shelf` has is read from there again."""

    def __init__(self, settings: Settings, pythons: tuple[str, ...], shelf: Shelf | None = None) -> None:
        self._settings = settings
        self.pythons = pythons
        self._shelf = shelf
        self._policy = Policy(settings)
        self._known: OrderedDict[str, Definition] = OrderedDict()

    def make(self, request: DefinitionRequest, found: Found) -> Definition:
        """Raises PythonUnsupported, EgressInvalid, EgressNotAllowed or RequestError."""
        python = check_python(request.python or self._settings.python, self.pythons)
        asked = tuple(each for each in request.requirements if each.strip())
        timeout_s = request.timeout_s or self._settings.time_limit_s
        if timeout_s > self._settings.time_limit_max_s:
            raise RequestError(
                f"A time limit of {timeout_s:g} s is over this runner's maximum of {self._settings.time_limit_max_s:g} s.",
                hint="Lower the node's time limit, or raise QFLOW_TIME_LIMIT_MAX_S.",
            )
        content = {
            "code": request.code,
            "function": request.function,
            "python": python,
            "mode": request.mode,
            "output": request.output,
            "validation": request.validation,
            "timeout_s": float(timeout_s),
            "requirements": asked or found.requirements,
            "imports": found.imports,
            "takes_files": found.takes_files,
            "reference_scope": request.reference_scope,
            "cache_ttl_s": float(request.cache_ttl_s),
            "idempotent": request.idempotent,
        }
        if request.parallel != 1:
            content["parallel"] = request.parallel  # ids from before there was this option stay as they are
        if request.sharing != "copy":
            content["sharing"] = request.sharing  # likewise
        if targets := targets_of(request.egress):
            self._policy.check(targets)
            content["egress"] = tuple(map(str, targets))
        content |= named(request, self._settings)  # none where the node names none
        return Definition(id=content_hash(content), **content)  # type: ignore[arg-type]

    async def put(self, request: DefinitionRequest, found: Found) -> DefinitionReply:
        """Store a definition. Same content, same id. Raises as `make` does, and DatabaseUnavailable."""
        definition = self.make(request, found)
        if self._shelf is not None:
            await self._shelf.save(definition.id, content_of(definition))
        self._remember(definition)
        return DefinitionReply(**{k: v for k, v in asdict(definition).items() if k in _REPLIED})

    async def get(self, definition_id: str) -> Definition:
        """From memory where it is there. Raises DefinitionUnknown, DatabaseUnavailable or PythonUnsupported."""
        definition = self._known.get(definition_id)
        if definition is None:
            content = await self._shelf.load(definition_id) if self._shelf is not None else None
            if content is None:
                raise DefinitionUnknown("The runner does not know this definition.")
            definition = definition_of(definition_id, content, self._settings)
            check_python(definition.python, self.pythons)
        self._remember(definition)
        return definition

    def __len__(self) -> int:
        return len(self._known)

    def _remember(self, definition: Definition) -> None:
        self._known[definition.id] = definition
        self._known.move_to_end(definition.id)
        if len(self._known) > self._settings.definitions:
            self._known.popitem(last=False)


def content_of(definition: Definition) -> dict[str, Any]:
    content = asdict(definition)
    del content["id"]
    return content


def definition_of(definition_id: str, content: Mapping[str, Any], settings: Settings) -> Definition:
    """From what was stored, perhaps by another version: what it lacks takes its default, what is unknown is left."""
    known = {field.name for field in fields(Definition)} - {"id"}
    defaults = {
        name: field.default for name, field in DefinitionRequest.model_fields.items() if name in known
    }
    kept: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in (defaults | dict(content)).items()
        if name in known
    }
    kept["python"] = kept["python"] or settings.python
    kept["timeout_s"] = kept["timeout_s"] or settings.time_limit_s
    return Definition(id=definition_id, **kept)


def check_python(python: str, pythons: tuple[str, ...]) -> str:
    """`python`, where there is one. Raises PythonUnsupported."""
    if python not in pythons:
        raise PythonUnsupported(
            f"There is no Python {python} in Qflow.", hint=f"Choose one of {', '.join(pythons)}."
        )
    return python


_REPLIED = frozenset(DefinitionReply.model_fields)


def content_hash(content: dict[str, object]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
