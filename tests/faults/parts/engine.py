"""A Docker daemon of the tests' own, with its own containerd and data, so that it can be killed: nobody else uses it."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import docker
import docker.errors
import requests.exceptions

from qflow_runner.sandbox.docker import DockerBackend
from qflow_runner.sandbox.images import build_images, image_name

PYTHON = "3.12"
READY_S = 30.0
OFFLINE = ("--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")


class Engine:
    """`url` is where it answers. Its socket's path has to be short, and its data on a disk."""

    def __init__(self, short: Path, data: Path) -> None:
        self.url = f"unix://{short}/docker.sock"
        self._exec = short / "exec"
        self._data = data
        self._command = (
            *("dockerd", "--host", self.url, "--pidfile", str(short / "pid"), "--exec-root", str(self._exec)),
            *("--data-root", str(data / "root"), "--config-file", str(data / "daemon.json"), *OFFLINE),
        )
        self._process: asyncio.subprocess.Process | None = None
        (data / "daemon.json").write_text("{}")

    async def start(self) -> None:
        """And wait until it answers."""
        with (self._data / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(READY_S):
            while not await asyncio.to_thread(self._answers):
                assert self._process.returncode is None, (self._data / "log").read_text()[-2000:]
                await asyncio.sleep(0.1)  # it tells nobody when it is ready

    def client(self, timeout: float = 60) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.url, timeout=timeout)

    def backend(self, identity: str) -> DockerBackend:
        backend = DockerBackend(identity)
        backend._client = self.client(30)
        return backend

    def load(self) -> None:
        """The sandbox image of this very agent, from the machine's own daemon."""
        build_images((PYTHON,), report=lambda _: None)
        name = image_name(PYTHON)
        with (
            contextlib.closing(docker.from_env(timeout=120)) as machine,
            contextlib.closing(self.client()) as own,
        ):
            own.images.load(machine.images.get(name).save(named=name))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def containerd(self) -> int:
        return int((self._exec / "containerd" / "containerd.pid").read_text())

    def shims(self) -> list[int]:
        """All of its own: each names this containerd's socket on its command line."""
        return [
            pid
            for pid in _pids()
            if str(self._exec) in _command_of(pid) and "containerd-shim" in _command_of(pid)
        ]

    def shim(self, container: str) -> int:
        (found,) = [pid for pid in self.shims() if container in _command_of(pid)]
        return found

    async def kill(self) -> None:
        """kill -9; the kernel ends its containerd with it."""
        assert self._process is not None
        containerd = self.containerd
        self._process.kill()
        await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.kill(containerd, signal.SIGKILL)
        # Where nobody reaps orphans its number seems to live on, and the next dockerd would wait for it.
        (self._exec / "containerd" / "containerd.pid").unlink(missing_ok=True)

    async def revive(self) -> None:
        """Whatever became of it, it answers afterwards."""
        assert self._process is not None
        if self._process.returncode is not None:
            await self.start()

    async def stop(self) -> None:
        """With all that it left: containers outlive a daemon that was killed."""
        if self._process is None:
            return
        try:
            await self.revive()
            with contextlib.closing(self.client()) as client:
                for container in client.containers.list(all=True):
                    with contextlib.suppress(docker.errors.APIError):
                        container.remove(force=True)
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), READY_S)
        finally:
            await self._leave_nothing()

    async def _leave_nothing(self) -> None:
        for pid in self.shims():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for place in _mounts():
            if place.startswith((str(self._exec), str(self._data))):
                await (await asyncio.create_subprocess_exec("umount", "--lazy", place)).wait()

    def _answers(self) -> bool:
        try:
            with contextlib.closing(docker.DockerClient(base_url=self.url, timeout=5)) as client:
                return client.ping()
        except (docker.errors.DockerException, requests.exceptions.RequestException):
            return False


@asynccontextmanager
async def own_engine() -> AsyncGenerator[Engine]:
    short = Path(tempfile.mkdtemp(prefix="qflow-e-", dir="/run"))
    data = Path(tempfile.mkdtemp(prefix="qflow-engine-", dir="/var/tmp"))
    engine = Engine(short, data)
    try:
        await engine.start()
        await asyncio.to_thread(engine.load)
        yield engine
    finally:
        await engine.stop()
        for place in (short, data):
            await asyncio.to_thread(shutil.rmtree, place)


def _mounts() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _pids() -> list[int]:
    return [int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit()]


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
