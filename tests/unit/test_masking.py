"""Secrets in the runner's log and answers: those that it knows, and what looks like one."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from qflow_agent import wire
from qflow_runner.api.starting import changed, know_secrets
from qflow_runner.observe import logs, masking
from qflow_runner.sandbox.fake import Answer, FakeBackend
from qflow_runner.settings import Settings
from tests.runner import TOKEN, running

KNOWN = "pa$$word/of-the-database"
TOKEN_FORM = "qf_0123456789ab_" + "A" * 43


@pytest.fixture(autouse=True)
def _unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", masking._Known())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a {KNOWN} b", "a *** b"),
        ("at pa%24%24word%2Fof-the-database", "at ***"),
        (f"the token {TOKEN_FORM} is", "the token qf_0123456789ab_*** is"),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer ***"),
        ("authorization: basic dXNlcjpwYXNzd29yZA==", "authorization: basic ***"),
        ("postgresql://me:hunter2@db/x", "postgresql://me:***@db/x"),
        ("rediss://:hunter2@cache:6379/0", "rediss://:***@cache:6379/0"),
        (
            "see https://example.org/a:b@c and http://[::1]:8717/x",
            "see https://example.org/a:b@c and http://[::1]:8717/x",
        ),
        (
            "basic functionality of the bearer authentication",
            "basic functionality of the bearer authentication",
        ),
        ("qf_short", "qf_short"),
    ],
)
def test_texts(text: str, shown: str) -> None:
    """What is no secret stays as it is."""
    masking.remember(KNOWN)

    assert shown == masking.masked(text)


def test_short_secrets_and_none_are_not_looked_for() -> None:
    """They would stand in every second word."""
    masking.remember("", "ab", "12345")

    assert "12345 ab" == masking.masked("12345 ab")


def test_the_log_has_no_secrets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In its values however deep, in tracebacks, and under telling names."""
    masking.remember(KNOWN)
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    logs.configure("json", "info")
    log = structlog.get_logger()
    try:
        int(KNOWN)
    except ValueError:
        log.exception(
            "x.failed", deep={"a": [{"b": (KNOWN,)}], "api_key": "short"}, password="short", token_made=True
        )
    structlog.reset_defaults()
    event: dict[str, Any] = json.loads(out.getvalue())

    assert KNOWN not in out.getvalue()
    assert "invalid literal for int() with base 10: '***'" in event["exception"]
    assert ({"a": [{"b": ["***"]}], "api_key": "***"}, "***", True) == (
        event["deep"],
        event["password"],
        event["token_made"],
    )


def test_the_settings_secrets_are_known(tmp_path: Path) -> None:
    """The token, the keys, and the passwords of addresses; and the log of a start shows none of them."""
    settings = Settings(
        data_dir=tmp_path,
        token="a-token-of-somebody",
        redis_url="redis://:the-redis-password@h",
        index_url="https://user:the-index-password@index/simple",
        memory_mb=1024,
    )
    know_secrets(settings, "a-token-of-somebody")
    told = changed(settings)

    for secret in ("a-token-of-somebody", "the-redis-password", "the-index-password"):
        assert "***" == masking.masked(secret)
        assert secret not in str(told)
    assert (1024, "***", "***") == (told["memory_mb"], told["token"], told["redis_url"])


async def test_problems_are_masked(tmp_path: Path) -> None:
    """Also what a guest says that got hold of the runner's token."""
    backend = FakeBackend()

    async def failing(run: wire.Run, payload: bytes | bytearray) -> Answer:
        problem = {"code": "code_raised", "detail": f"no {TOKEN}", "traceback": f"x {TOKEN_FORM}"}
        return wire.Failed(run.run, {"category": "user_code", **problem}), b""

    backend.answer = failing
    async with running(backend, tmp_path) as runner:
        status, reply = await runner.run("def f(item: dict) -> dict:\n    return item\n")

    assert (422, "no ***", "x qf_0123456789ab_***") == (status, reply["detail"], reply["traceback"])
