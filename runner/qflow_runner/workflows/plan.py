"""What a run of a workflow does: its Qflow nodes and what stands between them, in the order of their links.

Nodes that are not Qflow's are n8n's to run. What they give is taken from the request or from their pinned data; those
that only hand items on, or start a workflow with nothing, are done here; any other is refused with its name.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qflow_runner.errors import WorkflowNotRunnable
from qflow_runner.workflows.arguments import Unfollowed, read_arguments
from qflow_runner.workflows.bundles import Item
from qflow_runner.workflows.graph import Graph, Node, Workflow
from qflow_runner.workflows.requests import NothingToRun, definition_of
from qflow_runner.workflows.steps import Feed, Job, Plan, Step, ordered, parents_of, too_often

Given = Mapping[str, Sequence[Item]] | Sequence[Item]
"""What nodes give (a Qflow node: takes), by name; or what every node that starts the workflow gives."""

MOST_LINKS = 20_000
SHOWN = 5
"""Reasons that a refusal tells in its sentence."""

# What starts a workflow and brings nothing that code would read.
EMPTY_STARTS = frozenset(
    f"n8n-nodes-base.{name}" for name in ("manualTrigger", "start", "scheduleTrigger", "cron", "interval")
)
# All of their items leave as they came, by the only output. Others that a check sees through choose among items.
HAND_ON = frozenset(
    f"n8n-nodes-base.{name}" for name in ("executionData", "noOp", "respondToWebhook", "wait")
)
MERGE = "n8n-nodes-base.merge"
LOOP = "n8n-nodes-base.splitInBatches"


def plan(workflow: Workflow, given: Given | None = None, only: Iterable[str] | None = None) -> Plan:
    """Raises WorkflowNotRunnable with everything that stands in the way."""
    graph = Graph.of(workflow)
    planner = _Planner(workflow, graph, given)
    steps = planner.steps(_targets(workflow, graph, only))
    found = ordered(steps, planner.reasons)
    planner.reasons.extend(too_often(found))
    if planner.reasons:
        shown = planner.reasons[:SHOWN]
        more = len(planner.reasons) - len(shown)
        detail = f"{'. '.join(shown)}{f', and {more} more' if more else ''}."
        raise WorkflowNotRunnable(detail, reasons=planner.reasons[:100])
    return Plan(graph, found, parents_of(found))


def _targets(workflow: Workflow, graph: Graph, only: Iterable[str] | None) -> list[str]:
    if len(graph.nodes) != len(workflow.nodes):
        raise WorkflowNotRunnable("Two nodes of the workflow have the same name.", hint="Rename one of them.")
    links = sum(map(len, graph.wires.values()))
    if links > MOST_LINKS:
        raise WorkflowNotRunnable(f"The workflow has {links} links, and a run follows {MOST_LINKS} at most.")
    able = [node.name for node in graph.qflow_nodes]
    if only is None:
        if not able:
            raise WorkflowNotRunnable(
                "The workflow has no Qflow node that is not disabled.", hint="Add one, or enable it."
            )
        return able
    chosen = list(dict.fromkeys(only))
    for name in chosen:
        if name not in able:
            raise WorkflowNotRunnable(
                f"'{name:.200}' is not a Qflow node of this workflow that could be run.",
                hint=f"Choose from: {', '.join(able[:20]) or 'it has none'}.",
            )
    return chosen


class _Planner:
    def __init__(self, workflow: Workflow, graph: Graph, given: Given | None) -> None:
        self._graph = graph
        pinned = (workflow.model_extra or {}).get("pinData")
        self._pinned: Mapping[str, Any] = pinned if isinstance(pinned, dict) else {}
        self._named = given if isinstance(given, Mapping) else {}
        self._start = None if given is None or isinstance(given, Mapping) else given
        self._opening: Sequence[Item] = [{"json": {}}] if self._start is None else self._start
        self.reasons: list[str] = [
            f"Items were given for '{name:.200}', which is not a node of this workflow"
            for name in self._named
            if name not in graph.nodes
        ]
        self._feeds: dict[str, list[Feed]] = {}
        for source, wires in graph.wires.items():
            for wire in wires:
                self._feeds.setdefault(wire.target, []).append(Feed(wire.input, source, wire.output))

    def steps(self, targets: Sequence[str]) -> dict[str, Step]:
        """The targets and all that they need."""
        found: dict[str, Step] = {}
        pending = deque(targets)
        while pending:
            name = pending.popleft()
            if name in found:
                continue
            found[name] = step = self._step(self._graph.nodes[name])
            pending.extend(feed.source for feed in step.feeds)
        if self._start is not None and not any(each.given is self._start for each in found.values()):
            self.reasons.append(
                "Items were given for the start, and no node that is needed starts the workflow"
            )
        return found

    def _step(self, node: Node) -> Step:
        feeds = tuple(sorted(self._feeds.get(node.name, ()), key=lambda each: each.input))
        named = self._named.get(node.name)
        if node.is_qflow and not node.disabled:
            given = named if named is not None else None if feeds else self._opening
            return Step(node, "run", feeds if given is None else (), given, self._job(node))
        if named is not None:
            return Step(node, "give", given=named)
        if node.disabled:
            return Step(node, "hand on", feeds[:1] and tuple(f for f in feeds if f.input == feeds[0].input))
        if self._start is not None and not feeds:
            return Step(node, "give", given=self._start)
        pinned = self._pinned.get(node.name)
        if isinstance(pinned, list):
            return Step(node, "give", given=self._items(node, pinned))
        if node.type in EMPTY_STARTS and not feeds:
            return Step(node, "give", given=[{"json": {}}])
        if node.type in HAND_ON and feeds:
            return Step(node, "hand on", feeds)
        if node.type == MERGE and node.hands_on:
            return Step(node, "append", feeds)
        self.reasons.append(_refusal(node, starts=not feeds))
        return Step(node, "give", given=[])

    def _job(self, node: Node) -> Job | None:
        try:
            return Job(definition_of(node), read_arguments(node))
        except (Unfollowed, NothingToRun) as reason:
            self.reasons.append(str(reason))
            return None

    def _items(self, node: Node, pinned: list[Any]) -> list[Item]:
        """Pinned data is a list of items, or of their JSON alone."""
        items: list[Item] = []
        for each in pinned:
            if not isinstance(each, dict):
                self.reasons.append(f"The pinned data of '{node.name}' holds something that is no item")
                break
            item = each if isinstance(each.get("json"), dict) else {"json": each}
            files = item.get("binary")
            if isinstance(files, dict) and any(isinstance(f, dict) and "id" in f for f in files.values()):
                self.reasons.append(f"The pinned data of '{node.name}' names a file that only n8n has")
                break
            items.append(item)
        return items


def _refusal(node: Node, *, starts: bool) -> str:
    kind = node.type.rpartition(".")[2]
    if node.type == LOOP:
        return f"'{node.name}' is a loop (Loop Over Items), which only n8n runs: pin what it gives, or run the nodes within it alone"
    if node.type == MERGE:
        return f"'{node.name}' merges by other rules than to append, which only n8n knows: pin its data"
    what = "starts the workflow with data" if starts else "feeds a Qflow node"
    return (
        f"'{node.name}' ({kind}) {what}, and only n8n runs it: pin its data, or give its items with the run"
    )
