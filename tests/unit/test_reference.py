"""The reference pages say what the code says."""

import pytest

from lab.reference import FOLDER, pages


@pytest.mark.parametrize("name", list(pages()))
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    """`make reference` writes it anew."""
    assert (FOLDER / name).read_text() == pages()[name]
