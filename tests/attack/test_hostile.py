"""Hostile code in a node: nothing outside of it changes, its caller hears the truth in time, and the next run works."""

import pytest

from qflow_runner.attack import HOSTILE, Case, Referee


@pytest.mark.parametrize("case", [pytest.param(each, id=f"{each.suite}: {each.name}") for each in HOSTILE])
async def test_hostile_code(case: Case, referee: Referee) -> None:
    """The case's verdict is pass; what went wrong is the message of the failure."""
    verdict = await referee.judge(case)

    assert verdict.verdict == "pass", verdict.detail
