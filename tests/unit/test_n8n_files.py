"""What `qflow n8n-files` leaves in a directory."""

import json
import os
from pathlib import Path

import pytest

from qflow_runner.n8n_files import write_files


def test_the_files_are_written_with_address_and_token(tmp_path: Path) -> None:
    """The token is for n8n's user alone, and the sentences name the variables of n8n but never the token."""
    folder = tmp_path / "made" / "here"
    sentences = write_files(folder, "http://runner:8717/", "secret-of-the-runner")

    assert {"qflow-hooks.cjs", "qflow-editor.js", "qflow.json"} == {path.name for path in folder.iterdir()}
    assert {"url": "http://runner:8717", "token": "secret-of-the-runner"} == json.loads(
        (folder / "qflow.json").read_text()
    )
    assert any(f"EXTERNAL_HOOK_FILES={folder}/qflow-hooks.cjs" in each for each in sentences)
    assert any("EXTERNAL_FRONTEND_HOOKS_URLS=/rest/qflow/editor.js" in each for each in sentences)
    assert not any("secret-of-the-runner" in each for each in sentences)


def test_only_the_owner_reads_the_token_whatever_the_umask(tmp_path: Path) -> None:
    """The scripts may be read by anybody: they hold nothing secret."""
    before = os.umask(0)
    try:
        write_files(tmp_path, "http://runner:8717", "a-token")
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert {"qflow-hooks.cjs": 0o644, "qflow-editor.js": 0o644, "qflow.json": 0o600} == modes


def test_writing_again_replaces_what_was_there(tmp_path: Path) -> None:
    """Also a link, which is not followed."""
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "qflow.json").symlink_to(other)

    write_files(tmp_path, "http://a", "a-token")
    write_files(tmp_path, "http://b", "b-token")

    assert "mine" == other.read_text()
    assert "http://b" == json.loads((tmp_path / "qflow.json").read_text())["url"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_directory(tmp_path: Path) -> None:
    """n8n in a container runs as another user than the administrator, and must be able to read its token."""
    tmp_path.chmod(0o755)
    os.chown(tmp_path, 1000, 1000)

    write_files(tmp_path, "http://runner:8717", "a-token")

    assert {1000} == {path.stat().st_uid for path in tmp_path.iterdir()}
