"""The calls for files, and runs that bring their files along. Content is streamed: it is never whole in memory.

The application's limit of a body (`client_max_size`) holds for `request.read()`; nothing here calls it, so a file's
own limit is the one that counts.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import quote

from aiohttp import BodyPartReader, ClientError, MultipartReader, web

from qflow_runner.api.bodies import query_of
from qflow_runner.api.malformed import BROKEN
from qflow_runner.api.models import FileDeleted, FileQuery, FileReply, UploadQuery
from qflow_runner.api.state import STATE
from qflow_runner.errors import BodyInvalid, BodyTooLarge, QflowError, RequestError, UploadBroken
from qflow_runner.files import Files, StoredFile

PIECE = 256 * 1024
"""Bytes of a part that are taken at a time."""

MAX_PARTS = 1_000
STALLED_S = 60.0
"""How long a caller may neither send nor take anything."""

BODY = "body"
_BROKEN = (*BROKEN, ClientError, ConnectionError)
_FORM_HINT = "Send multipart/form-data with one part 'body' (the JSON of the run) and one part per file, named by its id."


async def upload(request: web.Request) -> web.Response:
    query = query_of(UploadQuery, request)
    if request.content_type.startswith("multipart/"):
        raise RequestError(
            "The body of an upload is the file's content, not a form.", hint="Send the raw bytes."
        )
    _refuse_encoding(request)
    files = request.app[STATE].files
    files.check_size(request.content_length)
    stored = await files.receive(
        query.workflow, query.execution, _content(request), name=query.name, mime=query.mime
    )
    return web.json_response(text=FileReply(file=stored.id, size=stored.size).model_dump_json())


async def download(request: web.Request) -> web.StreamResponse:
    files = request.app[STATE].files
    stored = await files.find(query_of(FileQuery, request).workflow, request.match_info["id"])
    async with aclosing(files.read(stored)) as pieces:
        piece = await anext(pieces, b"")  # before anything is answered: it may be gone
        response = web.StreamResponse(headers=file_headers(stored))
        await response.prepare(request)
        try:
            while piece:
                async with asyncio.timeout(STALLED_S):
                    await response.write(piece)
                piece = await anext(pieces, b"")
        except (QflowError, TimeoutError, ConnectionError):
            # The answer has begun: only its end can say that it is not whole.
            if request.transport is not None:
                request.transport.abort()
    return response


async def delete(request: web.Request) -> web.Response:
    workflow = query_of(FileQuery, request).workflow
    deleted = await request.app[STATE].files.delete(workflow, request.match_info["id"])
    return web.json_response(text=FileDeleted(deleted=deleted).model_dump_json())


async def read_multipart(request: web.Request, files: Files, workflow: str, execution: str) -> bytes:
    """Store the form's files under their parts' names, and return its part `body`, which is JSON.

    Where anything is wrong, none of its files is kept. Raises BodyInvalid, BodyTooLarge, FileIdInvalid, FileTooLarge,
    UploadBroken, DiskFull, DiskFailed.
    """
    _refuse_encoding(request)
    limit = request.app[STATE].settings.max_body
    stored: dict[str, StoredFile] = {}
    body: bytes | None = None
    whole = False
    try:
        async with aclosing(_parts(request)) as parts:
            async for name, part in parts:
                if name in stored or (name == BODY and body is not None):
                    raise BodyInvalid(f"The form has two parts named {name[:64]!r}.", hint=_FORM_HINT)
                if len(stored) >= MAX_PARTS:
                    raise BodyInvalid(f"The form has more than {MAX_PARTS} files.", hint=_FORM_HINT)
                if name == BODY:
                    body = await _read(part, limit)
                else:
                    mime = part.headers.get("Content-Type", "")
                    writer = files.writer(workflow, execution, name, part.filename or "", mime)
                    stored[name] = await files.fill(writer, _pieces(part))
        if body is None:
            raise BodyInvalid("The form has no part named 'body'.", hint=_FORM_HINT)
        whole = True
        return body
    except _BROKEN as error:
        raise UploadBroken("The connection broke before the form was whole.") from error
    except (ValueError, AssertionError) as error:  # what aiohttp says of a form that is none
        raise UploadBroken(f"The form is malformed: {str(error)[:200]}", hint=_FORM_HINT) from error
    except TimeoutError:
        raise UploadBroken(f"The form sent nothing for {STALLED_S:g} seconds.") from None
    finally:
        if not whole:
            files.discard(stored.values())


def file_headers(stored: StoredFile) -> dict[str, str]:
    """A browser that meets a file saves it, and runs nothing of it."""
    plain = "".join(char if char.isascii() and char not in '"\\%' else "_" for char in stored.name)
    full = quote(stored.name.encode("utf-8", "replace"), safe="")
    return {
        "Content-Type": stored.mime,
        "Content-Length": str(stored.size),
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }


async def _content(request: web.Request) -> AsyncGenerator[bytes]:
    size = 0
    try:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            yield chunk
    except _BROKEN as error:
        raise UploadBroken("The connection broke before the content was whole.") from error
    if request.content_length not in {None, size}:
        raise UploadBroken(f"{size} bytes came of the {request.content_length} that were announced.")


async def _parts(request: web.Request) -> AsyncGenerator[tuple[str, BodyPartReader]]:
    reader = await request.multipart()
    while True:
        async with asyncio.timeout(STALLED_S):
            part = await reader.next()
        if part is None:
            return
        if isinstance(part, MultipartReader) or not part.name:
            raise BodyInvalid("A part of the form has no name, or has parts of its own.", hint=_FORM_HINT)
        coding = part.headers.get("Content-Transfer-Encoding", "binary").lower()
        if coding not in {"binary", "8bit", "7bit"}:
            raise BodyInvalid(f"The form has a part that is encoded ({coding[:40]}).", hint=_FORM_HINT)
        yield part.name, part


async def _pieces(part: BodyPartReader) -> AsyncGenerator[bytes]:
    while not part.at_eof():
        yield await part.read_chunk(PIECE)


async def _read(part: BodyPartReader, limit: int) -> bytes:
    pieces: list[bytes] = []
    left = limit
    while not part.at_eof():
        async with asyncio.timeout(STALLED_S):
            piece = await part.read_chunk(PIECE)
        left -= len(piece)
        if left < 0:
            raise BodyTooLarge(f"The items are more than the {limit} bytes that this runner takes.")
        pieces.append(piece)
    return b"".join(pieces)


def _refuse_encoding(request: web.Request) -> None:
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        raise RequestError(
            f"Content is taken as it is, and not in the encoding {coding[:40]!r}.",
            hint="Send it without Content-Encoding.",
        )
