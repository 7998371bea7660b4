"""A cluster that shares a bucket: all that goes through a shared directory elsewhere goes through it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from lab.bucket import BUCKET, BucketServer
from lab.processes import free_ports
from qflow_runner.doctor.checks import cluster as looked_at
from qflow_runner.settings import Settings
from tests.cluster.cluster import Cluster, until
from tests.faults.runner import RunnerProcess

KEEP = "def keep(n: int) -> object:\n    return {1, n}"
READ = "def read(value: set) -> int:\n    return sum(value)"


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[BucketServer]:
    """Of the test's own: it may be stopped."""
    server = await BucketServer.start(tmp_path)
    yield server
    await server.stop()


@pytest.fixture(autouse=True)
def _shares(cluster: Cluster, server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    cluster.bucket = server.url("cluster")


async def ready(runner: RunnerProcess) -> dict[str, Any]:
    _, reply = await runner.client.call("GET", "/readyz")
    return reply["parts"]


@pytest.mark.parametrize("size", [400_000, 3_000_000, 12_000_000])
async def test_large_items_go_through_the_bucket(cluster: Cluster, server: BucketServer, size: int) -> None:
    """Both ways, whole, and nothing of them is left there."""
    await cluster.worker()
    api = await cluster.api(ready=True)

    [found] = await api.client.values(
        "def f(text: str) -> str:\n    return text[::-1]", [{"text": "ab" * size}]
    )

    assert "ba" * size == found["value"]
    assert (await ready(api))["shared"]["ok"]
    async with api.client.http.get(f"{api.client.address}/metrics") as answer:
        metrics = await answer.text()
    for part in ("queue", "workers", "shared"):
        assert f'qflow_part_up{{part="{part}"}} 1.0' in metrics
    async with aiohttp.ClientSession() as http:

        async def empty() -> bool:
            listing = {"prefix": "cluster/payloads/"}
            async with http.get(f"{server.address}/{BUCKET}", params=listing) as listed:
                return "<Key>" not in await listed.text()

        await until(empty)


async def test_objects_files_and_inputs_move_between_workers(cluster: Cluster) -> None:
    """A value outlives the worker that made it, a file is read by another, and a run is made again elsewhere."""
    first = await cluster.worker(keep_inputs="all")
    api = await cluster.api(ready=True, keep_inputs="all")
    _, made = await api.client.run("def f(n: int) -> int:\n    return n + 1", [{"n": 1}])
    status, kept = await api.client.run(KEEP, [{"n": 41}], keep=True, output="reference")
    assert status == 200, kept
    query = {"workflow": "w", "execution": "e"}
    status, stored = await api.client.call(
        "POST", "/v1/files", params=query | {"name": "a.txt"}, data=b"abc" * 1000
    )
    assert status == 200, stored

    await cluster.worker(keep_inputs="all")
    await first.stop()
    status, again = await api.client.call("POST", f"/v1/runs/{made['run']}/replay", json={})
    assert (200, 2) == (status, again["items"][0]["json"]["value"]), again
    assert [{"value": 42}] == await api.client.values(READ, [kept["items"][0]["json"]], execution="another")

    code = "from qflow import File\ndef f(data: File) -> int:\n    return len(data.read_bytes())"
    definition = await api.client.define(code)
    body = {"items": [{"json": {}, "binary": {"data": {"file": stored["file"], "mimeType": "text/plain"}}}]}
    status, reply = await api.client.call(
        "POST", f"/v1/definitions/{definition}/runs", params=query | {"node": "n"}, json=body
    )
    assert (200, 3000) == (status, reply["items"][0]["json"]["value"]), reply


async def test_a_bucket_that_goes_away_is_told_and_comes_back(cluster: Cluster, server: BucketServer) -> None:
    """Small runs go on, large ones end with a sentence that names it; back again, all is well."""
    await cluster.worker()
    api = await cluster.api(ready=True)
    code = "def f(text: str) -> int:\n    return len(text)"
    assert [{"value": 3}] == await api.client.values(code, [{"text": "abc"}])
    server.process.pause()
    try:
        assert [{"value": 4}] == await api.client.values(code, [{"text": "abcd"}])
        status, reply = await api.client.run(code, [{"text": "x" * 1_000_000}])
        assert (503, "disk_failed") == (status, reply["code"]), reply
        assert "s3://qflow/cluster/payloads" in reply["detail"]
        assert "QFLOW_SHARED_BUCKET" in reply["hint"]

        async def told() -> bool:
            return not (await ready(api))["shared"]["ok"]

        await until(told, 60)
    finally:
        server.process.resume()
    assert [{"value": 1_000_000}] == await api.client.values(code, [{"text": "x" * 1_000_000}])

    async def well() -> bool:
        return (await ready(api))["shared"]["ok"]

    await until(well, 60)


async def test_a_store_that_replaces_what_it_shall_only_create_is_refused(
    cluster: Cluster, server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one before conditional writes: two processes would each have a mark of their own."""
    async with _unconditional(server) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(AssertionError):
            await cluster.worker()
        text = str(cluster.started[-1].log)
        assert "conditional writes" in text, text

        found = await looked_at(Settings(**cluster._all({"engine": "celery", "data_dir": tmp_path / "d"})))

    assert any("conditional writes" in each.advice for each in found if each.grade == "problem"), found


@pytest.mark.parametrize("wrong", ["bucket", "keys"])
async def test_doctor_names_what_is_wrong(cluster: Cluster, tmp_path: Path, wrong: str) -> None:
    """A bucket that is not there, and keys that are not the cluster's."""
    await cluster.worker()
    changed = (
        {"shared_bucket": "s3://nowhere/x"}
        if wrong == "bucket"
        else {"encryption_keys": Fernet.generate_key().decode()}
    )
    settings = {"engine": "celery", "data_dir": tmp_path / "d", **changed}

    found = await looked_at(Settings(**cluster._all(settings)))

    named = "there is no such bucket" if wrong == "bucket" else "other keys"
    assert any(named in each.found for each in found if each.grade == "problem"), found


@asynccontextmanager
async def _unconditional(server: BucketServer) -> AsyncIterator[str]:
    """The same store, but for its conditions."""

    async def forward(request: web.Request) -> web.Response:
        headers = {
            name: value for name, value in request.headers.items() if not name.lower().startswith("if-")
        }
        async with http.request(
            request.method, f"{server.address}{request.raw_path}", headers=headers, data=await request.read()
        ) as answer:
            kept = {
                name: answer.headers[name] for name in ("ETag", "Last-Modified") if name in answer.headers
            }
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", forward)
    runner = web.AppRunner(app)
    port = free_ports(1)[0]
    # The server closes connections as it likes, and a client that takes one up again may be too late.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()
