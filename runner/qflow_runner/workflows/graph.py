"""An n8n workflow as a graph: which Qflow node feeds which, also through nodes that hand items on unchanged."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

QFLOW_TYPE = "qflowPython"

# What leaves these nodes is what came in, on whichever output. A node that may change items is not among them.
PASS_THROUGH = frozenset(
    f"n8n-nodes-base.{name}"
    for name in (
        "executionData",
        "filter",
        "if",
        "limit",
        "noOp",
        "respondToWebhook",
        "sort",
        "splitInBatches",
        "switch",
        "wait",
    )
)


def _a_dict(value: Any) -> dict[str, Any]:
    """Some exports hold an empty object as an empty list, or as null."""
    return value if isinstance(value, dict) else {}


def _a_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


Json = Annotated[dict[str, Any], BeforeValidator(_a_dict)]


class Node(BaseModel):
    """A node as n8n saves it. What is not read here is let through."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    type: str
    id: str = ""
    parameters: Json = Field(default_factory=dict[str, Any])
    disabled: bool = False
    on_error: str = Field(default="", alias="onError")

    @property
    def is_qflow(self) -> bool:
        return self.type.rpartition(".")[2] == QFLOW_TYPE

    @property
    def hands_on(self) -> bool:
        """Whether its items leave it as they came. A disabled node is stepped over by n8n."""
        if self.disabled or self.type in PASS_THROUGH:
            return True
        if self.type == "n8n-nodes-base.merge":
            return self.parameters.get("mode", "append") == "append"
        if self.type == "n8n-nodes-base.removeDuplicates":
            return (
                self.parameters.get("operation", "removeDuplicateInputItems") == "removeDuplicateInputItems"
            )
        return False


class Workflow(BaseModel):
    """The part of n8n's workflow JSON that a check reads."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str | None = None
    name: str = ""
    nodes: list[Node] = Field(max_length=5_000)
    connections: Json = Field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Link:
    """Items of one Qflow node's output reach another's input; `path` names the nodes that they pass."""

    source: str
    output: int
    target: str
    input: int
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wire:
    """One connection of the canvas, of n8n's kind "main"."""

    output: int
    target: str
    input: int


@dataclass
class Graph:
    nodes: dict[str, Node]
    wires: dict[str, list[Wire]] = field(default_factory=dict[str, list[Wire]])

    @classmethod
    def of(cls, workflow: Workflow) -> "Graph":
        nodes = {node.name: node for node in workflow.nodes}
        graph = cls(nodes)
        for name, kinds in workflow.connections.items():
            if name in nodes and isinstance(kinds, dict):
                graph.wires[name] = [wire for wire in _wires(kinds) if wire.target in nodes]
        return graph

    @property
    def qflow_nodes(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.is_qflow and not node.disabled]

    def links(self) -> list[Link]:
        """Every way from a Qflow node to the next ones, the shortest of each; loops end where they began."""
        return [link for node in self.qflow_nodes for link in self._links_from(node.name)]

    def _links_from(self, source: str) -> Iterator[Link]:
        waiting: deque[tuple[Wire, int, tuple[str, ...]]] = deque()
        waiting.extend((wire, wire.output, ()) for wire in self.wires.get(source, ()))
        seen: set[tuple[int, str, int]] = set()
        while waiting:
            wire, output, path = waiting.popleft()
            place = (output, wire.target, wire.input)
            if place in seen:
                continue
            seen.add(place)
            target = self.nodes[wire.target]
            if target.is_qflow and not target.disabled:
                yield Link(source, output, wire.target, wire.input, path)
            elif target.hands_on:
                further: tuple[str, ...] = (*path, wire.target)
                waiting.extend((onward, output, further) for onward in self.wires.get(wire.target, ()))


def _wires(kinds: Mapping[str, Any]) -> Iterator[Wire]:
    """The connections of the kind "main"; what has not n8n's form is left out, as n8n does."""
    for output, targets in enumerate(_a_list(kinds.get("main"))):
        for target in map(_a_dict, _a_list(targets)):
            node, index = target.get("node"), target.get("index", 0)
            if isinstance(node, str) and isinstance(index, int) and target.get("type", "main") == "main":
                yield Wire(output, node, index)
