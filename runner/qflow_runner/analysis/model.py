"""What the analysis says about a node's code: plain data, immutable, the same for every reader."""

from dataclasses import dataclass
from typing import Literal

from qflow_runner.types import EMPTY, Scope

Severity = Literal["error", "warning", "info"]
Dialect = Literal["", "native", "pyodide", "community"]


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    """As written, or as inferred; empty where nobody can say."""
    required: bool
    default: str | None
    """Source text of the default, shortened; None without one."""
    keyword_only: bool = False
    doc: str = ""
    inferred: bool = False


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    parameters: tuple[Parameter, ...]
    returns: str
    inferred: bool
    """Whether `returns` was inferred and not written."""
    doc: str
    returns_doc: str
    is_async: bool
    is_generator: bool
    takes_extra: bool
    """Whether ``**kwargs`` takes values for other names."""
    signature: str
    """As in ``invoice(order: Order, vat: float = 0.19) -> dict``."""


@dataclass(frozen=True)
class Finding:
    severity: Severity
    code: str
    message: str
    hint: str
    line: int
    column: int
    """Both count from 1."""
    source: str
    """The line of code, and a caret under the place."""


@dataclass(frozen=True)
class Requirement:
    requirement: str
    source: Literal["header", "import"]
    module: str
    """The import that asks for it; empty for one of the header."""


@dataclass(frozen=True)
class Use:
    """An import, or a name worth a second look with the reason, where the code has it."""

    kind: Literal["import", "call"]
    name: str
    why: str
    line: int
    column: int
    source: str


@dataclass(frozen=True)
class Analysis:
    functions: tuple[Function, ...] = ()
    """All of the code's own functions in its order, those whose name begins with _ too."""
    entry: str = ""
    """The function that is called when the node names none; empty if there is none or more than one."""
    script: Dialect = ""
    imports: tuple[str, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    findings: tuple[Finding, ...] = ()
    scope: Scope = EMPTY
    uses: tuple[Use, ...] = ()
    risks: tuple[Finding, ...] = ()
    """What is worth a second look, of `uses` and of ruff's security rules; not among `findings`."""


@dataclass(frozen=True)
class Reading:
    """What the worker reads from the code alone. `parsed` is false where Python cannot read it."""

    analysis: Analysis
    parsed: bool


def version_of(python: str) -> tuple[int, int]:
    """``3.12`` as numbers. Raises ValueError for anything else."""
    major, _, minor = python.partition(".")
    return int(major), int(minor)
