"""What people wrote is encrypted in the database: each text under the name of its place, so that none can be moved."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

import structlog

from qflow_runner.keys import Keys

log = structlog.get_logger()


def seal_json(keys: Keys, content: Mapping[str, Any], place: str) -> str:
    return keys.seal(json.dumps(content, separators=(",", ":")), place)


def open_json(keys: Keys, sealed: object, place: str) -> dict[str, Any] | None:
    """None where it cannot be read: it was altered or moved, or its key is gone."""
    text = open_text(keys, sealed, place)
    return None if text is None else cast("dict[str, Any]", json.loads(text))


def open_text(keys: Keys, sealed: object, place: str) -> str | None:
    text = keys.opened(sealed, place) if isinstance(sealed, str) else None
    if text is None:
        log.warning(
            "database.unreadable", place=place, hint="Its key is not one of the runner's, or it was altered."
        )
    return text


def of_definition(definition_id: str) -> str:
    return f"definition {definition_id}"


def of_version(saved_id: int, version: int, column: str) -> str:
    return f"saved {saved_id} {version} {column}"


def of_workflow(workflow: str) -> str:
    # As a hash: the name of a place is one line, and an id is whatever a caller says.
    return f"workflow {hashlib.sha256(workflow.encode()).hexdigest()}"


def of_run(run: str, column: str) -> str:
    return f"run {run} {column}"
