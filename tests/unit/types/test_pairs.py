"""A table of types and verdicts, written by hand from typing's specification and the rules of links."""

from pathlib import Path

import pytest

from qflow_runner.types import judge, parse
from tests.unit.types.scope import SCOPE

VERDICTS = {"A": "assignable", "C": "convertible", "U": "unchecked", "X": "incompatible"}


def pairs() -> list[tuple[str, str, str]]:
    lines = (Path(__file__).parent / "pairs.txt").read_text().splitlines()
    rows = [line for line in lines if line and not line.startswith("#")]
    return [(VERDICTS[row[0]], *(each.strip() for each in row[2:].split("->"))) for row in rows]


def test_the_table_is_large_enough() -> None:
    """And says nothing twice."""
    found = pairs()

    assert len(found) >= 250
    assert len(found) == len({(source, target) for _, source, target in found})


@pytest.mark.parametrize(("verdict", "source", "target"), pairs())
def test_verdict(verdict: str, source: str, target: str) -> None:
    """Every pair has its verdict, every refusal a reason and a fix, everything but a plain fit a reason."""
    judgement = judge(parse(source, SCOPE), parse(target, SCOPE))

    assert verdict == judgement.verdict, judgement
    assert (judgement.reason == "") == (verdict == "assignable")
    assert (judgement.suggestion != "") == (verdict == "incompatible")
