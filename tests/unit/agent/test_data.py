"""What becomes of tables, arrays, files and pictures on their way in and out, and what the context gives."""

import pytest

from tests.unit.agent import guest

FILE = "data_checks.py"


@pytest.mark.parametrize("python", guest.PYTHONS)
@pytest.mark.parametrize("name", guest.names_of(FILE))
def test_data(name: str, python: str) -> None:
    """The check holds in every Python of this machine, with the packages that there are for it."""
    assert guest.results(FILE, python)[name] == ""
