"""A file of an item, or one that the code made."""

import io
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Optional, Type, TypeVar, Union

from qflow import _names

if TYPE_CHECKING:
    from pathlib import Path

F = TypeVar("F", bound="File")


class File:
    """A name, a MIME type and a content. Give one back, alone or as a field of a dict, and n8n has it as a file.

    The content of a file that came with an item is read-only; large ones are not held in memory.
    """

    _default_name = "file"

    def __init__(
        self,
        *,
        name: str,
        mime: str = "",
        content: Optional[bytes] = None,
        source: Optional[str] = None,
        given: str = "",
    ) -> None:
        """Use `from_bytes`, `from_text` or `from_path`. `given` is the id under which the runner has the content."""
        self._content = content
        self.source: str = source or ""
        self.given = given
        head = self._head()
        name = _names.safe(name, self._default_name)
        self.mime: str = _names.clean_mime(mime) or _names.mime_of(name, head)
        self.name: str = _names.with_suffix(name, self.mime)
        self._path: Optional[str] = None

    @classmethod
    def from_bytes(
        cls: Type[F], content: Union[bytes, bytearray, memoryview], name: str = "", mime: str = ""
    ) -> F:
        """A file with this content. Without `mime` the name's extension tells, or the content."""
        return cls(name=name, mime=mime, content=bytes(content))

    @classmethod
    def from_text(
        cls: Type[F], text: str, name: str = "text.txt", mime: str = "", encoding: str = "utf-8"
    ) -> F:
        made = cls(name=name, mime=mime, content=text.encode(encoding))
        return made if made.mime != _names.UNKNOWN else made.renamed(name, "text/plain")

    @classmethod
    def from_path(cls: Type[F], path: "Union[str, os.PathLike[str]]", name: str = "", mime: str = "") -> F:
        """The file at `path`, which has to stay there. Raises ValueError where there is no such file."""
        source = os.path.abspath(os.fspath(path))
        refused = no_file(source)
        if refused:
            raise ValueError(refused)
        return cls(name=name or os.path.basename(source), mime=mime, source=source)

    def renamed(self: F, name: str, mime: str = "") -> F:  # noqa: PYI019 - Self came with Python 3.11
        """The same content under another name. Without `mime` the new name's extension tells, or else the old type."""
        told = mime or ("" if _names.split(name)[1] else self.mime)
        return type(self)(
            name=name, mime=told, content=self._content, source=self.source or None, given=self.given
        )

    @property
    def has_content(self) -> bool:
        """Whether the content is in memory, and not at `source`."""
        return self._content is not None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._content) if self._content is not None else os.stat(self.source).st_size

    @property
    def path(self) -> "Path":
        """Where a program can read the content, under the file's own name. Do not write to it."""
        from pathlib import Path

        if self._path is None:
            self._path = self._placed()
        return Path(self._path)

    def open(self) -> BinaryIO:
        """The content as a binary stream to read."""
        if self._content is not None:
            return io.BytesIO(self._content)
        return open(self.source, "rb")

    def read_bytes(self) -> bytes:
        if self._content is not None:
            return self._content
        with self.open() as stream:
            return stream.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return "%s(%r, %r, %d bytes)" % (type(self).__name__, self.name, self.mime, self.size)

    def __reduce__(self) -> Any:
        """Pickled with its content: the path is this session's own."""
        return _made, (type(self), self.name, self.mime, self.read_bytes())

    def _head(self) -> bytes:
        if self._content is not None:
            return self._content[: _names.HEAD]
        with open(self.source, "rb") as stream:
            return stream.read(_names.HEAD)

    def _placed(self) -> str:
        import tempfile

        path = os.path.join(tempfile.mkdtemp(prefix="qflow-file-"), self.name)
        if self._content is None:
            # A name of its own for what lies under an id; programs look at the extension.
            os.symlink(self.source, path)
        else:
            with open(path, "wb") as stream:
                stream.write(self._content)
            os.chmod(path, 0o400)
        return path


def no_file(path: str) -> str:
    """Why what is at `path` cannot be handed on as a file; empty where it can."""
    import stat

    shown = path if len(path) <= 120 else "…" + path[-119:]
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "there is no file '%s'" % shown
    except (OSError, ValueError) as error:
        return "'%s' cannot be read: %s" % (shown, getattr(error, "strerror", None) or error)
    if stat.S_ISDIR(mode):
        return "'%s' is a directory, and no file" % shown
    if not stat.S_ISREG(mode):
        return "'%s' is no regular file" % shown
    return "" if os.access(path, os.R_OK) else "'%s' may not be read" % shown


def _made(cls: Type[F], name: str, mime: str, content: bytes) -> F:
    return cls(name=name, mime=mime, content=content)


File.__module__ = "qflow"
