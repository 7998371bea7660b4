"""What people install, made once per session: the wheel, the wheels that it needs, and the runner's image."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from lab.cache import ROOT
from qflow_runner.sandbox.image_files import cache_dir
from qflow_runner.sandbox.images import base_name

PYTHON = "3.12"
UV = Path(sys.executable).parent / "uv"


def run(*command: str | Path, seconds: float = 300, **options: object) -> str:
    """What the command wrote; a failure with all of it when it did not end well."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
        **options,  # type: ignore[arg-type]
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runner's wheel, of this checkout."""
    place = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", place)
    (found,) = place.glob("qflow-*.whl")
    return found


@pytest.fixture(scope="session")
def wheelhouse() -> Path:
    """The wheels that the runner needs, downloaded once per lock."""
    key = hashlib.sha256(
        b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "requirements-dev.lock"))
    )
    place = cache_dir() / "wheelhouse" / f"{PYTHON}-{key.hexdigest()[:12]}"
    if not (place / "complete").exists():
        run(ROOT / "scripts" / "wheelhouse.sh", place, PYTHON)
        (place / "complete").touch()
    return place


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    opened = docker.from_env(timeout=300)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def runner_image(client: docker.DockerClient, wheel: Path, wheelhouse: Path) -> Iterator[str]:
    """Built with the project's own Dockerfile and no network, as on a machine that has none."""
    mark = f"{os.getpid()}"
    base, name = f"qflow-test-base:{mark}", f"qflow-test-runner:{mark}"
    (pip,) = wheelhouse.glob("pip-*.whl")
    try:
        _build(client, _base_context(pip), base)
        wheels = {f"wheels/{each.name}": each.read_bytes() for each in (wheel, *wheelhouse.glob("*.whl"))}
        dockerfile = (ROOT / "deploy" / "compose" / "Dockerfile").read_bytes()
        context = _tar({"Dockerfile": dockerfile, **wheels})
        _build(client, context, name, BASE=base, WHEELS="wheels", PIP_NO_INDEX="1")
        yield name
    finally:
        for each in (name, base):
            _forget(client, each)


def _base_context(pip: Path) -> io.BytesIO:
    """The public Python image has pip; the one that is made without a registry has not."""
    packages = f"usr/local/lib/python{PYTHON}/site-packages"
    with zipfile.ZipFile(pip) as archive:
        files = {
            f"root/{packages}/{name}": archive.read(name) for name in archive.namelist() if name[-1] != "/"
        }
    program = (
        b"#!/usr/local/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
    )
    dockerfile = f"FROM {base_name(PYTHON)}\nCOPY root/ /\n"
    return _tar({"Dockerfile": dockerfile.encode(), "root/usr/local/bin/pip": program, **files})


def _tar(files: dict[str, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    made.seek(0)
    return made


def _build(client: docker.DockerClient, context: io.BytesIO, name: str, **arguments: str) -> None:
    steps = client.api.build(
        fileobj=context,
        custom_context=True,
        tag=name,
        buildargs=arguments,
        network_mode="none",
        rm=True,
        forcerm=True,
        decode=True,
    )
    said = [str(step.get("stream") or step.get("error") or "") for step in steps]
    assert any("Successfully tagged" in each for each in said), "".join(said)[-4000:]


def _forget(client: docker.DockerClient, image: str) -> None:
    try:
        client.images.remove(image, force=True)
    except docker.errors.ImageNotFound:
        return
