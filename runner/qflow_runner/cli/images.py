"""`qflow images`: the sandbox images of this machine."""

from typing import Annotated

import typer

from qflow_runner.cli.terminal import show, table

app = typer.Typer(help="The sandbox images.", no_args_is_help=True)


@app.command("build")
def images_build(
    python: Annotated[
        list[str] | None, typer.Option(help="Version to build; may be repeated; all when absent")
    ] = None,
    base: Annotated[
        str, typer.Option(help="Where python:X-slim-bookworm comes from: auto, pull or local")
    ] = "auto",
) -> None:
    """Build the sandbox images that this version of Qflow wants. Quick for those that exist."""
    from qflow_runner.sandbox import images

    for name in images.build_images(python or list(images.SUPPORTED), base, print):
        print(name)


@app.command("list")
def images_list() -> None:
    """Which Python versions this machine has images for."""
    from qflow_runner.sandbox import images

    shown = table("Python", "Image", "Built", "Support")
    for row in images.list_images():
        shown.add_row(*row)
    show(shown, "There are no images yet: `qflow images build` makes them.")
