"""What strangers wrote, in a terminal: it is seen, and does nothing."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from qflow_runner.cli.terminal import Terminal
from qflow_runner.visible import visible

ESCAPE, C1, RIGHT_TO_LEFT = "\x1b[31m\x1b]0;t", "\x9b31m", "a\u202eb"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("lines\nand\ttabs", "lines\nand\ttabs"),
        ("Straße 東京 🎉 עברית e\u0301", "Straße 東京 🎉 עברית e\u0301"),
        (ESCAPE, "␛[31m␛]0;t"),
        ("back\rover\x7f\x08\x07", "back␍over␡␈␇"),
        (C1, "<U+009B>31m"),
        (RIGHT_TO_LEFT, "a<U+202E>b"),
        ("a\u200bb\ufeff\u2028", "a<U+200B>b<U+FEFF><U+2028>"),
        ("half \ud83d", "half <U+D83D>"),
    ],
)
def test_what_would_act_or_hide_is_shown(text: str, shown: str) -> None:
    assert shown == visible(text)
    assert shown == visible(visible(text))


@pytest.mark.parametrize("kind", ["text", "cell", "styled"])
def test_a_terminal_obeys_no_text(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its markup nor its control characters, wherever in what is printed it stands."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("COLUMNS", "100")
    given = f"[/b] [red]x[/] :smile: {ESCAPE}{C1}"
    table = Table("Name")
    table.add_row(given)

    Terminal().print({"text": given, "cell": table, "styled": Text(given, style="bold")}[kind])

    assert "[/b] [red]x[/] :smile: ␛[31m␛]0;t<U+009B>31m" in out.getvalue()
    assert not set("\x1b\x9b") & set(out.getvalue())


def test_styles_of_ours_are_still_made(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    Terminal(markup=True).print(f"[red]ours[/] {ESCAPE}")

    assert "\x1b[31mours\x1b[0m ␛[31m␛]0;t" in out.getvalue()


def qflow(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qflow_runner", *arguments]
    environment = {**os.environ, "QFLOW_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "120"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_names_with_markup_are_listed_as_they_are(tmp_path: Path) -> None:
    """Of tokens, in the audit log, and of definitions."""
    name = "[/b] [red]x :smile:"
    code = tmp_path / "f.py"
    code.write_text("def f(n: int) -> int:\n    return n\n")
    made = qflow(tmp_path, "token", "create", name, "--scope", "run")
    saved = qflow(tmp_path, "definitions", "save", str(code), "--name", name)

    assert [0, 0] == [made.returncode, saved.returncode], saved.stderr
    for command in (("token", "list"), ("audit", "list"), ("definitions", "list")):
        listed = qflow(tmp_path, *command)
        assert (0, "") == (listed.returncode, listed.stderr)
        assert name in " ".join(listed.stdout.split()), command


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("token", "list"), "qflow token create"),
        (("audit", "list"), "No such entry."),
        (("layers", "list"), "qflow layers build"),
        (("definitions", "list"), "qflow definitions save"),
        (("definitions", "list", "pri"), "No name has 'pri' in it."),
    ],
)
def test_where_there_is_nothing_a_sentence_says_so(
    tmp_path: Path, command: tuple[str, ...], told: str
) -> None:
    listed = qflow(tmp_path, *command)

    assert (0, "") == (listed.returncode, listed.stdout)
    assert told in listed.stderr


def test_the_log_for_people_obeys_no_text() -> None:
    """The log for programs escapes all but ASCII by itself."""
    code = (
        "import structlog\nfrom qflow_runner.observe import logs\n"
        "logs.configure({form!r}, 'info')\n"
        "structlog.get_logger().info('run', node='\\x1b[31mred\\x9b', deep=['\\x1b[1m'])\n"
    )
    shown = {
        form: subprocess.run(
            [sys.executable, "-c", code.format(form=form)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stderr
        for form in ("console", "json")
    }

    assert "␛[31mred<U+009B>" in shown["console"]
    assert "\x1b[31mred" not in shown["console"]
    assert "\\x1b[1m" in shown["console"]
    assert shown["json"].isascii()
    assert "\x1b[31mred\x9b" == json.loads(shown["json"])["node"]
