"""Items that are shared out to forked processes, and what becomes of them however a process ends."""

import pytest

from tests.unit.agent import guest

FILE = "parallel_checks.py"


@pytest.mark.parametrize("python", guest.PYTHONS)
@pytest.mark.parametrize("name", guest.names_of(FILE))
def test_parallel(name: str, python: str) -> None:
    """The check holds in every Python of this machine, with the packages that there are for it."""
    assert guest.results(FILE, python)[name] == ""
