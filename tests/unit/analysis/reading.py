"""Short ways to read code in the tests' own process."""

from textwrap import dedent

from qflow_runner.analysis.model import Analysis, Function
from qflow_runner.analysis.reading import read


def analysis_of(code: str, python: str = "3.12") -> Analysis:
    reading = read(dedent(code), python)
    assert reading.parsed, reading.analysis.findings
    return reading.analysis


def function_of(code: str, python: str = "3.12") -> Function:
    (function,) = analysis_of(code, python).functions
    return function


def codes(analysis: Analysis) -> list[str]:
    return [finding.code for finding in analysis.findings]
