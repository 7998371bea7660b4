"""Installed packages: from requirement lines to a lock, and from a lock to a directory that sandboxes read."""

from qflow_runner.layers.compiling import compile_command, compile_here
from qflow_runner.layers.layers import Layers
from qflow_runner.layers.lines import read_lines
from qflow_runner.layers.model import (
    BuildProgress,
    Compile,
    Confine,
    Confined,
    Ended,
    Layer,
    LayerInfo,
    Lock,
    LockChange,
    Package,
)

__all__ = [
    "BuildProgress",
    "Compile",
    "Confine",
    "Confined",
    "Ended",
    "Layer",
    "LayerInfo",
    "Layers",
    "Lock",
    "LockChange",
    "Package",
    "compile_command",
    "compile_here",
    "read_lines",
]
