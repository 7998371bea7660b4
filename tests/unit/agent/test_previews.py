"""What a reference tells of its object: little, quickly, whatever the object is."""

import pytest

from tests.unit.agent import guest

FILE = "preview_checks.py"


@pytest.mark.parametrize("python", guest.PYTHONS)
@pytest.mark.parametrize("name", guest.names_of(FILE))
def test_preview(name: str, python: str) -> None:
    """The check holds in every Python of this machine, with the packages that there are for it."""
    assert guest.results(FILE, python)[name] == ""
