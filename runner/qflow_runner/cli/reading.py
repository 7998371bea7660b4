"""The settings that a command goes by."""

import os
import sys

import structlog
from pydantic import ValidationError

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
            print(
                f"{f'QFLOW_{name.upper()}: ' if name else ''}{each['msg'].removeprefix('Value error, ')}",
                file=sys.stderr,
            )
        raise SystemExit(2) from None


def tell_unknown() -> None:
    for name, hint in unknown_settings(os.environ).items():
        log.warning("setting.unknown", name=name, hint=hint)
