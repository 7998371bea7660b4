"""With the package index that this machine is set up for. These tests need it; all others bring their own."""

import sys
from pathlib import Path

import pytest

from qflow_runner import errors
from qflow_runner.layers import Layers, compile_here
from qflow_runner.settings import Settings
from tests.unit.test_cli import qflow

HERE = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the runner and the command keep their things."""
    monkeypatch.setenv("QFLOW_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QFLOW_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


async def test_packages_are_locked_and_installed(home: Path) -> None:
    """With sizes, with hashes of each wheel, for a Python that is not the runner's."""
    layers = Layers(Settings(), compile_here)
    await layers.open()
    try:
        lock = await layers.locks.lock(["six", "Packaging >= 23"], "3.10")
        layer = await layers.layer(lock)
    finally:
        await layers.close()

    assert ["packaging", "six"] == [package.name for package in lock.packages]
    assert all(package.size > 1_000 for package in lock.packages)
    assert lock.text.count("--hash=sha256:") >= 2
    assert ("packaging", "six") == layer.modules


async def test_what_the_index_does_not_have_is_explained(home: Path) -> None:
    """In the words of the lines."""
    layers = Layers(Settings(), compile_here)
    await layers.open()
    try:
        with pytest.raises(errors.PackageUnknown) as unknown:
            await layers.locks.lock(["six", "reqeusts-qflow-none"], "3.12")
        with pytest.raises(errors.RequirementsConflict) as conflict:
            await layers.locks.lock(["requests==2.31.0", "urllib3<1.21"], "3.12")
        with pytest.raises(errors.VersionMissing):
            await layers.locks.lock(["six==99"], "3.12")
    finally:
        await layers.close()

    assert "'reqeusts-qflow-none'" in unknown.value.detail
    assert "'requests==2.31.0'" in conflict.value.detail
    assert "'urllib3<1.21'" in conflict.value.detail


def test_the_command_builds_lists_upgrades_and_removes(home: Path) -> None:
    """`qflow layers`, as an operator uses it."""
    file = home / "requirements.txt"
    file.write_text("six==1.16.0  # an old one\n")
    built = qflow("layers", "build", "--requirements", str(file), "--python", HERE)
    layer = built.stdout.split()[0]
    listed = qflow("layers", "list")
    same = qflow("layers", "upgrade", "six==1.16.0", "--python", HERE, "--yes")
    removed = qflow("layers", "remove", layer[:8])
    again = qflow("layers", "remove", layer)
    refused = qflow("layers", "build", "-r", str(file), "--", "-e .")
    nothing = qflow("layers", "build")

    assert [0, 0, 0, 0, 1, 1, 2] == [
        each.returncode for each in (built, listed, same, removed, again, refused, nothing)
    ]
    assert "done" in built.stderr
    assert "1.16.0" in listed.stdout
    assert "Nothing changes." in same.stdout
    assert layer == removed.stdout.strip()
    assert "There is no layer" in again.stderr
    assert "'-e .' is not taken" in refused.stderr
