"""A small pass of the contract with gVisor as the runtime: what a workflow needs works there too."""

import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest

from qflow_runner.sandbox.docker import DockerBackend
from qflow_runner.sandbox.images import image_name
from tests.runner import RunnerClient, running

ROOT = Path(__file__).parents[2]
BOOT_S = 60.0
GOOD = "def good(item: dict) -> dict:\n    return {'ok': True}\n"


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """A daemon that knows gVisor, with the image that the machine's own one has."""
    started = subprocess.run(
        [ROOT / "scripts/gvisor.sh"], stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    host = started.stdout.strip()
    with pytest.MonkeyPatch.context() as patch:
        own, there = docker.from_env(), docker.DockerClient(base_url=host, timeout=120)
        name = image_name("3.12")
        if not there.images.list(name):
            there.images.load(b"".join(own.images.get(name).save(named=True)))
        patch.setenv("DOCKER_HOST", host)
        yield host


@pytest.fixture(scope="module")
async def guarded(host: str) -> AsyncIterator[RunnerClient]:
    del host
    with tempfile.TemporaryDirectory() as directory:
        backend = DockerBackend("gvisor-tests", "runsc")
        options = {"cpus": 1.0, "pool_floor": 1, "boot_deadline_s": BOOT_S, "pool_wait_s": BOOT_S}
        async with running(backend, Path(directory), docker_runtime="runsc", **options) as client:
            await client.until_ready(BOOT_S)
            yield client


async def test_the_kernel_is_not_the_hosts(guarded: RunnerClient) -> None:
    """Otherwise nothing here would say anything."""
    code = (
        "import os\ndef kernel() -> dict:\n    return {'release': os.uname().release, 'pid': os.getpid()}\n"
    )

    (told,) = await guarded.values(code)

    assert told["release"] != os.uname().release
    _, ready = await guarded.call("GET", "/readyz")
    assert "runsc" in ready["parts"]["runtime"]["reason"]


async def test_a_live_object_stays(guarded: RunnerClient) -> None:
    """The session of an execution is one process from node to node."""
    code = "held = []\ndef count(item: dict) -> dict:\n    held.append(1)\n    return {'n': len(held)}\n"

    assert [{"n": 1}] == await guarded.values(code, execution="live")
    assert [{"n": 2}] == await guarded.values(code, execution="live")


async def test_a_reference_crosses_nodes_and_executions(guarded: RunnerClient) -> None:
    """From its own session, and packed from that of another execution."""
    make = "def make() -> object:\n    return {1, 2, 3}\n"
    take = "def take(value: set) -> dict:\n    return {'sum': sum(value)}\n"
    (reference,) = await guarded.values(make, execution="first", output="reference", keep=True)

    assert [{"sum": 6}] == await guarded.values(take, [{"value": reference}], execution="first")
    assert [{"sum": 6}] == await guarded.values(take, [{"value": reference}], execution="second")


async def test_an_error_names_its_line(guarded: RunnerClient) -> None:
    """As anywhere, and the session lives on."""
    status, reply = await guarded.run("def bad() -> dict:\n    return {}['missing']\n")

    assert (422, "user_code", "code_raised") == (status, reply["category"], reply["code"]), reply
    assert "line 2" in reply["traceback"]
    assert [{"ok": True}] == await guarded.values(GOOD)


async def test_the_time_limit_holds(guarded: RunnerClient) -> None:
    """Raised in the code."""
    code = "def loop() -> dict:\n    while True:\n        pass\n"

    status, reply = await guarded.run(code, timeout_s=1)

    assert ("timeout", "time_limit") == (reply["category"], reply["code"]), (status, reply)
    assert [{"ok": True}] == await guarded.values(GOOD)


async def test_memory_is_bounded(guarded: RunnerClient) -> None:
    """By the container: gVisor may end all of it, and the next run gets another sandbox."""
    code = "def hog() -> dict:\n    return {'n': len([bytearray(b'x' * (1 << 20)) for _ in range(2000)])}\n"

    status, reply = await guarded.run(code, workflow="hog")

    assert status >= 500, reply
    assert reply["category"] in {"memory", "sandbox"}, reply
    assert [{"ok": True}] == await guarded.values(GOOD, workflow="hog")


async def test_a_runtime_that_docker_does_not_know_is_said(tmp_path: Path) -> None:
    """With what there is, and what to do."""
    backend = DockerBackend("gvisor-tests", "no-such-runtime")
    async with running(backend, tmp_path, docker_runtime="no-such-runtime") as client:
        _, ready = await client.call("GET", "/readyz")
        status, reply = await client.run(GOOD)

    part = ready["parts"]["docker"]
    assert not part["ok"]
    assert "no-such-runtime" in part["reason"]
    assert "daemon.json" in part["reason"]
    assert status >= 500
    assert "QFLOW_DOCKER_RUNTIME" in str(reply), reply
