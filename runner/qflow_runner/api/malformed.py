"""Requests that are no HTTP, and bodies that are not what was announced: their sender is told, and nobody else."""

import logging

from aiohttp import web
from aiohttp.http import HttpProcessingError

BROKEN = (HttpProcessingError, web.RequestPayloadError)
"""What aiohttp raises for them, in a handler where it is the body."""


class _Quiet(logging.Filter):
    """aiohttp tells each as an error with its traceback: whoever looks for open ports would fill the log with them."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, BROKEN)


def server_log() -> logging.Logger:
    """What aiohttp's server says, without those."""
    logger = logging.getLogger("aiohttp.server")
    if not any(isinstance(each, _Quiet) for each in logger.filters):
        logger.addFilter(_Quiet())
    return logger
