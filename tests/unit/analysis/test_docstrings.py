"""What docstrings say of functions."""

import pytest

from tests.unit.analysis.reading import function_of

DOCSTRINGS = {
    "plain": ("Make an invoice.", "Make an invoice.", "", "", ""),
    "Google": (
        """Make an invoice.

    More of it.

    Args:
        order: The order,
            on two lines.
        vat (float): Rate.

    Returns:
        dict: The invoice.

    Raises:
        ValueError: If it is empty.
    """,
        "Make an invoice.\n\nMore of it.",
        "The order, on two lines.",
        "Rate.",
        "The invoice.",
    ),
    "NumPy": (
        """Make an invoice.

    Parameters
    ----------
    order : Order
        The order.
    vat : float, optional
        Rate.

    Returns
    -------
    dict
        The invoice.
    """,
        "Make an invoice.",
        "The order.",
        "Rate.",
        "The invoice.",
    ),
    "NumPy, two in one": (
        "Add.\n\n    Parameters\n    ----------\n    order, vat : int\n        Numbers.\n    ",
        "Add.",
        "Numbers.",
        "Numbers.",
        "",
    ),
    "reST": (
        """Make an invoice.

    :param order: The order.
    :param float vat: Rate.
    :returns: The invoice.
    :rtype: dict
    """,
        "Make an invoice.",
        "The order.",
        "Rate.",
        "The invoice.",
    ),
    "generator": ("Rows.\n\n    Yields:\n        int: A row.\n    ", "Rows.", "", "", "A row."),
    "nothing but a heading": ("Args:\n", "Args:", "", "", ""),
    "other colons": (
        "Note: a thing.\n    http://example.com: x",
        "Note: a thing.\nhttp://example.com: x",
        "",
        "",
        "",
    ),
}


@pytest.mark.parametrize(("text", "doc", "order", "vat", "returns"), DOCSTRINGS.values(), ids=DOCSTRINGS)
def test_docstring(text: str, doc: str, order: str, vat: str, returns: str) -> None:
    """Description, parameters and result are found in the three common styles; other text is a description."""
    function = function_of(f'def f(order, vat):\n    """{text}"""\n')

    assert (doc, returns) == (function.doc, function.returns_doc)
    assert [order, vat] == [parameter.doc for parameter in function.parameters]
