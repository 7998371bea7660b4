"""Files on their way in: what an item's `binary` tells of, as a File."""

import base64
import binascii
from typing import Any, Dict, Optional, Sequence

from qflow import File, Image
from qflow_agent.exchange import Exchange, NotToBeHad
from qflow_agent.problem import Problem

Json = Dict[str, Any]


class Inbox:
    """The files of the items of one run."""

    def __init__(self, exchange: Optional[Exchange], binaries: Sequence[Any]) -> None:
        self._exchange = exchange
        self._binaries = binaries

    @property
    def items(self) -> int:
        """How many items there are, where any has files; else none."""
        return len(self._binaries)

    def of(self, number: int) -> Json:
        """What is told of an item's files, by their keys."""
        found = self._binaries[number] if number < len(self._binaries) else None
        return found if type(found) is dict else {}

    def file(self, key: str, told: Any, parameter: str) -> File:
        """Raises Problem (file_gone, argument_type)."""
        told = told if type(told) is dict else {}
        content, source, given = None, None, told.get("file")
        if type(given) is str and given:
            source = self._fetched(given, key, parameter)
        else:
            given = ""
            content = _decoded(told.get("data"))
        if content is None and source is None:
            raise Problem(
                "argument_type",
                "The file '%s' for the parameter '%s' came without a content that can be read."
                % (key, parameter),
                hint='A file has its content as "data" in base64, or as the id of an uploaded "file".',
                parameter=parameter,
            )
        mime = told.get("mimeType")
        cls = Image if type(mime) is str and mime.startswith("image/") else File
        name = told.get("fileName") or key
        return cls(name=name, mime=mime or "", content=content, source=source, given=given)

    def _fetched(self, given: str, key: str, parameter: str) -> str:
        reason = "There is no runner to ask for it."
        if self._exchange is not None:
            try:
                return self._exchange.fetch_file(given)
            except NotToBeHad as error:
                reason = str(error)
        raise Problem(
            "file_gone",
            "The file '%s' for the parameter '%s' is not to be had. %s" % (key, parameter, reason),
            hint="Run the workflow again from the node that made the file.",
            parameter=parameter,
        )


def _decoded(data: Any) -> Optional[bytes]:
    if type(data) is not str:
        return None
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        return None
