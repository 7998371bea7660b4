"""Contents as objects of a bucket, with any store that speaks the S3 protocol and holds to its conditional writes."""

import errno
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from qflow_runner.blobs.model import Blob, Buffer, Held

if TYPE_CHECKING:
    from obstore.store import S3Store

Result = TypeVar("Result")

PIECE = 1024 * 1024
IN_MEMORY = PIECE
"""Bytes of what is being written that wait in memory; more wait in a file."""

UPLOADS = 4
"""Parts of one object that are sent at once."""

_CONNECT_S = 5
_SILENT_S = 10
"""How long the store may say nothing; a large object may take as long as it goes on coming."""

_WHOLE_S = 3600
_RETRY_S = 20

_NO_BUCKET = "NoSuchBucket"
_TOLD = re.compile(r"<Code>([^<]{1,100})</Code>(?:.*?<Message>([^<]{1,300})</Message>)?", re.DOTALL)
_CAUSES = {
    "PermissionDeniedError": "it does not let the runner in",
    "UnauthenticatedError": "it does not know the runner's credentials",
}


class BucketFailed(OSError):
    """`strerror` says which bucket, and what it did."""


class BucketBlobs:
    near = False

    def __init__(self, url: str, spool: Path) -> None:
        """`url` as in `s3://bucket/folder`; the rest is in the environment, as AWS names it. What waits to be sent lies in `spool`."""
        self._url = url
        self._spool = spool
        self._client: S3Store | None = None

    def within(self, folder: str) -> "BucketBlobs":
        return BucketBlobs(f"{self._url.rstrip('/')}/{folder}", self._spool)

    def prepare(self) -> None:
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self, name: str) -> Held | None:
        def get() -> Held:
            found = self._store.get(name)
            return Held(bytes(found.bytes()), _stamp(found.meta))

        return self._there(get)

    def stamp(self, name: str) -> str | None:
        return self._there(lambda: _stamp(self._store.head(name)))

    def about(self, name: str) -> Blob | None:
        return self._there(lambda: _blob(self._store.head(name)))

    def list(self, folder: str = "", *, deep: bool = False) -> list[Blob]:
        def look() -> list[Blob]:
            if not deep:
                return [_blob(each) for each in self._store.list_with_delimiter(folder or None)["objects"]]
            return [_blob(each) for page in self._store.list(folder or None) for each in page]

        return self._asked(look)

    def write(self, name: str, content: Buffer) -> None:
        self._asked(lambda: self._store.put(name, bytes(content), use_multipart=False))

    def replace(self, name: str, content: bytes, stamp: str | None) -> str | None:
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415 - it is optional

        def put() -> str | None:
            try:
                written = self._store.put(
                    name, content, use_multipart=False, mode="create" if stamp is None else {"e_tag": stamp}
                )
            except (AlreadyExistsError, PreconditionError):
                return None
            except FileNotFoundError as error:  # what was to be replaced is gone
                if _NO_BUCKET in str(error):
                    raise
                return None
            return _stamp(written)

        return self._asked(put)

    def writer(self, name: str, mode: int = 0o600) -> "_Upload":  # noqa: ARG002 - objects have no modes
        return _Upload(self._spool, lambda content: self._asked(lambda: self._send(name, content)))

    def reader(self, name: str) -> "_Download":
        return self._asked(lambda: _Download(self._store.get(name).stream(PIECE), self._asked))

    def remove(self, names: Iterable[str]) -> None:
        wanted = list(names)
        if wanted:
            self._there(lambda: self._store.delete(wanted))

    def touch(self, name: str) -> None:
        """An object cannot be touched: its age counts from when it was written."""

    def path(self, name: str) -> None:  # noqa: ARG002 - it is nowhere on this machine
        return None

    def _send(self, name: str, content: IO[bytes]) -> None:
        self._store.put(name, content, max_concurrency=UPLOADS)

    @property
    def _store(self) -> "S3Store":
        if self._client is None:
            self._client = _client(self._url)
        return self._client

    def _there(self, ask: Callable[[], Result]) -> Result | None:
        try:
            return self._asked(ask)
        except FileNotFoundError:
            return None

    def _asked(self, ask: Callable[[], Result]) -> Result:
        """Raises FileNotFoundError, and BucketFailed for all else that the client raises."""
        from obstore.exceptions import BaseError  # noqa: PLC0415 - it is optional

        try:
            return ask()
        except FileNotFoundError as error:
            if _NO_BUCKET in str(error):
                raise self._failed("there is no such bucket") from None
            raise
        except (BaseError, ValueError) as error:
            raise self._failed(_CAUSES.get(type(error).__name__) or _cause(str(error))) from error

    def _failed(self, cause: str) -> BucketFailed:
        return BucketFailed(errno.EIO, f"the bucket {self._url}: {cause}")


class _Upload:
    """Sent when all of it is known, so that what is given up leaves no half of it in the bucket."""

    def __init__(self, spool: Path, send: Callable[[IO[bytes]], object]) -> None:
        self._send = send
        self._spooled = tempfile.SpooledTemporaryFile[bytes](IN_MEMORY, dir=str(spool))

    def write(self, chunk: Buffer) -> None:
        self._spooled.write(chunk)

    def close(self) -> None:
        if self._spooled.closed:
            return
        self._spooled.seek(0)
        self._send(cast("IO[bytes]", self._spooled))
        self._spooled.close()

    def discard(self) -> None:
        self._spooled.close()


class _Download:
    def __init__(self, pieces: Iterable[Any], asked: Callable[[Callable[[], Any]], Any]) -> None:
        self._pieces: Iterator[Any] = iter(pieces)
        self._asked = asked
        self._left = b""

    def read(self, size: int, /) -> bytes:
        found = [self._left]
        length = len(self._left)
        while length < size:
            piece = self._asked(lambda: next(self._pieces, None))
            if piece is None:
                break
            found.append(bytes(piece))
            length += len(found[-1])
        whole = b"".join(found)
        self._left = whole[size:]
        return whole[:size]

    def close(self) -> None:
        self._pieces = iter(())


def _client(url: str) -> "S3Store":
    from obstore.store import S3Store  # noqa: PLC0415 - it is optional

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    parts = urlsplit(url)
    given: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        client_options={
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "read_timeout": timedelta(seconds=_SILENT_S),
            "timeout": timedelta(seconds=_WHOLE_S),
            "allow_http": endpoint.startswith("http://"),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=_RETRY_S)},
        **given,
    )


def _stamp(about: Any) -> str:
    return str(about["e_tag"])


def _blob(about: Any) -> Blob:
    return Blob(about["path"], about["size"], about["last_modified"].timestamp())


def _cause(told: str) -> str:
    """What the store says, or else the end of the first line of what the client says."""
    found = _TOLD.search(told)
    if found is not None:
        return ": ".join(each for each in found.groups() if each)
    return told.partition("\n")[0].rpartition(" - ")[2][:200]
