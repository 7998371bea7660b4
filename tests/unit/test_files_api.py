"""The calls for files, over the fake backend: streamed both ways, and nothing is left of what went wrong."""

import asyncio
import gc
import io
import json
import os
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from qflow_agent import wire
from qflow_runner.files.plain import PlainReader
from qflow_runner.files.writer import _PlainSink
from qflow_runner.sandbox.fake import Answer, FakeBackend
from tests.runner import TOKEN, RunnerClient, running

CODE = "def f(item: dict) -> dict:\n    return item\n"
MB = 1 << 20
OWN = {"workflow": "w", "execution": "e"}
BODY = b'{"items": [{"json": {}, "binary": {"data": {"file": "f1"}}}]}'
EDGE = "xyz"


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(FakeBackend(), tmp_path, max_body_mb=1, files_max_mb=300) as client:
        await client.until_ready()
        yield client


def left(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "files").iterdir() if path.is_file()]


async def settled(tmp_path: Path, count: int = 0) -> None:
    """What was given up is removed right after the answer, in a thread."""
    async with asyncio.timeout(5):
        while len(left(tmp_path)) != count:
            await asyncio.sleep(0.005)


async def send(runner: RunnerClient, data: Any, **params: str) -> str:
    content = io.BytesIO(data) if isinstance(data, bytes) else data
    status, reply = await runner.call("POST", "/v1/files", params={**OWN, **params}, data=content)
    assert (200, {"file", "size"}) == (status, set(reply)), reply
    return reply["file"]


async def test_a_file_goes_up_and_comes_down(runner: RunnerClient) -> None:
    """With its length, its type, and its name as any browser reads it, to be saved and never to be shown."""
    content = os.urandom(3 * MB + 1)
    name = 'grö"ße\\;% 表.csv'
    file = await send(runner, content, name=name, mime="text/csv")
    async with runner.http.get(runner.address + f"/v1/files/{file}", params={"workflow": "w"}) as response:
        assert content == await response.read()
        assert (200, "text/csv", str(len(content))) == (
            response.status,
            response.headers["Content-Type"],
            response.headers["Content-Length"],
        )
        assert response.headers["Content-Disposition"] == (
            f"attachment; filename=\"_; _.csv\"; filename*=UTF-8''{quote(';% 表.csv')}".replace(
                "_; _", ";_ _"
            )
        )
        assert "nosniff" == response.headers["X-Content-Type-Options"]


@pytest.mark.parametrize(
    ("name", "mime"), [("a\r\nX-Evil: 1.txt", "text/html\r\nX-Evil: 1"), ('a"; filename=b', 'text/html; x="')]
)
async def test_a_name_cannot_add_a_header(runner: RunnerClient, name: str, mime: str) -> None:
    """Names and types come from guests and mails: they stay where they are."""
    file = await send(runner, b"x", name=name, mime=mime)
    async with runner.http.get(runner.address + f"/v1/files/{file}", params={"workflow": "w"}) as response:
        assert "X-Evil" not in response.headers
        assert "application/octet-stream" == response.headers["Content-Type"]
        shown = response.headers["Content-Disposition"]
        assert re.fullmatch(r"attachment; filename=\"[^\"]*\"; filename\*=UTF-8''[A-Za-z0-9._~%-]*", shown)


async def test_a_file_is_its_workflows_and_goes_with_its_execution(
    runner: RunnerClient, tmp_path: Path
) -> None:
    """Another workflow does not find it; DELETE removes it; so does the end of its execution."""
    one, two = await send(runner, b"1"), await send(runner, b"2")

    assert (404, "file_unknown") == _code(await runner.call("GET", f"/v1/files/{one}?workflow=v"))
    assert (200, {"deleted": False}) == await runner.call("DELETE", f"/v1/files/{one}?workflow=v")
    assert (200, {"deleted": True}) == await runner.call("DELETE", f"/v1/files/{one}?workflow=w")
    assert (200, {"deleted": False}) == await runner.call("DELETE", f"/v1/files/{one}?workflow=w")
    assert (404, "file_unknown") == _code(await runner.call("GET", f"/v1/files/{one}?workflow=w"))
    await runner.call("DELETE", "/v1/executions/e/session")
    assert (404, "file_unknown") == _code(await runner.call("GET", f"/v1/files/{two}?workflow=w"))
    assert [] == left(tmp_path)


@pytest.mark.parametrize("file", ["..%2F..%2Fetc%2Fpasswd", "%00", "a" * 2000, "key", "%ED%A0%80"])
async def test_an_id_that_is_none_finds_nothing(runner: RunnerClient, file: str) -> None:
    """Whatever the id holds, it is looked up and never opened."""
    path = f"{runner.address}/v1/files/{file}?workflow=w"
    status, reply = await _raw_get(path)
    assert 404 == status, reply


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/v1/files?workflow=w", {}),
        ("/v1/files?workflow=w&execution=", {}),
        ("/v1/files?workflow=w&execution=e&path=/etc", {}),
        ("/v1/files?workflow=w&execution=e", {"headers": {"Content-Encoding": "gzip"}}),
        (
            "/v1/files?workflow=w&execution=e",
            {"headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        ),
    ],
)
async def test_a_wrong_upload_is_refused(
    runner: RunnerClient, tmp_path: Path, path: str, options: Any
) -> None:
    """With a sentence, and nothing stored."""
    assert (400, "request_invalid") == _code(await runner.call("POST", path, data=b"x", **options))
    assert [] == left(tmp_path)


async def test_without_the_token_nothing_is_stored_or_given(runner: RunnerClient, tmp_path: Path) -> None:
    """Files ask for the token as every call does."""
    file = await send(runner, b"x")
    for method, path in [
        ("POST", "/v1/files?workflow=w&execution=e"),
        ("GET", f"/v1/files/{file}?workflow=w"),
    ]:
        assert (401, "unauthorized") == _code(await runner.call(method, path, headers={"Authorization": ""}))
    assert 2 == len(left(tmp_path))


async def test_what_is_announced_too_large_is_refused_before_it_comes(runner: RunnerClient) -> None:
    """The answer comes while not one byte of the content was sent."""
    reader, writer = await _connect(runner)
    writer.write(_head(f"Content-Length: {301 * MB}\r\n"))
    async with asyncio.timeout(5):
        assert b"413" in await reader.readline()
    writer.close()


async def test_what_grows_too_large_is_refused_on_its_way(tmp_path: Path) -> None:
    """Without a length, the limit holds for what comes."""
    async with running(FakeBackend(), tmp_path, files_max_mb=2) as runner:

        async def flood() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield bytes(MB // 8)

        assert (413, "file_too_large") == _code(
            await runner.call("POST", "/v1/files", params=OWN, data=flood())
        )
        await settled(tmp_path)
        assert (
            2 * MB
            == (await runner.call("POST", "/v1/files", params=OWN, data=io.BytesIO(bytes(2 * MB))))[1]["size"]
        )


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_upload_that_stops_half_way_leaves_nothing(
    runner: RunnerClient, tmp_path: Path, framing: str
) -> None:
    """The connection goes away in the middle: no file, and no room taken."""
    _, writer = await _connect(runner)
    if framing == "length":
        writer.write(_head(f"Content-Length: {10 * MB}\r\n") + bytes(3 * MB))
    else:
        writer.write(_head("Transfer-Encoding: chunked\r\n") + b"%x\r\n" % (3 * MB) + bytes(3 * MB) + b"\r\n")
    await writer.drain()
    async with asyncio.timeout(5):
        while not left(tmp_path):
            await asyncio.sleep(0.005)
    writer.close()
    await settled(tmp_path)
    assert 0 == runner.state.files.total


async def test_a_download_that_is_given_up_leaves_nothing_open(runner: RunnerClient) -> None:
    """The reader's descriptor is closed, and the file is still there for the next one."""
    file = await send(runner, bytes(100 * MB))
    before = _open_files()
    for _ in range(3):
        response = await runner.http.get(f"{runner.address}/v1/files/{file}?workflow=w")
        await response.content.readexactly(MB)
        response.close()
    async with asyncio.timeout(5):
        while _open_files() > before:
            await asyncio.sleep(0.01)
    assert 100 * MB == await _download(runner, file)


async def test_a_read_that_fails_half_way_does_not_pass_for_a_whole_file(
    runner: RunnerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection ends before the announced length; no error is mixed into the content."""
    file = await send(runner, bytes(100 * MB))
    monkeypatch.setattr("qflow_runner.files.plain.PlainReader.next", _fails_after(3))
    with pytest.raises(aiohttp.ClientPayloadError):
        await _download(runner, file)


async def test_a_large_file_costs_little_memory_and_no_disk_on_the_loop(
    runner: RunnerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """256 MB up and down: the memory of the process, sender and reader included, hardly grows; threads do the disk."""
    size = 256
    threads: set[int] = set()
    for owner, name in ((_PlainSink, "write"), (_PlainSink, "finish"), (PlainReader, "next")):
        _note_thread(monkeypatch, owner, name, threads)
    await _download(runner, await send(runner, _stream(8)))
    gc.collect()
    before = _rss()
    async with _most_memory() as seen:
        file = await send(runner, _stream(size))
        assert size * MB == await _download(runner, file)

    assert seen["rss"] - before <= 32 * MB
    assert threads
    assert threading.get_ident() not in threads


async def test_a_run_brings_its_files_along(tmp_path: Path) -> None:
    """The sandbox gets the part `body` byte by byte, and the files are there under the parts' names when it does."""
    backend = FakeBackend()
    seen: list[tuple[bytes, str, str, int]] = []
    async with running(backend, tmp_path) as runner:
        await runner.until_ready()

        async def look(run: wire.Run, payload: bytes | bytearray) -> Answer:
            found = await runner.state.files.find(run.workflow, "f1")
            seen.append((bytes(payload), found.name, found.mime, found.size))
            return wire.Done(run.run), b'[{"json": {}}]'

        backend.answer = look
        for order in (("body", "f1"), ("f1", "body")):
            form = aiohttp.FormData()
            for name in order:
                if name == "body":
                    form.add_field("body", BODY.decode(), content_type="application/json")
                else:
                    form.add_field(
                        "f1", io.BytesIO(bytes(3 * MB)), filename="a.png", content_type="image/png"
                    )
            status, reply = await _run(runner, form)
            assert 200 == status, reply
        assert [(BODY, "a.png", "image/png", 3 * MB)] * 2 == seen
        await runner.call("DELETE", "/v1/executions/e/session")
        assert [] == left(tmp_path)


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([("f1", b"x")], "body_invalid"),
        ([], "body_invalid"),
        ([("body", BODY), ("body", BODY)], "body_invalid"),
        ([("body", BODY), ("f1", b"x"), ("f1", b"y")], "body_invalid"),
        ([("body", BODY), ("f1", b"x"), ("../f", b"x")], "file_id_invalid"),
        ([("body", BODY), ("f1", b"x"), ("a" * 65, b"x")], "file_id_invalid"),
        ([("f1", b"x"), ("body", bytes(MB + 1))], "body_too_large"),
        ([("body", BODY), ("f1", b"x"), ("", b"x")], "body_invalid"),
        ([(f"f{number}", b"") for number in range(1001)], "body_invalid"),
    ],
)
async def test_a_form_that_is_wrong_leaves_nothing(
    runner: RunnerClient, tmp_path: Path, parts: list[tuple[str, bytes]], code: str
) -> None:
    """No body, two of one name, an id that is none: one sentence, and none of its files is kept."""
    content = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (EDGE.encode(), name.encode(), data)
        for name, data in parts
    )
    status, reply = await _run(runner, content + b"--%s--\r\n" % EDGE.encode())
    assert code == reply["code"], reply
    assert 400 <= status < 500
    await settled(tmp_path)


@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
async def test_a_form_cut_at_any_place_leaves_nothing(runner: RunnerClient, tmp_path: Path) -> None:
    """A sender whose form ends early, at every byte of it, gets a sentence at once."""
    whole = (
        b'--xyz\r\nContent-Disposition: form-data; name="body"\r\n\r\n{"items": []}\r\n'
        b'--xyz\r\nContent-Disposition: form-data; name="f1"; filename="a"\r\n\r\ncontent\r\n--xyz--\r\n'
    )
    definition = await runner.define(CODE)
    for end in range(len(whole) - 4):
        async with asyncio.timeout(5):
            status, reply = await _run(runner, whole[:end], definition)
        assert (400, True) == (status, reply["code"] in {"upload_broken", "body_invalid"}), (
            whole[:end],
            reply,
        )
    await settled(tmp_path)
    assert 200 == (await _run(runner, whole, definition))[0]


@pytest.mark.parametrize(
    "headers",
    [
        'Content-Disposition: form-data; name="f"\r\nContent-Transfer-Encoding: base64',
        'Content-Disposition: form-data; name="f"\r\nContent-Type: multipart/mixed; boundary=q',
        "X-Nothing: 1",
    ],
)
async def test_parts_that_are_not_plain_are_refused(
    runner: RunnerClient, tmp_path: Path, headers: str
) -> None:
    """A part is a file's bytes, and nothing that has to be decoded."""
    content = f"--xyz\r\n{headers}\r\n\r\nAAAA\r\n--xyz--\r\n".encode()
    assert (400, "body_invalid") == _code(await _run(runner, content))
    await settled(tmp_path)


@pytest.mark.parametrize(
    "extra",
    [
        {"Content-Type": "multipart/form-data"},
        {"Content-Encoding": "deflate"},
        {"Content-Type": "multipart/form-data; boundary="},
    ],
)
async def test_forms_without_an_edge_or_with_an_encoding_are_refused(
    runner: RunnerClient, extra: dict[str, str]
) -> None:
    """What the header says does not fit."""
    status, reply = await _run(runner, b"--xyz--\r\n", headers=extra)
    assert (400, "network" if "Content-Type" in extra else "type") == (status, reply["category"]), reply


async def test_the_items_keep_their_limit(runner: RunnerClient) -> None:
    """A run without files is refused as before, however large its files could be."""
    definition = await runner.define(CODE)
    path = f"/v1/definitions/{definition}/runs"
    answer = await runner.call("POST", path, params=OWN, data=io.BytesIO(b" " * (MB + 1)))
    assert (413, "body_too_large") == _code(answer)


async def _run(
    runner: RunnerClient, data: Any, definition: str = "", headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    definition = definition or await runner.define(CODE)
    path = f"/v1/definitions/{definition}/runs"
    if isinstance(data, bytes):
        data = io.BytesIO(data)
        headers = {"Content-Type": f"multipart/form-data; boundary={EDGE}"} | (headers or {})
    return await runner.call("POST", path, params=OWN, data=data, headers=headers)


async def _stream(megabytes: int) -> AsyncIterator[bytes]:
    block = os.urandom(MB)
    for _ in range(megabytes):
        yield block


async def _download(runner: RunnerClient, file: str) -> int:
    size = 0
    async with runner.http.get(f"{runner.address}/v1/files/{file}?workflow=w") as response:
        assert 200 == response.status
        async for chunk in response.content.iter_any():
            size += len(chunk)
    return size


async def _connect(runner: RunnerClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = runner.address.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


def _head(length: str) -> bytes:
    return (
        "POST /v1/files?workflow=w&execution=e HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {TOKEN}\r\n{length}\r\n"
    ).encode()


async def _raw_get(address: str) -> tuple[int, Any]:
    """Without a client that mends the path."""
    host, port = address.removeprefix("http://").partition("/")[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    path = "/" + address.removeprefix("http://").partition("/")[2]
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), json.loads(answer.partition(b"\r\n\r\n")[2])


def _fails_after(reads: int):
    def fail(reader: Any) -> bytes:
        reader.count = getattr(reader, "count", 0) + 1
        if reader.count > reads:
            raise OSError(5, "Input/output error")
        return bytes(MB)

    return fail


def _open_files() -> int:
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            found += each.readlink().name.endswith(".data")
        except OSError:
            continue
    return found


def _rss() -> int:
    return int(re.findall(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) << 10


@asynccontextmanager
async def _most_memory() -> AsyncIterator[dict[str, int]]:
    seen = {"rss": 0}

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.005)
            seen["rss"] = max(seen["rss"], _rss())

    watching = asyncio.ensure_future(watch())
    yield seen
    watching.cancel()


def _note_thread(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, threads: set[int]) -> None:
    work = getattr(owner, name)

    def noted(*args: Any) -> Any:
        threads.add(threading.get_ident())
        return work(*args)

    monkeypatch.setattr(owner, name, noted)


def _code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]
