"""References: objects that stay in their session, and what the next node gets of them."""

import pytest

from tests.unit.agent import guest

FILE = "reference_checks.py"


@pytest.mark.parametrize("python", guest.PYTHONS)
@pytest.mark.parametrize("name", guest.names_of(FILE))
def test_reference(name: str, python: str) -> None:
    """The check holds in every Python of this machine, with the packages that there are for it."""
    assert guest.results(FILE, python)[name] == ""
