"""Definitions: what a node's code is, addressed by its own hash, and a bounded memory of them.

n8n keeps the code; a definition that this memory has lost is answered with 404, and the node sends it again.
Whether the code parses is the sandbox's Python to say, which may be newer or older than the runner's own.
"""

import hashlib
import json
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from qflow_runner.errors import DefinitionUnknown, PythonUnsupported, RequestError
from qflow_runner.settings import Settings

MAX_CODE = 1_000_000
"""Characters of code in one definition."""

Mode = Literal["auto", "item", "all", "script"]
Output = Literal["auto", "items", "reference"]
Validation = Literal["strict", "coerce", "off"]


class DefinitionRequest(BaseModel):
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
    requirements: Annotated[
        list[Annotated[str, Field(max_length=10_000)]],
        Field(
            max_length=1_000,
            description="Packages that the code needs, a requirement each; empty: those of its header, or its imports",
        ),
    ] = []
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


class Definitions:
    """The least recently used definition is forgotten first."""

    def __init__(self, settings: Settings, pythons: tuple[str, ...]) -> None:
        self._settings = settings
        self.pythons = pythons
        self._known: OrderedDict[str, Definition] = OrderedDict()

    def put(self, request: DefinitionRequest, found: Found) -> DefinitionReply:
        """Store a definition. Same content, same id. Raises PythonUnsupported or RequestError."""
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
        }
        definition = Definition(id=content_hash(content), **content)  # type: ignore[arg-type]
        self._known[definition.id] = definition
        self._known.move_to_end(definition.id)
        if len(self._known) > self._settings.definitions:
            self._known.popitem(last=False)
        return DefinitionReply(**{k: v for k, v in asdict(definition).items() if k in _REPLIED})

    def get(self, definition_id: str) -> Definition:
        """Raises DefinitionUnknown."""
        try:
            definition = self._known[definition_id]
        except KeyError:
            raise DefinitionUnknown("The runner does not know this definition.") from None
        self._known.move_to_end(definition_id)
        return definition


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
