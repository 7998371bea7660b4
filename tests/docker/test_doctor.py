"""`qflow doctor` on a host that is fit, and on one that is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from qflow_runner.doctor import checks
from qflow_runner.settings import Settings


def _doctor(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {
        "QFLOW_DATA_DIR": str(tmp_path / "data"),
        "QFLOW_PORT": "0",
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "qflow_runner", "doctor"]
    return subprocess.run(
        command, env=given | environment, capture_output=True, text=True, timeout=90, check=False
    )


def test_a_fit_host(tmp_path: Path) -> None:
    """Every part is named with what it is, a sandbox ran code, and nothing is left behind."""
    ended = _doctor(tmp_path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "code runs" in ended.stdout
    assert not (tmp_path / "data").exists()


async def test_a_container_that_does_not_say_what_docker_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker finds nothing where the runner's volumes are: the trial fails, and the advice names the setting."""
    mark = tmp_path / "in-a-container"
    mark.touch()
    monkeypatch.setattr(checks, "CONTAINER_MARKS", (mark,))
    monkeypatch.setattr(
        checks, "TRIAL", "def trial() -> dict:\n    raise ValueError('as where no sandbox starts')\n"
    )

    found = await checks.trial(Settings(data_dir=tmp_path / "data"))
    monkeypatch.setattr(checks, "CONTAINER_MARKS", ())
    told = await checks.trial(Settings(data_dir=tmp_path / "data"))

    assert "problem" == found.grade
    assert "QFLOW_DOCKER_MOUNTS" in found.advice
    assert "problem" == told.grade
    assert "QFLOW_DOCKER_MOUNTS" not in told.advice


def test_a_host_without_docker(tmp_path: Path) -> None:
    """The part that is missing is named, with what to do."""
    ended = _doctor(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/nothing.sock")

    assert ended.returncode == 1
    assert "Start Docker" in ended.stdout
