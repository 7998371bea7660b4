"""Connections that say what is no HTTP: each is answered, and the log stays free of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.runner import RunnerProcess
from tests.runner import TOKEN

PUT = f"PUT /v1/definitions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()

REQUESTS = {
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00",
    "half a line": b"GET\r\n\r\n",
    "a version that there is not": b"GET / HTTP/9.9\r\n\r\n",
    "an address that is none": b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a port that there is not": b"GET http://a:99999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a null character": b"GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header that is none": b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
    "a long line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 40_000 + b"\r\n",
    "a length that is no number": PUT + b"Content-Length: abc\r\n\r\n",
    "a piece without a length": PUT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a body that is not packed": PUT + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "pieces that are not packed": PUT
    + b"Content-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
}


@pytest.fixture(scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunnerProcess]:
    """Its end fails where the log has more than events of its own."""
    folder: Path = tmp_path_factory.mktemp("malformed")
    process = RunnerProcess("process", folder / "data", {"pool_floor": 0})
    await process.start(ready=False)
    yield process
    await process.stop()
    assert not [each for each in process.log if each["event"] == "request.failed"]


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
async def test_what_is_no_http_is_refused(runner: RunnerProcess, request_bytes: bytes) -> None:
    address = urlsplit(runner.client.address)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    async with asyncio.timeout(20):
        try:
            writer.write(request_bytes)
            answer = await reader.readline()
        except ConnectionError:
            answer = b""  # it hung up before all was sent
    writer.close()

    assert answer == b"" or answer.split()[1] == b"400", answer
    assert (await runner.client.call("GET", "/healthz"))[0] == 200


async def test_a_body_that_cannot_be_unpacked_says_so(runner: RunnerProcess) -> None:
    address = urlsplit(runner.client.address)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(REQUESTS["a body that is not packed"])
    async with asyncio.timeout(20):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    assert head.startswith(b"HTTP/1.1 400")
    problem = json.loads(body)
    assert ("upload_broken", 400) == (problem["code"], problem["status"])
    assert "Can not decode content-encoding: gzip" in problem["detail"]
