"""Small n8n workflows for the tests: Qflow nodes by name and code, and wires between names."""

from collections.abc import Mapping
from typing import Any

Wires = list[tuple[str, str] | tuple[str, str, int] | tuple[str, str, int, int]]


def qflow(code: str, **parameters: Any) -> dict[str, Any]:
    """A Qflow node; `args` maps parameters, `options` are those of the node."""
    args = parameters.pop("args", None)
    if args is not None:
        parameters["arguments"] = {"mappingMode": "defineBelow", "value": args}
    return {"type": "n8n-nodes-qflow.qflowPython", "parameters": {"code": code, **parameters}}


def other(kind: str, **parameters: Any) -> dict[str, Any]:
    """A node of n8n's own."""
    return {"type": f"n8n-nodes-base.{kind}", "parameters": parameters}


def workflow(nodes: Mapping[str, dict[str, Any]], *wires: tuple[Any, ...]) -> dict[str, Any]:
    """Wires are (from, to), (from, to, output) or (from, to, output, input)."""
    connections: dict[str, Any] = {}
    for source, target, *rest in wires:
        output, index = [*rest, 0, 0][:2]
        outputs = connections.setdefault(source, {"main": []})["main"]
        while len(outputs) <= output:
            outputs.append([])
        outputs[output].append({"node": target, "type": "main", "index": index})
    listed = [{"name": name, "id": f"id-{name}", "position": [0, 0], **node} for name, node in nodes.items()]
    return {"name": "Test", "nodes": listed, "connections": connections}
