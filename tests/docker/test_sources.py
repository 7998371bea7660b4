"""Packages without a wheel, built in a container: that it works, and that a hostile build does no harm."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from qflow_runner import errors
from qflow_runner.layers import Layers, Lock
from qflow_runner.sandbox import images
from qflow_runner.sandbox.docker import DockerBackend
from qflow_runner.settings import Settings
from tests.unit.layers.sdists import SourceIndex, serving_sources

PYTHON = "3.12"
IDENTITY = "sources-tests"

Make = Callable[..., Awaitable[Layers]]


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    images.build_images([PYTHON], report=lambda _: None)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[SourceIndex]:
    async with serving_sources(tmp_path / "index") as running:
        yield running


@pytest.fixture
async def make(tmp_path: Path, index: SourceIndex, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Layers that may build; after the test no container of theirs is left, and no directory of a build."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    short = tempfile.TemporaryDirectory(prefix="q-")
    monkeypatch.setenv("XDG_RUNTIME_DIR", short.name)
    opened: list[Layers] = []
    backend = DockerBackend(IDENTITY)

    async def one(**given: Any) -> Layers:
        base: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "cache_dir": tmp_path / "cache",
            "index_url": index.url,
            "source_distributions": True,
            "build_memory_mb": 512,
            "build_deadline_s": 60,
        }
        layers = Layers(Settings(**(base | given)), backend.compile, backend.confine)
        await layers.open()
        opened.append(layers)
        return layers

    yield one
    for layers in opened:
        await layers.close()
    await backend.close()
    client = docker.from_env()
    left = client.api.containers(all=True, filters={"label": f"qflow.runner={IDENTITY}"})
    client.close()
    assert [] == left
    assert [] == builds(short.name)
    short.cleanup()


def builds(runtime: str) -> list[Path]:
    """The directories of builds that are under way."""
    return list(Path(runtime).glob("qflow-*/build-*"))


async def fails(layers: Layers, name: str, error: type[errors.DependencyError]) -> errors.DependencyError:
    with pytest.raises(error) as raised:
        await layers.locks.lock([name], PYTHON)
    assert type(raised.value) is error
    return raised.value


async def test_a_source_distribution_is_built_once_and_installed(
    make: Make, index: SourceIndex, tmp_path: Path
) -> None:
    """With the dependencies that only its build tells; the same wheel is used by whoever asks later."""
    source = index.sdist("from-source", requires=("plain-one>=1",))
    index.wheel("plain-one", "1.5")
    layers = await make()

    lock = await layers.locks.lock(["From_Source"], PYTHON)
    layer = await layers.layer(lock)
    again = await layers.locks.lock(["from-source>=1", "plain-one"], PYTHON)

    assert [("from-source", "1.0"), ("plain-one", "1.5")] == [
        (each.name, each.version) for each in lock.packages
    ]
    assert ("from_source", "plain_one") == layer.modules
    assert list((layer.path / "__pycache__").glob("from_source.*.pyc"))
    assert "made_by = 'the build'" in (layer.path / "from_source.py").read_text()
    (built,) = lock.built
    assert hashlib.sha256(source.read_bytes()).hexdigest() == built.source
    assert f"from-source==1.0 --hash=sha256:{built.wheel}\n" in lock.text
    assert lock.built == again.built
    assert ["from-source 1.0 was built from its source distribution."] == list(lock.warnings)
    kept = tmp_path / "data" / "wheels" / built.wheel / built.file
    assert built.wheel == hashlib.sha256(kept.read_bytes()).hexdigest()


async def test_the_lock_survives_a_restart_and_needs_no_second_build(make: Make, index: SourceIndex) -> None:
    """A layer that was removed is installed anew from the kept wheel; when that is gone too, a sentence says so."""
    source = index.sdist("from-source")
    first = await make()
    lock = await first.locks.lock(["from-source"], PYTHON)
    source.unlink()

    second = await make()
    same = await second.locks.lock(["from-source"], PYTHON)
    layer = await second.layer(same)
    await second.remove(layer.id)
    (kept,) = (second._settings.data_dir / "wheels").glob("*/*.whl")
    kept.write_bytes(b"changed")
    with pytest.raises(errors.BuildFailed, match="gone or was changed"):
        await second.layer(same)

    assert lock == same


async def test_two_that_need_each_other_are_built(make: Make, index: SourceIndex) -> None:
    """The first one's wheel is there while the second is chosen; a wheel of the index is taken where there is one."""
    index.sdist("outer", requires=("middle",))
    index.sdist("middle", "1.0", requires=("inner<2",))
    index.wheel("inner", "1.0")
    index.sdist("inner", "1.5")
    layers = await make()

    lock: Lock = await layers.locks.lock(["outer"], PYTHON)

    assert {"outer", "middle"} == {each.name for each in lock.built}
    assert ("inner", "1.0") in [(each.name, each.version) for each in lock.packages]


async def test_the_hash_of_a_source_distribution_is_kept_to(make: Make, index: SourceIndex) -> None:
    """A right one is taken; with a wrong one no code runs in the container that builds."""
    right = hashlib.sha256(index.sdist("right").read_bytes()).hexdigest()
    index.sdist("wrong")
    layers = await make()

    lock = await layers.locks.lock([f"right==1.0 --hash=sha256:{right}"], PYTHON)
    wrong = await fails(layers, f"wrong==1.0 --hash=sha256:{'0' * 64}", errors.HashMismatch)

    assert right == lock.built[0].source
    assert "wrong" in wrong.detail


async def test_the_password_of_an_index_is_not_in_the_container(make: Make, index: SourceIndex) -> None:
    """The build fetches with it, and finds it nowhere: not in its environment, its files, or its processes."""
    index.password = "a-very-secret-word"
    index.sdist(
        "curious",
        harm="""
        import glob, os
        found = "".join(map(str, os.environ.items()))
        for path in glob.glob("/proc/[0-9]*/*") + glob.glob("/tmp/**", recursive=True) + glob.glob("/run/**", recursive=True):
            if path.rsplit("/", 1)[1] in ("environ", "cmdline") or path.startswith("/tmp/"):
                try:
                    found += open(path, errors="replace").read()
                except OSError:
                    pass
        secret = "".join(reversed("drow-terces-yrev-a"))
        assert "UV_DEFAULT_INDEX" in found
        assert secret not in found, "found it"
        assert "".join(reversed("hpjclNXd")) not in found, "found its code"
        """,
    )
    layers = await make(index_url=index.url.replace("://", "://user:a-very-secret-word@"))

    lock = await layers.locks.lock(["curious"], PYTHON)

    assert "curious" == lock.built[0].name
    assert "secret" not in lock.text


async def test_what_is_of_the_host_cannot_be_read_or_written(
    make: Make, index: SourceIndex, tmp_path: Path
) -> None:
    """Nothing outside /tmp can be written; the host's files are not there; the code is nobody and gains nothing."""
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    index.sdist(
        "nosy",
        harm=f"""
        import os
        assert os.getuid() == 65532 and os.getgid() == 65532
        assert not os.path.exists({str(secret)!r}) and not os.path.exists("/var/run/docker.sock")
        for path in ("/x", "/usr/local/x", "/etc/x", "/run/qflow-build/x", "/opt/x", "/opt/qflow-build/uv", "/var/x"):
            try:
                open(path, "a").close()
            except OSError:
                continue
            raise AssertionError("wrote " + path)
        status = open("/proc/self/status").read()
        assert "CapEff:\\t0000000000000000" in status and "CapBnd:\\t0000000000000000" in status
        assert "NoNewPrivs:\\t1" in status
        """,
    )
    layers = await make()

    lock = await layers.locks.lock(["nosy"], PYTHON)

    assert "nosy" == lock.built[0].name


async def test_no_other_host_can_be_reached(make: Make, index: SourceIndex) -> None:
    """Not by a socket, not through the proxy; the host is named in the sentence."""
    index.sdist(
        "caller",
        harm="""
        import os, socket, urllib.request
        for address in (("1.1.1.1", 443), ("172.17.0.1", 22), ("example.org", 80)):
            try:
                socket.create_connection(address, 2).close()
            except OSError:
                continue
            raise AssertionError("reached " + address[0])
        urllib.request.urlopen("http://elsewhere.example.org/take?it=all", timeout=5)
        """,
    )
    layers = await make()

    error = await fails(layers, "caller", errors.SourceHostRefused)

    assert "caller" in error.detail
    assert "elsewhere.example.org" in error.detail


async def test_one_that_never_ends_is_stopped(make: Make, index: SourceIndex) -> None:
    """Also one that started others in sessions of their own."""
    index.sdist(
        "endless",
        harm="""
        import os, time
        if os.fork() == 0:
            os.setsid()
        while True:
            time.sleep(1)
        """,
    )
    layers = await make(build_deadline_s=4)

    error = await fails(layers, "endless", errors.BuildTimeout)

    assert "endless" in error.detail


async def test_one_that_nobody_waits_for_is_stopped(make: Make, index: SourceIndex) -> None:
    """When the runner stops, its container is gone, and with it the place of its socket (see `make`)."""
    index.sdist("endless", harm="import time; time.sleep(600)")
    layers = await make()
    waiting = asyncio.create_task(layers.locks.lock(["endless"], PYTHON))
    async with asyncio.timeout(30):
        while "/files/endless-1.0.tar.gz" not in index.requests:
            await asyncio.sleep(0.05)

    await layers.close()

    with pytest.raises(errors.BuildKilled):
        await waiting


async def test_one_that_takes_all_memory_is_stopped(make: Make, index: SourceIndex) -> None:
    """Whether as memory or as files."""
    index.sdist("hungry", harm="kept = [bytearray(16 << 20) for _ in range(200)]")
    index.sdist("hoarder", harm="open('/tmp/all', 'wb').write(bytes(300 << 20))")
    layers = await make()

    hungry = await fails(layers, "hungry", errors.SourceMemory)
    hoarder = await fails(layers, "hoarder", errors.SourceBuildFailed)

    assert "512 MB" in hungry.detail
    assert "No space left" in hoarder.members["uv"]


async def test_one_that_makes_processes_without_end_is_bounded(make: Make, index: SourceIndex) -> None:
    """The limit is that of the container, and the runner's machine goes on."""
    index.sdist(
        "forker",
        harm="""
        import os, time
        while True:
            if os.fork() == 0:
                time.sleep(60)
        """,
    )
    layers = await make(build_deadline_s=8)

    error = await fails(layers, "forker", errors.BuildTimeout)

    assert "forker" in error.detail


async def test_a_build_that_fails_says_why(make: Make, index: SourceIndex) -> None:
    """The last lines of what it printed are with the error."""
    index.sdist("broken", harm="raise RuntimeError('no luck today')")
    layers = await make()

    error = await fails(layers, "broken", errors.SourceBuildFailed)

    assert "broken" in error.detail
    assert "no luck today" in error.members["uv"]


async def test_a_build_cannot_pass_for_another_package(make: Make, index: SourceIndex) -> None:
    """It hands over a wheel of another name, or one with a path, before its own is handed over."""
    give = """
    import http.client, os, socket
    class Runner(http.client.HTTPConnection):
        def connect(self):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect("/run/qflow-build/index.sock")
    runner = Runner("runner")
    runner.request("PUT", "/wheel/{name}", body=b"not a wheel")
    runner.getresponse()
    """
    index.wheel("pandas", "9.9")
    index.sdist("liar", harm=give.format(name="pandas-99.0-py3-none-any.whl"))
    index.sdist("climber", harm=give.format(name="../../x-1.0-py3-none-any.whl"))
    layers = await make()

    await fails(layers, "liar", errors.SourceBuildFailed)
    climber = await layers.locks.lock(["climber"], PYTHON)
    pandas = await layers.locks.lock(["pandas"], PYTHON)

    assert "climber" == climber.built[0].name
    assert () == pandas.built
    assert ["climber-1.0-py3-none-any.whl"] == [
        path.name for path in (layers._settings.data_dir / "wheels").glob("*/*.whl")
    ]


async def test_a_build_cannot_say_what_it_was_built_from(make: Make, index: SourceIndex) -> None:
    """No code of it runs before the hash of its source was told: uv looks it up without asking the package."""
    source = index.sdist(
        "early",
        harm="""
        import http.client, socket
        class Runner(http.client.HTTPConnection):
            def connect(self):
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.connect("/run/qflow-build/index.sock")
        runner = Runner("runner")
        runner.request("PUT", "/source", body=b'{"sha256": "%s"}' % (b"0" * 64))
        runner.getresponse()
        """,
    )
    layers = await make()

    lock = await layers.locks.lock(["early"], PYTHON)

    assert hashlib.sha256(source.read_bytes()).hexdigest() == lock.built[0].source


async def test_an_endless_answer_of_a_build_is_bounded(make: Make, index: SourceIndex) -> None:
    """A wheel that is larger than a layer may be is not taken, and leaves nothing."""
    index.sdist(
        "fat",
        harm="""
        import http.client, socket
        class Runner(http.client.HTTPConnection):
            def connect(self):
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.connect("/run/qflow-build/index.sock")
        runner = Runner("runner")
        try:
            runner.request("PUT", "/wheel/fat-1.0-py3-none-any.whl", body=(bytes(1 << 20) for _ in range(64)))
            runner.getresponse()
        except OSError:
            pass
        """,
    )
    layers = await make(layer_max_mb=16)

    error = await fails(layers, "fat", errors.SourceBuildFailed)

    assert "16 MB" in error.detail
    assert [] == list((layers._settings.data_dir / "wheels").iterdir())


async def test_a_wheel_missing_stays_that_where_it_is_not_allowed(make: Make, index: SourceIndex) -> None:
    """The default: nothing is built."""
    index.sdist("from-source")
    layers = await make(source_distributions=False)

    error = await fails(layers, "from-source", errors.WheelMissing)

    assert "has no wheel" in error.detail
    assert not [path for path in index.requests if path.startswith("/files/")]


async def test_one_with_setuptools_from_the_real_index(make: Make) -> None:
    """Its build dependencies come as wheels, through the same way."""
    layers = await make(index_url=None)

    lock = await layers.locks.lock(["docopt==0.6.2"], PYTHON)
    layer = await layers.layer(lock)

    assert "docopt" == lock.built[0].name
    assert "docopt" in layer.modules
