"""`qflow analyze` and `qflow check`, as programs with an exit status."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_authoring_api import BROKEN, FITTING


def qflow(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qflow_runner", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    found = {}
    for name, content in (("good", FITTING), ("bad", BROKEN)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(content))
        found[name] = str(path)
    return found


def test_check_ends_with_1_when_a_link_is_refused(files: dict[str, str]) -> None:
    """And prints what is wrong for a person."""
    good, bad = qflow("check", files["good"]), qflow("check", files["bad"])

    assert (0, 1) == (good.returncode, bad.returncode)
    assert "none refused" in good.stdout
    assert "1 refused" in bad.stdout
    assert "'a' gives str" in bad.stdout


def test_check_speaks_json_and_sarif(files: dict[str, str]) -> None:
    """For programs and for code hosts; several files are several reports."""
    form: dict[str, Any] = json.loads(qflow("check", files["bad"], "--format", "json").stdout)
    report: dict[str, Any] = json.loads(
        qflow("check", files["bad"], files["good"], "--format", "sarif").stdout
    )

    assert not form["ok"]
    assert "2.1.0" == report["version"]
    assert [1, 0] == [len(run["results"]) for run in report["runs"]]


def test_check_refuses_what_is_no_workflow(tmp_path: Path) -> None:
    """With a sentence and status 2."""
    path = tmp_path / "x.json"
    path.write_text("[]")
    ended = qflow("check", str(path)), qflow("check", str(tmp_path / "none.json"))

    assert [2, 2] == [each.returncode for each in ended]
    assert all(each.stderr.count("\n") == 1 for each in ended)


def test_analyze_shows_functions_and_mistakes() -> None:
    """From a file or from standard input; a mistake is status 1."""
    good = qflow("analyze", "-", stdin="def f(a: int) -> int:\n    return a\n")
    bad = qflow("analyze", "-", stdin="def f(:\n")
    form = qflow("analyze", "-", "--format", "json", stdin="def f(a: int) -> int: ...\n")

    assert (0, 1) == (good.returncode, bad.returncode)
    assert "f(a: int) -> int" in good.stdout
    assert "^" in bad.stdout
    assert "f" == json.loads(form.stdout)["entry"]


class _Other(BaseHTTPRequestHandler):
    """Some other service, which answers whatever is asked."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    do_POST = do_GET  # noqa: N815 - names of the standard library


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nonsense", "nonsense is no address of a runner"),
        ("ftp://x", "ftp://x is no address of a runner"),
        ("http://127.0.0.1:1", "Nobody answers at http://127.0.0.1:1: Connect call failed"),
        ("here", "is no runner: its answer is not JSON."),
    ],
)
def test_an_address_without_a_runner_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], address: str, told: str
) -> None:
    """In one sentence, with the option that says where one is."""
    monkeypatch.setenv("QFLOW_TOKEN", "t" * 16)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{other.server_port}" if address == "here" else address
        run = qflow("run", files["good"], "--url", place)
        upgrade = qflow("layers", "upgrade", "requests", "--runner", place)
        other.shutdown()

    for ended, option in ((run, "--url"), (upgrade, "--runner")):
        assert 1 == ended.returncode
        assert told in ended.stderr
        assert option in ended.stderr
        assert 1 == ended.stderr.count("\n")
