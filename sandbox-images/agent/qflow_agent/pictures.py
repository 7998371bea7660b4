"""Pictures and figures as files. Their packages are imported already where there is one of their objects."""

import io
import sys
from typing import Any

from qflow import File, Image


def of_pillow(picture: Any, name: str) -> File:
    return Image.from_pil(picture, name)


def of_matplotlib(shown: Any, name: str) -> File:
    """A PNG of a figure, or of the figure that axes stand in. pyplot lets go of it: it would keep every figure there is."""
    figure = shown
    for _ in range(5):  # axes lead to their figure, a subfigure to the one around it
        if hasattr(figure, "savefig") or getattr(figure, "figure", None) is None:
            break
        figure = figure.figure
    if not hasattr(figure, "savefig"):
        raise ValueError("the axes belong to no figure any more")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(getattr(figure, "figure", None) or figure)
    return Image.from_bytes(stream.getvalue(), name, "image/png")


def of_plotly(figure: Any, name: str) -> File:
    """A PNG where kaleido is there and works, else a page that draws it."""
    from importlib.util import find_spec

    if find_spec("kaleido") is not None:
        try:
            return Image.from_bytes(figure.to_image(format="png"), name, "image/png")
        except (ValueError, RuntimeError, OSError):
            pass  # it needs a browser, which a sandbox may not have
    page = figure.to_html(include_plotlyjs="cdn", full_html=True)
    return File.from_text(page, name, "text/html")
