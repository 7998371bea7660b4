"""The card of all attacks, faults and API cases: build/attack.json, and a table at the end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console

from qflow_runner.attack import Referee, Verdict, card, under_attack
from qflow_runner.settings import Settings

CARD = Path("build/attack.json")
FOLDERS = {"tests/attack/test_hostile.py": "hostile code", "tests/attack/": "API", "tests/faults/": "faults"}


@pytest.fixture(scope="session")
async def referee() -> AsyncIterator[Referee]:
    """One runner with real Docker and a victim that holds a secret, for every hostile case."""
    async with under_attack(Settings()) as target:
        referee = Referee(target)
        await referee.prepare()
        yield referee


class Card:
    """Makes a row of every report. A case that was skipped was not passed."""

    def __init__(self) -> None:
        self.rows: dict[str, Verdict] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        folder = next((name for name in FOLDERS if report.nodeid.startswith(name)), None)
        bad = report.failed or report.skipped
        if folder is None or not (bad or report.when == "call"):
            return
        suite, name = FOLDERS[folder], report.nodeid.partition("::")[2]
        case = name.partition("[")[2].rstrip("]") or name.removeprefix("test_").replace("_", " ")
        detail = _message(report) if bad else "no effect, right category, next run works"
        if self.rows.get(report.nodeid, Verdict("", "", "pass", "")).verdict == "pass":
            self.rows[report.nodeid] = Verdict(suite, case, "fail" if bad else "pass", detail)

    def pytest_terminal_summary(self) -> None:
        if self.rows:
            card.write(self.rows.values(), CARD)
            card.show(list(self.rows.values()), Console())


def _message(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).strip().removeprefix("AssertionError: ")[:500]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Card(), "attack-card")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.docker)
