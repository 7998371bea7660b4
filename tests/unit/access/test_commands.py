"""`qflow token`, `qflow audit` and `qflow keys`, as programs beside a runner, and without one."""

import asyncio
import json
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qflow_runner.sandbox.fake import FakeBackend
from tests.runner import RunnerClient, running
from tests.unit import test_cli


@pytest.fixture
async def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunnerClient]:
    monkeypatch.setenv("QFLOW_DATA_DIR", str(tmp_path))
    async with running(FakeBackend(), tmp_path, pool_floor=0) as client:
        yield client


async def qflow(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Beside the runner, which is in this process and must not be held up: it may be writing just then."""
    return await asyncio.to_thread(test_cli.qflow, *arguments)


async def test_a_token_of_the_command_is_taken_and_revoked(runner: RunnerClient) -> None:
    """By a runner that runs meanwhile; wrong words end with a sentence and status 1."""
    made = await qflow("token", "create", "n8n", "--scope", "n8n", "--expires", "90d")
    token = made.stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    assert (0, "qf_") == (made.returncode, token[:3]), made.stderr
    assert 200 == (await runner.call("GET", "/v1/sandboxes", headers=headers))[0]
    listed = await qflow("token", "list")
    identity = token.split("_")[1]
    assert identity in listed.stdout
    assert token not in listed.stdout
    assert identity == (await qflow("token", "revoke", identity)).stdout.strip()
    await runner.state.tokens.refresh()

    assert 401 == (await runner.call("GET", "/v1/sandboxes", headers=headers))[0]
    for words in (
        ["revoke", "none"],
        ["create", "x", "--scope", "root"],
        ["create", "x", "--scope", "run", "--expires", "1"],
    ):
        wrong = await qflow("token", *words)
        assert (1, 1) == (wrong.returncode, wrong.stderr.count("\n")), wrong.stderr


async def test_the_audit_log_is_listed_and_verified(runner: RunnerClient, tmp_path: Path) -> None:
    """With what runner and command wrote, in one chain; a changed row is named, with status 1."""
    await runner.define("def f(item: dict) -> dict:\n    return item\n")
    (await qflow("token", "create", "a", "--scope", "run"))
    rows = [
        json.loads(line) for line in (await qflow("audit", "list", "--format", "json")).stdout.splitlines()
    ]
    good = await qflow("audit", "verify")

    assert ["token.created", "definition.put", "runner.started"] == [row["action"] for row in rows]
    assert ["command", "tests", "tests"] == [row["runner"] for row in rows]
    assert (0, "3 rows, from 1 to 3") == (good.returncode, good.stdout[:19])
    assert (
        "definition.put" in (await qflow("audit", "list", "--action", "definition", "--since", "1h")).stdout
    )
    with sqlite3.connect(tmp_path / "qflow.db") as connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("UPDATE audit SET object = 'x' WHERE seq = 2")
    connection.close()
    bad = await qflow("audit", "verify")
    assert 1 == bad.returncode
    assert "Row 2 was altered" in bad.stderr


async def test_a_key_is_changed_under_a_runner(runner: RunnerClient, tmp_path: Path) -> None:
    """It reads and writes on; the old key goes when nothing needs it."""
    code = "def f(item: dict) -> dict:\n    return item\n"
    status, _ = await runner.call("PUT", "/v1/saved/one", json={"code": code})
    assert 200 == status
    old = runner.state.database.keys.newest
    rotated = await qflow("keys", "rotate")
    assert 0 == rotated.returncode, rotated.stderr
    new = rotated.stdout.split()[0]
    assert "2 definitions" not in rotated.stdout
    assert "1 definitions, 1 saved versions" in rotated.stdout
    assert (200, code) == await _code_of(runner, "one")
    status, _ = await runner.call("PUT", "/v1/saved/two", json={"code": code + "\n"})
    assert 200 == status
    assert 1 == (await qflow("keys", "remove", new)).returncode
    runner.state.database.keys.look_again()
    assert new == runner.state.database.keys.newest
    assert 0 == (await qflow("keys", "rotate")).returncode
    removed = await qflow("keys", "remove", old)

    assert 0 == removed.returncode, removed.stderr
    assert old not in (await qflow("keys", "status")).stdout
    assert (200, code + "\n") == await _code_of(runner, "two")


async def _code_of(runner: RunnerClient, name: str) -> tuple[int, str]:
    status, reply = await runner.call("GET", f"/v1/saved/{name}")
    return status, reply.get("content", {}).get("code", "")
