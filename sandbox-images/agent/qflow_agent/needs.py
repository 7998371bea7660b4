"""Parameters that an item's JSON does not fill, or not alone: files, the context, secrets. Known by their annotation."""

import io
import typing
from collections import abc
from typing import Any, Callable, Dict, NamedTuple, Optional

from qflow import Context, File, Image, Secret
from qflow_agent.annotations import UNKNOWN, Scope, resolve
from qflow_agent.tables import name_of

ONE, LIST, DICT = "one", "list", "dict"
_STREAMS = (io.BytesIO, io.IOBase, io.BufferedIOBase, io.RawIOBase, io.BufferedReader)
_LISTS: Dict[Any, Callable[[Any], Any]] = {
    list: list,
    tuple: tuple,
    abc.Sequence: list,
    abc.Iterable: list,
    abc.Collection: list,
    abc.MutableSequence: list,
    abc.Iterator: iter,
}


class Need(NamedTuple):
    """What a parameter wants beside JSON."""

    role: str
    """``context``, ``secret`` or ``file``."""
    make: Callable[[File], Any] = lambda file: file
    """What becomes of a file; raises ValueError with a sentence."""
    only: bool = True
    """Whether nothing but this will do, so that no field of the node and no value of an item is meant for it."""
    claims: bool = True
    """Whether it takes a file that does not have its name."""
    shape: str = ONE
    gather: Callable[[Any], Any] = list
    optional: bool = False


BY_NAME = Need("file", only=False, claims=False)
"""Of a parameter without an annotation: a file, if one has its name."""


def need_of(annotation: Any, scope: Scope) -> Optional[Need]:
    """None where the parameter is an ordinary one."""
    try:
        return _need(resolve(annotation, scope), scope)
    except Exception:
        return None  # an annotation may be any object at all, and raise when it is looked at


def _need(meant: Any, scope: Scope) -> Optional[Need]:
    if meant is UNKNOWN:
        return None
    origin, arguments = typing.get_origin(meant), typing.get_args(meant)
    if origin is typing.Union or getattr(origin, "__name__", "") == "UnionType":
        return _of_union([resolve(member, scope) for member in arguments], scope)
    if origin in _LISTS and arguments and (origin is not tuple or arguments[1:] == (Ellipsis,)):
        need = _need(resolve(arguments[0], scope), scope)
        if need is None or need.role != "file" or need.shape != ONE:
            return None
        return need._replace(shape=LIST, gather=_LISTS[origin], optional=False)
    if origin in (dict, abc.Mapping) and len(arguments) == 2:
        need = _need(resolve(arguments[1], scope), scope)
        fits = need is not None and need.role == "file" and need.shape == ONE and need.only
        return need._replace(shape=DICT, optional=False) if need is not None and fits else None
    if meant is Context or meant is Secret:
        return Need("context" if meant is Context else "secret")
    if meant is typing.BinaryIO or (origin is typing.IO and arguments == (bytes,)) or meant in _STREAMS:
        return Need(
            "file", lambda file: io.BytesIO(file.read_bytes()) if meant is io.BytesIO else file.open()
        )
    return _of_class(meant) if isinstance(meant, type) else None


def _of_union(members: "list[Any]", scope: Scope) -> Optional[Need]:
    """Of ``File | None`` the file; of ``File | Image`` the first; of ``File | str`` either, the file if there is one."""
    real = [member for member in members if member is not type(None)]
    needs = [_need(member, scope) for member in real]
    found = next((need for need in needs if need is not None), None)
    if found is None:
        return None
    return found._replace(
        only=found.only and None not in needs,
        optional=found.optional or len(real) < len(members),
    )


def _of_class(cls: type) -> Optional[Need]:
    if cls is File:
        return Need("file")
    if cls is Image:
        return Need("file", as_image)
    names = [name_of(base) for base in cls.__mro__]
    if names[0] == "PIL.Image" or "PIL.Image" in names:
        return Need("file", _as_pillow)
    if cls in (bytes, bytearray):
        return Need("file", lambda file: cls(file.read_bytes()), only=False)
    if "pathlib.Path" in names:
        return Need("file", lambda file: file.path, only=False)
    return None


def as_image(file: File) -> Image:
    if isinstance(file, Image):
        return file
    content = file.read_bytes() if file.has_content else None
    return Image(
        name=file.name, mime=file.mime, content=content, source=file.source or None, given=file.given
    )


def _as_pillow(file: File) -> Any:
    return as_image(file).to_pil()
