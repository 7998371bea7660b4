"""What is installed for a node's requirements, for analyses to look into. Nothing is resolved, and nothing built."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from qflow_runner.errors import QflowError
from qflow_runner.layers import Layer, Layers
from qflow_runner.workflows.check import FindPackages


def layer_for(layers: Layers, requirements: Sequence[str], python: str) -> Layer | None:
    """The layer that has them, if there is one. What is wrong with them is for the run to say."""
    try:
        return layers.current(requirements, python)
    except QflowError:
        return None


def finder(layers: Layers) -> FindPackages:
    """How the check of a workflow finds the packages of its nodes."""

    def find(requirements: Sequence[str], python: str) -> Path | None:
        layer = layer_for(layers, requirements, python)
        return layer.path if layer else None

    return find


def with_installed(form: dict[str, Any], layer: Layer | None) -> dict[str, Any]:
    """The answer of an analysis, each requirement with whether the layer has it; None without a layer."""
    names = {canonicalize_name(package.name) for package in layer.packages} if layer else None
    for each in form["requirements"]:
        each["installed"] = None if names is None else _name(each["requirement"]) in names
    return form


def _name(requirement: str) -> str:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""
