"""A server that speaks the protocol of S3, with conditional writes: one process on loopback, that keeps all in memory."""

import sys
from pathlib import Path

import aiohttp

from lab.errors import LabError
from lab.processes import Process, free_ports

BUCKET = "qflow"


class BucketServer:
    """With one bucket. `environment` is what a client needs to know of it."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.address = f"http://127.0.0.1:{port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "lab",
            "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-lab",
        }

    def url(self, folder: str) -> str:
        return f"s3://{BUCKET}/{folder}"

    @classmethod
    async def start(cls, folder: Path, *, deadline_s: float = 60) -> "BucketServer":
        """Start one on a free port. LabError when it does not answer after `deadline_s` seconds."""
        port = free_ports(1)[0]
        argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = await Process.start("bucket", argv, log=folder / "bucket.log")
        server = cls(process, port)
        try:
            await process.ready(f"{server.address}/moto-api/", deadline_s)
            await server._make()
        except BaseException:
            await process.stop()
            raise
        return server

    async def _make(self) -> None:
        async with aiohttp.ClientSession() as http, http.put(f"{self.address}/{BUCKET}") as made:
            if made.status != 200:
                raise LabError(f"The bucket was not made: {made.status} {await made.text()}")

    async def stop(self) -> None:
        await self.process.stop()
