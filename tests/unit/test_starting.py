"""A runner that cannot start says why, and leaves nothing behind."""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.errors import DiskFailed
from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import running


async def test_a_part_that_cannot_be_opened_leaves_none_open(tmp_path: Path) -> None:
    """No connection, thread or task of the others: an unclosed one would fail this test."""
    (tmp_path / "spill").write_text("in the way")
    before = {each.name for each in threading.enumerate()}

    with pytest.raises(DiskFailed, match="File exists"):
        async with running(FakeBackend(), tmp_path):
            pytest.fail("it started")

    gc.collect()
    left = {each.name for each in threading.enumerate()} - before
    assert not [name for name in left if name.startswith("qflow")], left


def _serve(tmp_path: Path, **settings: str) -> subprocess.Popen[str]:
    given = {
        "BACKEND": "process",
        "PORT": "0",
        "DATA_DIR": f"{tmp_path}/data",
        "LOG_FORMAT": "json",
        "TOKEN": "t" * 16,
    }
    environment = {f"QFLOW_{name}": value for name, value in (given | settings).items()}
    command = [sys.executable, "-m", "qflow_runner", "serve"]
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("setting", ["DATA_DIR", "LAYERS_DIR", "FILES_DIR", "SPILL_DIR", "SHARED_DIR"])
def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, setting: str) -> None:
    """In one sentence, with what to do, and without a traceback."""
    (tmp_path / "file").touch()

    process = _serve(tmp_path, **{setting: f"{tmp_path}/file/below"})
    _, told = process.communicate(timeout=60)

    assert 1 == process.returncode
    assert "Traceback" not in told
    last = json.loads(told.splitlines()[-1])
    assert ("runner.failed", "error") == (last["event"], last["level"])
    assert f"{tmp_path}/file/below" in last["reason"]
    assert "Not a directory" in last["reason"]
    assert "QFLOW_DATA_DIR" in last["reason"] or "qflow settings" in last["reason"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, form: str) -> None:
    """An event in a log for programs, and the last line in one for people."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = _serve(tmp_path, PORT=str(taken.getsockname()[1]), LOG_FORMAT=form)
        _, told = process.communicate(timeout=60)

    assert 1 == process.returncode
    assert "Traceback" not in told
    last = told.splitlines()[-1]
    said = json.loads(last)["reason"] if form == "json" else last
    assert said.endswith(
        "address already in use. Another program listens there: stop it, or set another QFLOW_PORT."
    )


def test_a_start_and_a_stop_log_no_failure(tmp_path: Path) -> None:
    """And every line is an event."""
    events: list[dict[str, Any]] = []
    with _serve(tmp_path, PROT="1") as process:
        assert process.stderr is not None
        for line in process.stderr:
            events.append(json.loads(line))
            if events[-1]["event"] == "runner.listening":
                process.send_signal(signal.SIGTERM)

    assert 0 == process.returncode
    assert "runner.listening" in [each["event"] for each in events]
    assert not [each for each in events if each["level"] not in ("info", "warning")]
    assert not [each for each in events if each["event"] == "library"]
    assert ["QFLOW_PROT"] == [each["name"] for each in events if each["event"] == "setting.unknown"]
