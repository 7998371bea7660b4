"""What a Qflow node asks the runner for: its definition, and its settings, as the node itself makes them."""

import re
from collections.abc import Mapping
from typing import Any

from qflow_runner.workflows.arguments import Unfollowed
from qflow_runner.workflows.expressions import Constant, is_expression, read
from qflow_runner.workflows.graph import Graph, Node
from qflow_runner.workflows.nodes import chosen
from qflow_runner.workflows.saved import named_by

PYTHON = "3.12"
TIMEOUT_S = 30
"""What a node asks for that says nothing."""

_OPTIONS = {
    "python": "python",
    "validation": "validation",
    "timeout": "timeout_s",
    "cache": "cache_ttl_s",
    "parallel": "parallel",
    "referenceScope": "reference_scope",
    "sharing": "sharing",
    "idempotent": "idempotent",
    "network": "egress",
    "memory": "memory_mb",
    "cpus": "cpus",
}


class NothingToRun(Exception):
    """A node has no code. The message is a sentence without its end."""


def definition_of(node: Node) -> dict[str, Any]:
    """The body of PUT /v1/definitions. Raises Unfollowed or NothingToRun."""
    parameters = node.parameters
    mode, output = str(parameters.get("mode") or "auto"), str(parameters.get("output") or "auto")
    function = "" if mode == "script" else chosen(node)
    said: dict[str, Any] = {"function": function} if function else {}
    requirements = _lines(_plain(node, "requirements", parameters.get("requirements")))
    if requirements:
        said["requirements"] = requirements
    options = _options(node)
    if parameters.get("source") == "saved":
        saved = named_by(node)
        if isinstance(saved, str):
            raise NothingToRun(f"'{node.name}' {saved}")
        name, version = saved
        # What the node leaves open is as it was saved.
        if mode != "auto":
            said["mode"] = mode
        if output != "auto":
            said["output"] = output
        return {"saved": {"name": name, **({"version": version} if version else {})}, **said, **options}
    code = parameters.get("code")
    if not isinstance(code, str) or not code.strip():
        raise NothingToRun(f"'{node.name}' has no Python code")
    return {
        "code": code,
        **said,
        "python": PYTHON,
        "mode": mode,
        "output": output,
        "validation": "strict",
        "timeout_s": TIMEOUT_S,
        **options,
    }


def uses_secrets(node: Node) -> bool:
    options = node.parameters.get("options")
    return isinstance(options, dict) and options.get("useSecrets") is True


def goes_on(node: Node) -> bool:
    """Whether a failure leaves the node as items."""
    if node.on_error:
        return node.on_error in {"continueRegularOutput", "continueErrorOutput"}
    return setting(node, "continueOnFail")


def setting(node: Node, name: str) -> bool:
    """One of n8n's own settings of a node."""
    return (node.model_extra or {}).get(name) is True


def feeds_only_qflow(graph: Graph, node: Node) -> bool:
    """Whether all that follows the node directly is Qflow nodes, and something does: they take references.

    n8n hands items through a disabled node, so what follows one counts in its place.
    """
    found: set[str] = set()
    active: list[Node] = []
    pending = [node.name]
    while pending:
        for wire in graph.wires.get(pending.pop(), ()):
            if wire.target in found:
                continue
            found.add(wire.target)
            child = graph.nodes[wire.target]
            if child.disabled:
                pending.append(child.name)
            else:
                active.append(child)
    return bool(active) and all(child.is_qflow for child in active)


def _options(node: Node) -> dict[str, Any]:
    given = node.parameters.get("options")
    options: Mapping[str, Any] = given if isinstance(given, dict) else {}
    said = {
        name: _plain(node, f"options.{option}", options[option])
        for option, name in _OPTIONS.items()
        if options.get(option) is not None
    }
    hosts = host_lines(said.pop("egress", None))
    return {**said, "egress": hosts} if hosts else said


def _plain(node: Node, parameter: str, value: object) -> Any:
    if not is_expression(value):
        return value
    found = read(str(value))
    if not isinstance(found, Constant):
        raise Unfollowed(node, parameter, value)
    return found.value


def host_lines(written: object) -> list[str]:
    """Text, or a list of it; a comma, a space or a line is between two hosts."""
    listed = written if isinstance(written, list) else [written or ""]
    return [host for text in listed for host in re.split(r"[\s,;]+", str(text)) if host]


def _lines(listed: object) -> list[str]:
    """One requirement a line, as in a requirements file."""
    lines = listed if isinstance(listed, list) else str(listed or "").split("\n")
    stripped = [str(line).strip() for line in lines]
    return [line for line in stripped if line and not line.startswith("#")]
