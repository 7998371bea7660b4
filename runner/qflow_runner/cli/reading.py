"""What a command goes by: the settings, and the files that it is given."""

import os
import sys
from pathlib import Path

import structlog
from pydantic import ValidationError

from qflow_runner.cli.terminal import complain, refuse
from qflow_runner.settings import Settings
from qflow_runner.settings.unknown import unknown_settings

log = structlog.get_logger()


def read_settings(given: dict[str, object]) -> Settings:
    """The settings of the environment, and those given; a wrong one ends the command with its name."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False):
            name = "_".join(map(str, each["loc"]))
            complain(
                f"{f'QFLOW_{name.upper()}: ' if name else ''}{each['msg'].removeprefix('Value error, ')}"
            )
        raise SystemExit(2) from None


def tell_unknown() -> None:
    for name, hint in unknown_settings(os.environ).items():
        log.warning("setting.unknown", name=name, hint=hint)


def read_text(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except OSError as error:
        refuse(f"{path} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        refuse(f"{path} is not text in UTF-8.")
