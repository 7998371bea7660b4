"""What a Qflow node of a workflow takes and gives, as its parameters and its code say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qflow_runner import types
from qflow_runner.analysis import Analysis, Function
from qflow_runner.workflows.graph import Node


@dataclass(frozen=True)
class Port:
    """A Qflow node, ready to be judged. `function` is None for a script and for code without one to call.

    `missing` says why there is no code, where the node names a saved definition that cannot be had.
    """

    node: Node
    analysis: Analysis
    function: Function | None
    missing: str = ""

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.node.parameters

    @property
    def mode(self) -> str:
        return str(self.parameters.get("mode", "auto"))

    @property
    def validation(self) -> str:
        return str(_options(self.node).get("validation", "strict"))

    @property
    def mapped(self) -> Mapping[str, Any]:
        """The arguments that the node gives by itself; an empty field gives none."""
        arguments = self.parameters.get("arguments")
        if not isinstance(arguments, dict) or arguments.get("mappingMode", "defineBelow") != "defineBelow":
            return {}
        value = arguments.get("value")
        if not isinstance(value, dict):
            return {}
        return {name: each for name, each in value.items() if each is not None and each != ""}

    @property
    def gives(self) -> types.Type:
        """The type of one value that leaves the node: an element of what many become, else the result itself."""
        if self.function is None:
            return types.parse("")
        returned = types.parse(self.function.returns, self.analysis.scope)
        return types.gives(returned) or returned


def code_of(node: Node) -> tuple[str, str]:
    """The code, and the Python version that it is for ("" where the node names none)."""
    return str(node.parameters.get("code", "")), str(_options(node).get("python", ""))


def requirements_of(node: Node) -> tuple[str, ...]:
    """What the node lists, as text or as lines; an expression is for the run to say."""
    listed = node.parameters.get("requirements")
    lines = listed if isinstance(listed, list) else [listed]
    return tuple(
        line for line in lines if isinstance(line, str) and line.strip() and not line.startswith("=")
    )


def port_of(node: Node, analysis: Analysis, missing: str = "") -> Port:
    if missing:
        return Port(node, analysis, None, missing)
    if analysis.script or node.parameters.get("mode") == "script":
        return Port(node, analysis, None)
    name = chosen(node) or analysis.entry
    return Port(node, analysis, next((each for each in analysis.functions if each.name == name), None))


def chosen(node: Node) -> str:
    """The name of the function that the node calls; the parameter may hold a whole signature."""
    return str(node.parameters.get("function", "")).partition("(")[0].strip()


def _options(node: Node) -> Mapping[str, Any]:
    options = node.parameters.get("options")
    return options if isinstance(options, dict) else {}
