"""What a case is, what it must come to, and what it came to."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

Outcome = Literal["pass", "fail"]


@dataclass(frozen=True)
class Answer:
    """What the caller got: the HTTP status, the reply's JSON, and after how many seconds."""

    status: int
    reply: Mapping[str, Any]
    seconds: float

    @property
    def outcome(self) -> str:
        """ "ok", or the category of the failure."""
        return "ok" if self.status == 200 else str(self.reply.get("category"))


class Field(Protocol):
    """What a case's own check may ask of the runner under attack."""

    async def run(self, code: str, hints: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        """Run code as n8n would; `workflow` and `execution` among the options say where."""
        ...

    def host_file(self, name: str) -> bool:
        """Whether a file of this name appeared where the attacks try to make one on the host."""
        ...


Check = Callable[[Field, Answer], Awaitable[str]]
"""What went wrong, as a sentence; empty if nothing did."""


@dataclass(frozen=True)
class Case:
    """One attack: code for a node, and what the caller must see.

    The code defines `attack(hints: dict) -> dict` on top of `probe.PRELUDE`. What it returns as `harm` is what it
    managed to do. `expect` are the outcomes that are right: "ok", or categories of failure. Who `harms_itself` breaks
    its own session on purpose: the next run of the same execution may find that out, and the one after must work.
    """

    suite: str
    name: str
    code: str
    expect: frozenset[str] = frozenset({"ok"})
    within_s: float = 10.0
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    check: Check | None = None
    harms_itself: bool = False
    known: str = ""
    """Why it cannot pass; the security model says so too."""


@dataclass(frozen=True)
class Verdict:
    """One row of the card."""

    suite: str
    case: str
    verdict: Outcome
    detail: str

    def row(self) -> dict[str, str]:
        return asdict(self)
