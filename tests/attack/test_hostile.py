"""Hostile code in a node: nothing outside of it changes, its caller hears the truth in time, and the next run works."""

import pytest
from _pytest.mark import ParameterSet

from qflow_runner.attack import HOSTILE, Case, Referee


def _parameter(case: Case) -> ParameterSet:
    """A known limit must go on failing, or the security model is out of date."""
    marks = [pytest.mark.xfail(reason=case.known, strict=True)] if case.known else []
    return pytest.param(case, id=f"{case.suite}: {case.name}", marks=marks)


@pytest.mark.parametrize("case", [_parameter(each) for each in HOSTILE])
async def test_hostile_code(case: Case, referee: Referee) -> None:
    """The case's verdict is pass; what went wrong is the message of the failure."""
    verdict = await referee.judge(case)

    assert verdict.verdict == "pass", verdict.detail
