"""The command `qflow`."""

import typer

from qflow_runner.cli import access, authoring, doctor, images, layers, run, saved, server
from qflow_runner.cli.terminal import complain
from qflow_runner.cli.told import sentence
from qflow_runner.errors import QflowError

app = typer.Typer(
    name="qflow",
    help="Real Python in n8n.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a plain traceback fits a log, and never shows what variables hold
)
app.command()(server.serve)
app.command()(server.worker)
app.command()(authoring.check)
app.command()(run.run)
app.command()(authoring.analyze)
app.command("n8n-files")(authoring.n8n_files)
app.command()(doctor.doctor)
app.command("settings")(server.show_settings)
app.command()(server.version)
app.add_typer(images.app, name="images")
app.add_typer(layers.app, name="layers")
app.add_typer(saved.app, name="definitions")
app.add_typer(access.tokens, name="token")
app.add_typer(access.audit, name="audit")
app.add_typer(access.keys, name="keys")


def main() -> None:
    try:
        app()
    except (QflowError, OSError) as error:
        complain(sentence(error))
        raise SystemExit(1) from None
