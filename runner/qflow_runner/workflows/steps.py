"""The steps of a run: what each node of a workflow does in it, and in which order."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qflow_runner.workflows.arguments import Arguments
from qflow_runner.workflows.bundles import Item
from qflow_runner.workflows.graph import Graph, Node

MOST_RUNS = 1_000
"""Of one node: each way by which items reach it is a run of its own, and ways multiply."""

SHOWN_NODES = 5

Kind = Literal["run", "give", "hand on", "append"]


@dataclass(frozen=True)
class Feed:
    """A link into a node: from which output of which node, into which of its inputs."""

    input: int
    source: str
    output: int


@dataclass(frozen=True)
class Job:
    """What only a Qflow node has: the body of its definition, and its arguments."""

    definition: Mapping[str, Any]
    arguments: Arguments


@dataclass(frozen=True)
class Step:
    """`given` are the items of a node that has no feeds."""

    node: Node
    kind: Kind
    feeds: tuple[Feed, ...] = ()
    given: Sequence[Item] | None = None
    job: Job | None = None


@dataclass(frozen=True)
class Plan:
    """`steps` are in an order in which each comes after what feeds it."""

    graph: Graph
    steps: Mapping[str, Step]
    parents: Mapping[str, tuple[str, ...]]
    """Of each Qflow node the Qflow nodes whose items reach it, also through others."""

    @property
    def jobs(self) -> list[str]:
        return list(self.parents)


def ordered(steps: Mapping[str, Step], reasons: list[str]) -> dict[str, Step]:
    """Each after what feeds it. What goes round in a circle is a reason not to run."""
    missing = {name: len({feed.source for feed in step.feeds}) for name, step in steps.items()}
    fed: dict[str, list[str]] = {}
    for name, step in steps.items():
        for source in {feed.source for feed in step.feeds}:
            fed.setdefault(source, []).append(name)
    ready = deque(name for name, count in missing.items() if not count)
    found: dict[str, Step] = {}
    while ready:
        name = ready.popleft()
        found[name] = steps[name]
        for target in fed.get(name, ()):
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    if len(found) < len(steps):
        reasons.append(_circle(steps, found))
    return found


def _circle(steps: Mapping[str, Step], found: Mapping[str, Step]) -> str:
    """Every node that is left has one before it that is left too, so going back ends in a circle."""
    name = next(each for each in steps if each not in found)
    way: dict[str, None] = {}
    while name not in way:
        way[name] = None
        name = next(feed.source for feed in steps[name].feeds if feed.source not in found)
    gone = list(way)
    circle = [f"'{each}'" for each in reversed(gone[gone.index(name) :])]
    shown = ", ".join(circle[:SHOWN_NODES]) + (", …" if len(circle) > SHOWN_NODES else "")
    return f"The links of {shown} go round in a loop, which only n8n runs"


def too_often(steps: Mapping[str, Step]) -> Iterator[str]:
    """At the first such node: those after it are no better."""
    runs: dict[str, int] = {}
    for name, step in steps.items():
        by_input: dict[int, int] = {}
        for feed in step.feeds:
            by_input[feed.input] = by_input.get(feed.input, 0) + runs[feed.source]
        counts = by_input.values()
        runs[name] = 1 if not step.feeds else max(counts) if step.kind == "append" else sum(counts)
        if runs[name] > MOST_RUNS:
            yield f"'{name}' would run more than {MOST_RUNS} times, once for each way by which items reach it"
            return


def parents_of(steps: Mapping[str, Step]) -> dict[str, tuple[str, ...]]:
    reached: dict[str, dict[str, None]] = {}
    """The Qflow nodes whose items a node hands on: itself, if it is one."""
    parents: dict[str, tuple[str, ...]] = {}
    for name, step in steps.items():
        before: dict[str, None] = {}
        for feed in step.feeds:
            before |= reached[feed.source]
        if step.kind == "run":
            parents[name] = tuple(before)
            reached[name] = {name: None}
        else:
            reached[name] = before
    return parents
