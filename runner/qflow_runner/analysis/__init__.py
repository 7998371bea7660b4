"""Static analysis of a node's code: what it defines, needs and gets wrong. The code is never executed."""

from qflow_runner.analysis.analyzer import Analyzer
from qflow_runner.analysis.form import to_json
from qflow_runner.analysis.infer import wanted as to_infer
from qflow_runner.analysis.model import Analysis, Finding, Function, Parameter, Requirement, Use
from qflow_runner.analysis.stdlib import is_standard

__all__ = [
    "Analysis",
    "Analyzer",
    "Finding",
    "Function",
    "Parameter",
    "Requirement",
    "Use",
    "is_standard",
    "to_infer",
    "to_json",
]
