"""HTTPS by the runner itself, with a certificate that may be renewed under it."""

import asyncio
import os
import signal
import ssl
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from pydantic import ValidationError

from qflow_runner.api.parts import build_state
from qflow_runner.api.server import serve
from qflow_runner.api.tls import Certificate
from qflow_runner.sandbox.fake import FakeBackend
from qflow_runner.sandbox.images import SUPPORTED
from qflow_runner.settings import Settings
from tests.runner import TOKEN
from tests.unit.access import certificates


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    cert, key = certificates.write(tmp_path, "first")
    settings = Settings(
        data_dir=tmp_path / "data", port=0, tls_cert=cert, tls_key=key, pool_floor=0, drain_s=1
    )
    state = build_state(settings, TOKEN, "tests", FakeBackend(), SUPPORTED)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(state, ready))
    yield await ready
    os.kill(os.getpid(), signal.SIGTERM)
    await serving


async def peer(address: str, trusted: Path, least: ssl.TLSVersion | None = None) -> str:
    """The name in the certificate that the runner shows. Raises ssl.SSLError where it is not trusted."""
    context = ssl.create_default_context(cafile=str(trusted))
    if least is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = least
    host, port = address.removeprefix("https://").split(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("peercert")
    writer.close()
    return shown["subject"][0][0][1]


async def test_the_runner_speaks_https_alone(address: str, tmp_path: Path) -> None:
    """With HSTS; plain HTTP gets no answer, and an old TLS no connection."""
    assert address.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{address}/v1/sandboxes", headers=headers, ssl=context) as response:
            assert 200 == response.status
            assert "max-age=31536000" == response.headers["Strict-Transport-Security"]
        with pytest.raises(aiohttp.ClientError):
            await http.get(address.replace("https", "http") + "/healthz")

    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await peer(address, tmp_path / "cert.pem", ssl.TLSVersion.TLSv1_1)


async def test_a_renewed_certificate_is_used_after_sighup(address: str, tmp_path: Path) -> None:
    """And half of a renewal is not."""
    assert "first" == await peer(address, tmp_path / "cert.pem")
    good = (tmp_path / "cert.pem").read_bytes(), (tmp_path / "key.pem").read_bytes()
    certificates.write(tmp_path, "half")
    (tmp_path / "key.pem").write_bytes(good[1])
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.05)
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(good[0])
    assert "first" == await peer(address, trusted)
    certificates.write(tmp_path, "second")
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.05)

    assert "second" == await peer(address, tmp_path / "cert.pem")


async def test_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal needs no signal."""
    monkeypatch.setattr("qflow_runner.api.tls.LOOK_S", 0.02)
    certificate = Certificate(*certificates.write(tmp_path, "first"))
    watching = asyncio.create_task(certificate.watch())
    reloaded = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = certificate.reload
    monkeypatch.setattr(certificate, "reload", lambda: real() and loop.call_soon_threadsafe(reloaded.set))
    certificates.write(tmp_path, "second")

    async with asyncio.timeout(5):
        await reloaded.wait()
    watching.cancel()


def test_what_cannot_be_used_is_refused_at_start(tmp_path: Path) -> None:
    """One without the other, no certificate, another one's key, a passphrase that nobody would type."""
    cert, key = certificates.write(tmp_path, "one")
    other = tmp_path / "other"
    other.mkdir()
    _, others = certificates.write(other, "two")
    with pytest.raises(ValidationError, match="belong together"):
        Settings(tls_cert=cert)
    for files in ((key, key), (cert, others), (cert, tmp_path / "none.pem")):
        with pytest.raises(ValidationError, match="cannot be used"):
            Settings(tls_cert=files[0], tls_key=files[1])
    cert, key = certificates.write(tmp_path, "one", b"passphrase")
    with pytest.raises(ValidationError, match="cannot be used"):
        Settings(tls_cert=cert, tls_key=key)
