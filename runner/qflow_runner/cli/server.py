"""`qflow serve`, and what there is to know about it."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.table import Column

from qflow_runner import __version__
from qflow_runner.cli.reading import read_settings, tell_unknown
from qflow_runner.cli.terminal import Terminal, complain, table
from qflow_runner.cli.told import sentence
from qflow_runner.errors import QflowError
from qflow_runner.identity import DataDir
from qflow_runner.observe import logs
from qflow_runner.settings import Settings

if TYPE_CHECKING:
    from qflow_runner.api.state import State

log = structlog.get_logger()

Backends = Annotated[str | None, typer.Option(help="docker, or process (development only: no boundary)")]


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on")] = None,
    backend: Backends = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the runner keeps its token")] = None,
    engine: Annotated[
        str | None, typer.Option(help="embedded, or celery: runs are made by the workers of a cluster")
    ] = None,
) -> None:
    """Run the runner until it is stopped. Every setting can also be given as QFLOW_<NAME>; see `qflow settings`."""
    _start({"host": host, "port": port, "backend": backend, "data_dir": data_dir, "engine": engine})


def worker(
    host: Annotated[str | None, typer.Option(help="Address for /readyz and /metrics")] = None,
    port: Annotated[int | None, typer.Option(help="Port for /readyz and /metrics")] = None,
    backend: Backends = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where this worker keeps what is its own")] = None,
) -> None:
    """Make the runs of a cluster, which `qflow serve --engine celery` hands out, until it is stopped."""
    given = {"host": host, "port": port, "backend": backend, "data_dir": data_dir, "engine": "celery"}
    _start(given, worker=True)


def _start(given: Mapping[str, object], *, worker: bool = False) -> None:
    from qflow_runner.api.parts import build_state
    from qflow_runner.sandbox.choose import choose_backend
    from qflow_runner.sandbox.images import SUPPORTED

    settings = read_settings({name: value for name, value in given.items() if value is not None})
    logs.configure(settings.log_format, settings.log_level)
    with _failure_in_log(settings):
        tell_unknown()
        directory = DataDir(settings)
        token, is_new = directory.token()
        if is_new and not worker:
            complain(f"Your token, shown this once (kept in {settings.data_dir}/token): {token}")
        identity = directory.identity()
        backend = choose_backend(settings, identity)
        state = build_state(settings, token, identity, backend, SUPPORTED, worker=worker)
        asyncio.run(_served(state, identity if worker else ""))


@contextmanager
def _failure_in_log(settings: Settings) -> Generator[None]:
    """Where programs read the log, what ends the process is an event of it; else it is a sentence at the end."""
    try:
        yield
    except (QflowError, OSError) as error:
        if settings.log_format != "json":
            raise
        log.error("runner.failed", reason=sentence(error))  # noqa: TRY400 - it says what to do, a traceback does not
        raise SystemExit(1) from None


async def _served(state: "State", worker: str = "") -> None:
    """`worker` is its identity, where it makes the runs of a cluster."""
    from qflow_runner.api import server, starting

    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    listening.add_done_callback(lambda _: starting.settle_memory())
    if not worker:
        await server.serve(state, listening)
        return
    from qflow_runner.api.joining import build_worker

    await server.serve(state, listening, build_worker(state, worker))


def show_settings() -> None:
    """Every setting with its default, unit and meaning."""
    shown = table(Column("Variable", no_wrap=True), "Default", Column("What it is for", ratio=1))
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = field.get_default(call_default_factory=True, validated_data={})
        text = f"{field.description} ({extra['unit']})"
        shown.add_row(f"QFLOW_{name.upper()}", "" if default is None else str(default), text)
    Terminal().print(shown)


def version() -> None:
    """The version."""
    print(__version__)
