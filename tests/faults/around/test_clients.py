"""Clients that are slow, vanish, lie about lengths or send too much: each is ended, and others do not notice."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from qflow_runner.api import replies
from tests.faults.around.conftest import Start
from tests.faults.around.helpers import GOOD, until, works
from tests.faults.runner import RunnerProcess
from tests.runner import TOKEN, RunnerClient

MB = 1 << 20
LARGE = "def large() -> list[dict]:\n    return [{'text': 'x' * 1_000_000} for _ in range(40)]\n"
SLOW = "import time\ndef slow() -> str:\n    time.sleep(20)\n    return 'done'\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(runner: RunnerClient) -> Streams:
    host, port = runner.address.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port), limit=1 << 16)


def head(path: str, length: int | None, *more: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKEN}", *more]
    lines += [] if length is None else [f"Content-Length: {length}", "Content-Type: application/json"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def run_path(definition: str, workflow: str = "slow client") -> str:
    return f"/v1/definitions/{definition}/runs?workflow={workflow.replace(' ', '+')}&execution=e"


async def answered(reader: asyncio.StreamReader, seconds: float) -> int:
    """The status of an answer; 0 where the connection just ends."""
    async with asyncio.timeout(seconds):
        line = b""
        with suppress(ConnectionError):
            line = await reader.readline()
    return int(line.split()[1]) if line else 0


async def ended(reader: asyncio.StreamReader, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        with suppress(ConnectionError):
            while await reader.read(65536):
                pass


async def free(runner: RunnerClient) -> None:
    """No run has a place, no sandbox is leased, and a run of the same workflow works."""

    async def quiet() -> bool:
        rows = await runner.sandboxes()
        return runner.state.admission.runs == 0 and not any(row["leases"] for row in rows)

    await until(quiet, 10)
    await works(runner, workflow="slow client", execution="e")


@pytest.mark.parametrize("size", [1000, 20 * MB], ids=["of a small run", "of a large run"])
@pytest.mark.parametrize("sent", ["nothing of its body", "a byte now and then"])
async def test_a_body_that_does_not_come(start: Start, size: int, sent: str) -> None:
    """It is given up with 408, and neither a place nor a session waits for the rest."""
    runner = await start(body_stall_s=0.5)
    definition = await runner.define(GOOD)
    reader, writer = await connected(runner)
    writer.write(head(run_path(definition), size))
    if size > MB:
        writer.write(b'{"items": [' + b" " * (2 * MB))
    began = time.monotonic()
    waiting = asyncio.create_task(answered(reader, 20))
    # A fast start buys a slow rest some time: its whole is held to a kilobyte in a second.
    most = 6 if size < MB or sent.startswith("nothing") else 12
    while not waiting.done() and time.monotonic() - began < most:
        if sent.startswith("a byte"):
            with suppress(ConnectionError):
                writer.write(b" ")
        await asyncio.sleep(0.2)
    if sent.startswith("a byte") and size > MB:
        writer.transport.abort()  # 2 MB were there at once, which is its pace for half an hour; now it leaves
        waiting.cancel()
    else:
        assert 408 == await waiting
    writer.close()

    await free(runner)


async def test_a_reply_that_nobody_reads(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session waits no longer than the runner says, and the place is another's then."""
    monkeypatch.setattr(replies, "TAKEN_S", 0.5)
    runner = await start()
    definition = await runner.define(LARGE)
    body = b'{"items": [{"json": {}}]}'
    streams = [await connected(runner) for _ in range(4)]
    for number, (_, writer) in enumerate(streams):
        writer.transport.pause_reading()
        writer.write(head(run_path(definition, f"deaf {number}"), len(body)) + body)

    async def begun() -> bool:
        return runner.state.admission.runs > 0

    await until(begun)
    await free(runner)
    for _, writer in streams:
        writer.transport.abort()


@pytest.mark.parametrize("when", ["mid-body", "while the code runs", "mid-reply"])
async def test_a_connection_that_drops(start: Start, when: str) -> None:
    """The code is stopped, nothing of it goes on, and its session's workflow goes on."""
    runner = await start()
    definition = await runner.define({"mid-body": GOOD, "mid-reply": LARGE}.get(when, SLOW))
    body = b'{"items": [{"json": {}}]}'
    for _ in range(5):
        reader, writer = await connected(runner)
        if when == "mid-body":
            writer.write(head(run_path(definition), 30 * MB) + b'{"items": [' + b" " * (3 * MB))
            await writer.drain()
        else:
            writer.write(head(run_path(definition), len(body)) + body)
            if when == "mid-reply":
                assert 200 == await answered(reader, 10)
                await reader.readexactly(100_000)
            else:
                await until(lambda: leased(runner))
        writer.transport.abort()

        await free(runner)
    assert len(await runner.sandboxes()) <= 2


async def leased(runner: RunnerClient) -> bool:
    return any(row["leases"] for row in await runner.sandboxes())


HEADS = {
    "a header of a megabyte": head("/v1/sandboxes", None, "X-Large: " + "x" * MB, method="GET"),
    "ten thousand headers": head(
        "/v1/sandboxes", None, *(f"X-{n}: {n}" for n in range(10_000)), method="GET"
    ),
    "an address of a megabyte": head("/v1/" + "x" * MB, None, method="GET"),
    "a header that never ends": head("/v1/sandboxes", None, method="GET")[:-4]
    + b"\r\nX-Endless: "
    + b"x" * MB,
    "two lengths": head("/v1/analyze", 10, "Content-Length: 20") + b"x" * 20,
    "a length and chunks": head("/v1/analyze", 10, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a length below nothing": head("/v1/analyze", -1) + b"x",
    "bytes that are no HTTP": bytes(range(256)) * 100,
    "a TLS greeting": bytes.fromhex("16030100a5010000a10303") + b"\0" * 200,
}


@pytest.mark.parametrize("sent", HEADS.values(), ids=HEADS)
async def test_a_head_that_is_none(start: Start, sent: bytes) -> None:
    """It is refused at once, as the caller's mistake, or its connection just ends."""
    runner = await start()
    reader, writer = await connected(runner)
    with suppress(ConnectionError):
        writer.write(sent)
        await writer.drain()
    assert await answered(reader, 5) in {0, 400, 413, 414, 431}
    writer.close()

    await works(runner)


@pytest.mark.parametrize("told", ["announced", "in chunks", "compressed"])
@pytest.mark.parametrize("where", ["run", "definition"])
async def test_a_body_that_is_too_large(start: Start, told: str, where: str) -> None:
    """Refused with 413, before it is read where its size is told, and without being held."""
    runner = await start(max_body_mb=2)
    method, path, size = "PUT", "/v1/definitions", 20 * MB
    if where == "run":
        method, path, size = "POST", run_path(await runner.define(GOOD)), 5 * MB
    began = time.monotonic()
    if told == "announced":
        reader, writer = await connected(runner)
        writer.write(head(path, size, method=method))
        assert 413 == await answered(reader, 5)
        writer.close()
    elif told == "in chunks":
        status, reply = await sent_in_chunks(runner, method, path, size)
        assert (413, "body_too_large") == (status, reply["code"])
    else:
        import gzip

        packed = io.BytesIO(gzip.compress(b" " * 200 * MB, 1))
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        status, reply = await runner.call(method, path, data=packed, headers=headers)
        assert (status, reply["code"]) in {(413, "body_too_large"), (400, "request_invalid")}, reply
    assert time.monotonic() - began < 10

    await works(runner)


async def sent_in_chunks(
    runner: RunnerClient, method: str, path: str, size: int
) -> tuple[int, dict[str, object]]:
    """What came back although the body went on."""
    reader, writer = await connected(runner)
    writer.write(
        head(path, None, "Transfer-Encoding: chunked", "Content-Type: application/json", method=method)
    )
    with suppress(ConnectionError):
        for _ in range(size // 65536):
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
    writer.close()
    return int(answer.split()[1]), json.loads(body)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[RunnerProcess]:
    import sys

    runner = RunnerProcess(
        "process", tmp_path / "data", {"python": "{}.{}".format(*sys.version_info[:2]), "pool_floor": 0}
    )
    await runner.start()
    yield runner
    await runner.stop()


async def test_a_thousand_idle_connections_and_a_hundred_that_trickle(served: RunnerProcess) -> None:
    """Runs are as quick beside them, and all of them are closed within a minute: none ever said what it wants."""
    client = served.client
    await works(client)
    alone = await quickness(client)
    idle = [await connected(client) for _ in range(1000)]
    trickling = [await connected(client) for _ in range(100)]
    started = time.monotonic()
    for _, writer in trickling:
        writer.write(b"GET /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    beside = await quickness(client)
    assert beside < max(4 * alone, 0.05)

    async def trickle() -> None:
        while True:
            for _, writer in trickling:
                if not writer.is_closing():
                    writer.write(b"x")
            await asyncio.sleep(1)

    dripping = asyncio.create_task(trickle())
    await asyncio.gather(*(ended(reader, 60) for reader, _ in (*idle, *trickling)))
    dripping.cancel()

    assert 25 < time.monotonic() - started < 60
    await works(client)
    for _, writer in (*idle, *trickling):
        writer.close()


async def quickness(client: RunnerClient) -> float:
    """Seconds of a middling run."""
    times = []
    for number in range(40):
        began = time.monotonic()
        await works(client, number)
        times.append(time.monotonic() - began)
    return sorted(times)[20]
