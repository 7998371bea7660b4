"""Where Docker finds the directories of a runner that is a container."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from qflow_runner.errors import SandboxError
from qflow_runner.layers.sources import _uv_for_sandboxes
from qflow_runner.sandbox.host_paths import HostPaths
from qflow_runner.settings import Settings

VOLUMES = {"data": "/var/lib/docker/volumes/data/_data", "layers": "/disk/layers"}


def place_of(name: str) -> str:
    return VOLUMES[name]


def test_without_mounts_paths_are_the_same() -> None:
    """On a host Docker is asked for nothing."""

    def never(name: str) -> str:
        raise AssertionError(name)

    assert HostPaths().on_host(Path("/run/qflow-1/a"), never) == "/run/qflow-1/a"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/var/lib/qflow/files/a", "/var/lib/docker/volumes/data/_data/files/a"),
        ("/var/lib/qflow/layers/b", "/disk/layers/b"),
        ("/var/lib/qflow/layers", "/disk/layers"),
        ("/var/lib/qflow/layers-uv/uv", "/var/lib/docker/volumes/data/_data/layers-uv/uv"),
        ("/var/lib/qflow/layers/../files", "/var/lib/docker/volumes/data/_data/files"),
        ("/srv/run/s", "/srv/qflow/run/s"),
    ],
)
def test_the_deepest_mount_counts(path: str, found: str) -> None:
    """By whole names of directories, after .. has been taken out; a host's directory needs no asking."""
    mounts = ["data:/var/lib/qflow", "layers:/var/lib/qflow/layers", "/srv/qflow/run:/srv/run"]

    assert HostPaths(mounts).on_host(Path(path), place_of) == found


@pytest.mark.parametrize("path", ["/etc/passwd", "/var/lib/qflow-other/a", "/var/lib/qflow/../x", "/"])
def test_what_is_in_no_mount_is_refused(path: str) -> None:
    """Docker would make an empty directory of that name, and the sandbox would wait for a socket in it."""
    with pytest.raises(SandboxError, match="QFLOW_DOCKER_MOUNTS"):
        HostPaths(["data:/var/lib/qflow"]).on_host(Path(path), place_of)


def test_a_volume_is_asked_for_once() -> None:
    """And again when that failed: Docker may have been away."""
    asked: list[str] = []

    def find(name: str) -> str:
        asked.append(name)
        if len(asked) == 1:
            raise ConnectionError
        return "/v"

    paths = HostPaths(["data:/d"])
    with pytest.raises(ConnectionError):
        paths.on_host(Path("/d/a"), find)

    assert [paths.on_host(Path("/d/a"), find), paths.on_host(Path("/d/b"), find)] == ["/v/a", "/v/b"]
    assert asked == ["data", "data"]


def test_the_setting_is_a_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Separated by commas or spaces."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("QFLOW_DOCKER_MOUNTS", f"a:{tmp_path}/data, /srv/b:{tmp_path}/run")

    assert Settings(data_dir=tmp_path / "data").docker_mounts == [
        f"a:{tmp_path}/data",
        f"/srv/b:{tmp_path}/run",
    ]


@pytest.mark.parametrize("value", ["data", "data:relative", ":/x", "da ta:/x", "../up:/x", "data:/x:ro"])
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("QFLOW_DOCKER_MOUNTS", value)

    with pytest.raises(ValidationError, match=r"docker_mounts"):
        Settings()


@pytest.mark.parametrize("missing", ["run", "layers", "files"])
def test_a_directory_outside_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    """And not when the first sandbox boots."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    places = {"run": tmp_path / "run", "layers": tmp_path / "layers", "files": tmp_path / "files"}
    mounts = [f"v-{name}:{path}" for name, path in places.items() if name != missing]

    with pytest.raises(ValidationError, match="QFLOW_DOCKER_MOUNTS"):
        Settings(
            data_dir=tmp_path / "data",
            layers_dir=places["layers"],
            files_dir=places["files"],
            docker_mounts=mounts,
        )


def test_the_process_backend_takes_no_notice() -> None:
    """Sandboxes are then processes beside the runner, which see what it sees."""
    assert Settings(backend="process").docker_mounts == []


def test_builds_get_a_uv_that_docker_finds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a container it is copied to where the layers are, again after an update, and used as it is elsewhere."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    uv = tmp_path / "uv"
    uv.write_bytes(b"one")
    os.utime(uv, (1000, 1000))
    mounts = [f"data:{tmp_path}/data", f"run:{tmp_path}/run"]
    settings = Settings(data_dir=tmp_path / "data", docker_mounts=mounts)

    copy = _uv_for_sandboxes(settings, uv)
    assert copy.read_bytes() == b"one"
    assert copy.stat().st_mode & 0o777 == 0o755
    assert HostPaths(mounts).on_host(copy, lambda name: f"/host/{name}").startswith("/host/data/")
    inode = copy.stat().st_ino
    assert _uv_for_sandboxes(settings, uv).stat().st_ino == inode

    uv.write_bytes(b"two")
    assert _uv_for_sandboxes(settings, uv).read_bytes() == b"two"
    assert _uv_for_sandboxes(Settings(data_dir=tmp_path / "data"), uv) == uv
