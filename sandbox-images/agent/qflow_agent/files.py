"""Files on their way out: what the code returned as a file, as the `binary` of an n8n item."""

import base64
import enum
import os
import re
from typing import Any, Callable, Dict, Optional, Tuple

from qflow import File
from qflow_agent import codec
from qflow_agent.exchange import Exchange
from qflow_agent.tables import name_of

INLINE = 64 * 1024
"""Bytes up to which a content stands in the item itself."""

KEY = "data"
"""n8n's own name for the only file of an item."""

Json = Dict[str, Any]
Maker = Callable[[Any, str], File]

_MAKERS: Dict[type, Optional[Maker]] = {}


def maker_of(cls: type) -> Optional[Maker]:
    """What makes a file of an object of this class; None where it is not meant as one."""
    try:
        return _MAKERS[cls]
    except KeyError:
        names = [] if issubclass(cls, enum.Enum) else map(name_of, cls.__mro__)
        found = _MAKERS[cls] = next((_BY_NAME[name] for name in names if name in _BY_NAME), None)
        return found


def is_file(value: Any) -> bool:
    return maker_of(type(value)) is not None


class Outbox:
    """Hands files over while one run's items are written. `added` are those that the code gave beside its result."""

    def __init__(self, exchange: Optional[Exchange] = None) -> None:
        self._exchange = exchange
        self.added: Dict[str, Json] = {}

    def add(self, name: str, content: Any, mime: str = "") -> None:
        """`Context.files.add`. Raises ValueError."""
        if not isinstance(name, str):
            raise TypeError("the name of a file is text")
        made = File.from_text(content, name) if isinstance(content, str) else file_of(content, name)
        named = made.renamed(name, mime)
        self.added[free_key(key_of(named.name), self.added)] = self.document(named)

    def take(self) -> Dict[str, Json]:
        added, self.added = self.added, {}
        return added

    def split(self, fields: Json) -> Tuple[Json, Dict[str, Json]]:
        """An item's fields without those that are files, and these. Raises ValueError."""
        binary: Dict[str, Json] = {}
        rest: Json = {}
        for key, value in fields.items():
            if type(key) is str and is_file(value):
                binary[free_key(key, binary)] = self._document_of(value, key)
            elif type(key) is str and _all_files(value):
                for index, each in enumerate(value):
                    name = "%s_%d" % (key, index)
                    binary[free_key(name, binary)] = self._document_of(each, name)
            else:
                rest[key] = value
        return rest, binary

    def single(self, value: Any) -> Dict[str, Json]:
        """The `binary` of an item that is nothing but a file. Raises ValueError."""
        return {KEY: self._document_of(value, KEY)}

    def item(self, item: Json) -> Json:
        """What has the form of an n8n item, with the files in it handed over. Raises ValueError."""
        binary = item.get("binary")
        given = dict(binary) if isinstance(binary, dict) else {}
        found = {
            key: self._document_of(value, str(key)) if is_file(value) else value
            for key, value in given.items()
        }
        fields, moved = self.split(item["json"])
        for key, document in moved.items():
            found[free_key(key, found)] = document
        return {**item, "json": fields, "binary": found} if found else {**item, "json": fields}

    def document(self, file: File) -> Json:
        """What n8n keeps of a file."""
        size = file.size
        told: Json = {"mimeType": file.mime, "fileName": file.name, "fileSize": size}
        if size <= INLINE or self._exchange is None:
            told["data"] = base64.b64encode(file.read_bytes()).decode()
        elif file.given:
            told["file"] = file.given
        else:
            source = file.read_bytes() if file.has_content else file.source
            told["file"] = self._exchange.give_file(source, file.name, file.mime)
        return told

    def _document_of(self, value: Any, key: str) -> Json:
        return self.document(file_of(value, key))


def with_binary(part: bytes, binary: Dict[str, Json]) -> bytes:
    """An item's JSON with files added to it."""
    if not binary:
        return part
    item = codec.loads(part)
    found = item.setdefault("binary", {})
    for key, document in binary.items():
        found[free_key(key, found)] = document
    return codec.dumps(item)


def key_of(name: str) -> str:
    """The name of a file as an expression of n8n can write it: ``report.pdf`` is ``report``."""
    stem = name.rpartition(".")[0] or name
    return re.sub(r"\W+", "_", stem).strip("_") or KEY


def free_key(key: str, taken: Json) -> str:
    found, number = key, 2
    while found in taken:
        found = "%s_%d" % (key, number)
        number += 1
    return found


def file_of(value: Any, name: str) -> File:
    """Raises ValueError where `value` is no file, or cannot become one."""
    maker = maker_of(type(value))
    if maker is None:
        raise ValueError(
            "a %s is no file: give bytes, text, a Path, a File, a picture or a figure" % type(value).__name__
        )
    return maker(value, name)


def _all_files(value: Any) -> bool:
    return (
        (type(value) is list or type(value) is tuple) and bool(value) and all(is_file(each) for each in value)
    )


def _of_path(path: Any, _name: str) -> File:
    try:
        return File.from_path(path)
    except ValueError as error:
        raise ValueError("%s; str(path) gives the path as text" % error) from None


def _of_buffer(buffer: Any, name: str) -> File:
    """All that was written to it, wherever it stands now."""
    return _of_content(buffer.getvalue(), name)


def _of_stream(stream: Any, name: str) -> File:
    """The file behind it, with what was written so far, also where it is closed again; else what is left to read."""
    if not stream.closed and stream.writable():
        stream.flush()
    path = getattr(stream, "name", None)
    if isinstance(path, (str, bytes)) and os.path.isfile(path):
        return _of_path(os.fsdecode(path), name)
    if stream.closed or not stream.readable():
        raise ValueError(
            "there is no file behind it, and nothing to read from it: return the content, or a File"
        )
    return _of_content(stream.read(), name)


def _of_content(content: Any, name: str) -> File:
    return File.from_text(content, name) if isinstance(content, str) else File.from_bytes(content, name)


def _picture(name: str) -> Maker:
    def make(value: Any, key: str) -> File:
        from qflow_agent import pictures

        return getattr(pictures, name)(value, key)

    return make


_BY_NAME: Dict[str, Maker] = {
    "qflow.File": lambda file, _name: file,
    "builtins.bytes": _of_content,
    "builtins.bytearray": _of_content,
    "builtins.memoryview": _of_content,
    "pathlib.Path": _of_path,
    "_io.BytesIO": _of_buffer,
    "_io.StringIO": _of_buffer,
    "_io._BufferedIOBase": _of_stream,
    "_io.TextIOWrapper": _of_stream,
    "_io.FileIO": _of_stream,
    "tempfile._TemporaryFileWrapper": _of_stream,
    "PIL.Image": _picture("of_pillow"),
    "matplotlib.Figure": _picture("of_matplotlib"),
    "matplotlib.SubFigure": _picture("of_matplotlib"),
    "matplotlib.Axes": _picture("of_matplotlib"),
    "matplotlib._AxesBase": _picture("of_matplotlib"),
    "seaborn.Grid": _picture("of_matplotlib"),
    "plotly.BaseFigure": _picture("of_plotly"),
}
