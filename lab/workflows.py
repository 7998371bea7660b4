"""n8n workflows as data: the examples, and small ones built for a test."""

import copy
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

from lab.cache import ROOT

EXAMPLES = ROOT / "examples"
CREDENTIAL_TYPE = "qflowApi"
QFLOW_NODE = "n8n-nodes-qflow.qflowPython"
QFLOW_TOOL = f"{QFLOW_NODE}Tool"
"""What n8n makes of the node for its AI agents."""
WEBHOOK = "n8n-nodes-base.webhook"

Workflow = dict[str, Any]
Node = dict[str, Any]


def example(name: str) -> Workflow:
    """An example as it is in examples/NAME.json."""
    return load(EXAMPLES / f"{name}.json")


def load(path: Path) -> Workflow:
    """A workflow from a file that n8n exported, or that is written like one."""
    return json.loads(path.read_text())


def with_credential(workflow: Workflow, credential: Mapping[str, str]) -> Workflow:
    """A copy in which every Qflow node uses `credential` ({"id", "name"}), as after a choice in the editor."""
    result = copy.deepcopy(workflow)
    for node in result["nodes"]:
        if node["type"] in {QFLOW_NODE, QFLOW_TOOL}:
            node["credentials"] = {**node.get("credentials", {}), CREDENTIAL_TYPE: dict(credential)}
    return result


def with_new_hooks(workflow: Workflow) -> Workflow:
    """A copy whose webhooks have paths of their own, so that one n8n can hold it several times."""
    result = copy.deepcopy(workflow)
    for node in result["nodes"]:
        if node["type"] == WEBHOOK:
            node["parameters"]["path"] = f"{node['parameters']['path']}-{uuid4().hex[:8]}"
            node["webhookId"] = str(uuid4())
    return result


def webhooks(workflow: Workflow) -> list[tuple[str, str]]:
    """Path below /webhook/ and HTTP method of each of its webhooks."""
    found = [one["parameters"] for one in workflow["nodes"] if one["type"] == WEBHOOK]
    return [(parameters["path"], parameters.get("httpMethod", "GET")) for parameters in found]


def node(
    name: str, kind: str, parameters: Mapping[str, Any] | None = None, *, version: float = 1, **settings: Any
) -> Node:
    """One node; `kind` without a dot is one of n8n's own."""
    full = kind if "." in kind else f"n8n-nodes-base.{kind}"
    return {
        "id": str(uuid4()),
        "name": name,
        "type": full,
        "typeVersion": version,
        "position": [0, 0],
        "parameters": dict(parameters or {}),
        **settings,
    }


def qflow(name: str, code: str, arguments: Mapping[str, Any] | None = None, **settings: Any) -> Node:
    """A Qflow node; `arguments` are values or expressions by parameter of the function."""
    parameters: dict[str, Any] = {"code": dedent(code).lstrip()}
    if arguments:
        parameters["arguments"] = {"mappingMode": "defineBelow", "value": dict(arguments), "schema": []}
    return node(name, QFLOW_NODE, parameters, **settings)


def chain(name: str, nodes: Sequence[Node], **settings: Any) -> Workflow:
    """A workflow of nodes that feed each other in order."""
    placed = [{**one, "position": [220 * index, 0]} for index, one in enumerate(nodes)]
    connections = {
        first["name"]: {"main": [[{"node": second["name"], "type": "main", "index": 0}]]}
        for first, second in pairwise(placed)
    }
    return {"name": name, "nodes": placed, "connections": connections, "settings": settings, "pinData": {}}


def graph(name: str, nodes: Sequence[Node], links: Sequence[tuple[str, str]], **settings: Any) -> Workflow:
    """A workflow of nodes with these links. `Name:1` in a link is the second output, or input, of a node."""
    connections: dict[str, dict[str, list[list[dict[str, Any]]]]] = {}
    for first, second in links:
        source, _, output = first.partition(":")
        target, _, entry = second.partition(":")
        outputs = connections.setdefault(source, {"main": []})["main"]
        outputs.extend([] for _ in range(int(output or 0) + 1 - len(outputs)))
        outputs[int(output or 0)].append({"node": target, "type": "main", "index": int(entry or 0)})
    return {**chain(name, nodes, **settings), "connections": connections}


def pinned(workflow: Workflow, name: str, items: Sequence[Mapping[str, Any]]) -> Workflow:
    """A copy in which the node `name` yields `items` (their JSON) in manual runs, without being run."""
    result = copy.deepcopy(workflow)
    result["pinData"] = {**result.get("pinData", {}), name: [{"json": dict(item)} for item in items]}
    return result
