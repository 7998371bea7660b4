"""What `qflow doctor` says of settings and directories, which need no Docker to be looked at."""

from pathlib import Path

import pytest

from qflow_runner.doctor import checks
from qflow_runner.settings import Settings


async def test_directories_that_are_set_apart_are_looked_at_too(tmp_path: Path) -> None:
    plain = await checks.directories(Settings(data_dir=tmp_path / "data", layers_dir=tmp_path / "data" / "l"))
    apart = await checks.directories(
        Settings(data_dir=tmp_path / "data", layers_dir=tmp_path / "l", files_dir=tmp_path / "f")
    )

    assert ["data directory"] == [each.part for each in plain]
    assert ["data directory", "layers", "files"] == [each.part for each in apart]
    assert {"ok"} == {each.grade for each in (*plain, *apart)}
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("data_dir", "data directory"),
        ("layers_dir", "layers"),
        ("files_dir", "files"),
        ("spill_dir", "spilled values"),
    ],
)
async def test_a_file_in_the_way_is_named(tmp_path: Path, setting: str, part: str) -> None:
    (tmp_path / "file").touch()
    places = {"data_dir": tmp_path / "data", "layers_dir": tmp_path / "data" / "layers"}
    found = await checks.directories(Settings(**places | {setting: tmp_path / "file" / "below"}))

    wrong = {each.part: each for each in found if each.grade == "problem"}
    assert f"{tmp_path}/file is not a directory." == wrong[part].found
    assert f"QFLOW_{setting.upper()}" in wrong[part].advice


async def test_a_variable_that_is_no_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QFLOW_PROT", "1")
    monkeypatch.setenv("QFLOW_PORT", "0")

    [found] = await checks.settings_given(Settings())

    assert ("warning", "QFLOW_PROT is no setting, and has no effect.") == (found.grade, found.found)
    assert "QFLOW_PORT" in found.advice
