"""A run's secrets are taken out of what it printed and of what it failed with."""

import pytest

from tests.unit.agent import guest

FILE = "masking_checks.py"


@pytest.mark.parametrize("python", guest.PYTHONS)
@pytest.mark.parametrize("name", guest.names_of(FILE))
def test_masking(name: str, python: str) -> None:
    """The check holds in every Python of this machine, with the packages that there are for it."""
    assert guest.results(FILE, python)[name] == ""
