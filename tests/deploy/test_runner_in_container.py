"""The runner as a container: with named volumes, and a Docker that answers what the Compose file lists and no more."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import docker
import pytest

from lab.processes import free_ports
from tests.deploy.proxy import Proxy, Rules, listening
from tests.runner import TOKEN, RunnerClient
from tests.unit.layers.wheels import make_wheel

READY_S = 60
pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
FILES = """
from qflow import File
def up(report: File) -> File:
    return File(content=report.path.read_bytes().upper(), name="loud.txt")
"""
NEIGHBOURS = """
import os
def names(place):
    try:
        return sorted(os.listdir(place))
    except PermissionError:
        return "closed"
def look() -> dict:
    places = ["/run/qflow", "/run/qflow-files", os.environ["QFLOW_LAYERS"], "/run", "/var/lib/qflow", "/"]
    return {place: names(place) for place in places if os.path.lexists(place)}
"""


@dataclass
class Contained:
    runner: RunnerClient
    proxy: Proxy
    container: Any
    volumes: list[str]


@pytest.fixture(scope="module")
async def contained(
    client: docker.DockerClient, runner_image: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Contained]:
    mark = f"qflow-test-{os.getpid()}-{secrets.token_hex(3)}"
    names = {
        "qflow-(data|run)": f"{mark}-(data|run)",
        "qflow-data": f"{mark}-data",
        "qflow-run": f"{mark}-run",
    }
    volumes = [f"{mark}-data", f"{mark}-run"]
    place = tmp_path_factory.mktemp("outside")
    place.chmod(0o755)
    make_wheel(place, "greeting", files={"greeting/__init__.py": "def hello(name): return f'hello {name}'\n"})
    rules = Rules(f"{client.info()['DockerRootDir']}/volumes", names)
    (port,) = free_ports(1)
    container = None
    async with listening(place / "docker.sock", rules) as proxy:
        try:
            for each in volumes:
                client.volumes.create(each)
            container = await asyncio.to_thread(
                client.containers.run,
                runner_image,
                name=mark,
                detach=True,
                network_mode="host",
                read_only=True,
                tmpfs={"/tmp": ""},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                environment={
                    "DOCKER_HOST": "unix:///outside/docker.sock",
                    "QFLOW_DOCKER_MOUNTS": f"{mark}-data:/var/lib/qflow,{mark}-run:/run/qflow",
                    "QFLOW_HOST": "127.0.0.1",
                    "QFLOW_PORT": str(port),
                    "QFLOW_TOKEN": TOKEN,
                    "QFLOW_WHEELS_DIR": "/outside",
                    "QFLOW_BOOT_DEADLINE_S": "60",
                },
                volumes={
                    volumes[0]: {"bind": "/var/lib/qflow", "mode": "rw"},
                    volumes[1]: {"bind": "/run/qflow", "mode": "rw"},
                    str(place): {"bind": "/outside", "mode": "ro"},
                },
            )
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with aiohttp.ClientSession(headers=headers) as http:
                runner = RunnerClient(f"http://127.0.0.1:{port}", http, None)
                await _ready(runner, container)
                yield Contained(runner, proxy, container, volumes)
        finally:
            if container is not None:
                await asyncio.to_thread(container.stop, timeout=40)
                _remove_left(client, mark, container)
            for each in volumes:
                client.volumes.get(each).remove(force=True)


async def _ready(runner: RunnerClient, container: Any) -> None:
    last: object = "nothing answered"
    try:
        async with asyncio.timeout(READY_S):
            while True:
                try:
                    status, last = await runner.call("GET", "/readyz")
                    if status == 200:
                        return
                except aiohttp.ClientError as error:
                    last = error
                await asyncio.sleep(0.2)
    except TimeoutError:
        told = (await asyncio.to_thread(container.logs, tail=30)).decode()
        pytest.fail(f"not ready: {last}\n{told}")


def _remove_left(client: docker.DockerClient, mark: str, container: Any) -> None:
    """What the runner did not remove, known by its binds of this test's volumes, and the runner."""
    for each in client.containers.list(all=True, filters={"label": "qflow.sandbox"}):
        if any(mark in str(mount.get("Source")) for mount in each.attrs["Mounts"]):
            each.remove(force=True)
    container.remove(force=True)


async def test_code_runs(contained: Contained) -> None:
    """A function of a node, in a sandbox beside the runner's container."""
    code = "def double(n: int) -> int:\n    return n * 2\n"

    assert await contained.runner.values(code, [{"n": 2}, {"n": 4}]) == [{"value": 4}, {"value": 8}]


async def test_a_layer_is_installed_and_seen(contained: Contained) -> None:
    """What the runner installs in its volume, byte-compiled in a container, is what the sandbox imports."""
    code = "import greeting\ndef greet(name: str) -> str:\n    return greeting.hello(name) + ' from ' + greeting.__cached__[-4:]\n"

    values = await contained.runner.values(
        code, [{"name": "you"}], workflow="layers", requirements=["greeting==1.0"]
    )

    assert values == [{"value": "hello you from .pyc"}]


async def test_a_file_goes_in_and_out(contained: Contained) -> None:
    """Through the runner's volume, of which the sandbox sees the files of its own workflow."""
    runner = contained.runner
    query = {"workflow": "files", "execution": "e"}
    content = b"quiet words " * 20_000
    status, uploaded = await runner.call("POST", "/v1/files", params=query, data=content)
    assert status == 200, uploaded
    definition = await runner.define(FILES)
    binary = {"mimeType": "text/plain", "fileName": "quiet.txt", "file": uploaded["file"]}
    body = {"items": [{"json": {}, "binary": {"report": binary}}]}
    status, reply = await runner.call(
        "POST", f"/v1/definitions/{definition}/runs", params={**query, "node": "n"}, json=body
    )
    assert status == 200, reply
    ((_, made),) = reply["items"][0]["binary"].items()
    async with runner.http.get(
        f"{runner.address}/v1/files/{made['file']}", params={"workflow": "files"}
    ) as answer:
        assert await answer.read() == content.upper()


async def test_a_sandbox_sees_nothing_of_others(contained: Contained, client: docker.DockerClient) -> None:
    """Single directories are mounted and never a volume: no other sandbox's socket or file, and not the runner's data."""
    runner = contained.runner
    await runner.values("def one() -> int:\n    return 1\n", workflow="neighbour")
    seen = (await runner.values(NEIGHBOURS, workflow="looking", function="look"))[0]

    assert "token" not in str(seen)
    assert "qflow.db" not in str(seen)
    assert (
        seen["/run/qflow"] == "closed"
        or len([name for name in seen["/run/qflow"] if name[-5:] == ".sock"]) <= 1
    )
    assert seen["/run/qflow-files"] == "closed"
    sources = [
        mount["Source"]
        for each in client.containers.list(filters={"label": "qflow.sandbox"})
        for mount in each.attrs["Mounts"]
        if contained.volumes[0].removesuffix("-data") in mount["Source"]
    ]
    assert sources
    assert not any(source.endswith("/_data") for source in sources)


async def test_readiness_says_that_limits_of_nodes_do_not_hold(contained: Contained) -> None:
    """Because the runner does not see the processes of its sandboxes from here."""
    code = "def hold() -> int:\n    return len(bytearray(200 << 20))\n"
    assert [{"value": 200 << 20}] == await contained.runner.values(code, workflow="w", memory_mb=128)

    _, reply = await contained.runner.call("GET", "/readyz")

    assert not reply["parts"]["limits"]["ok"]
    assert "does not see the processes" in reply["parts"]["limits"]["reason"]
    assert reply["ready"]


async def test_the_sandboxs_memory_holds(contained: Contained) -> None:
    """By Docker, whatever the runner sees of the processes in it."""
    code = "def hog() -> int:\n    return len(bytearray(900 << 20))\n"

    status, reply = await contained.runner.run(code, workflow="hog")

    assert status == 507, reply
    assert reply["category"] == "memory"


async def test_a_killed_runner_takes_its_sandboxes_up_again(contained: Contained) -> None:
    """Their sockets are in a volume, which the container that comes next has too."""
    runner = contained.runner
    await runner.values("def one() -> int:\n    return 1\n", workflow="survivor")
    before = {each["id"] for each in await runner.sandboxes() if each.get("workflow") == "survivor"}

    await asyncio.to_thread(contained.container.kill)
    await asyncio.to_thread(contained.container.start)
    await _ready(runner, contained.container)

    after = {each["id"] for each in await runner.sandboxes() if each.get("workflow") == "survivor"}
    assert before
    assert after == before


async def test_docker_was_asked_for_what_the_compose_file_lists(contained: Contained) -> None:
    """Every call of the runner is in the list, and none was refused."""
    await contained.runner.values("def one() -> int:\n    return 1\n", workflow="once more")

    assert contained.proxy.refused == []
    assert any(each.endswith("/containers/create") for each in contained.proxy.passed)
    assert any("/volumes/" in each for each in contained.proxy.passed)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1.41/secrets", b""),
        ("POST", "/v1.41/containers/abc/exec", b"{}"),
        ("POST", "/v1.41/build", b""),
        ("GET", "/v1.41/volumes/other", b""),
        ("GET", "/v1.41/containers/abc/archive", b""),
        ("POST", "/v1.41/containers/create", b'{"HostConfig": {"Binds": ["/:/host:rw"]}}'),
        ("POST", "/v1.41/containers/create", b'{"HostConfig": {"Binds": ["/etc:/run/qflow:ro"]}}'),
    ],
)
async def test_what_the_proxy_refuses(contained: Contained, method: str, path: str, body: bytes) -> None:
    """Nothing that the runner does not need."""
    assert contained.proxy.rules.refusal(method, path, body)
