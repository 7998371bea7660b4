"""Tokens over HTTP: made, used, over, revoked; here at once, in another runner within seconds."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.access import Tokens, effective, expanded, read_age
from qflow_runner.access import tokens as module
from qflow_runner.errors import DatabaseUnavailable, RequestError, Unauthorized
from qflow_runner.sandbox.fake import FakeBackend
from qflow_runner.settings import Settings
from qflow_runner.store import Database, StoredTokens
from tests.runner import RunnerClient, running

OWN = "the-runner's-own-token-of-many-characters"


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[RunnerClient]:
    async with running(FakeBackend(), tmp_path, pool_floor=0) as client:
        yield client


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(Settings(data_dir=tmp_path))
    await database.open()
    yield database
    await database.close()


async def made(runner: RunnerClient, *scopes: str, **more: Any) -> dict[str, Any]:
    status, reply = await runner.call("POST", "/v1/tokens", json={"name": "a", "scopes": scopes, **more})
    assert 200 == status, reply
    return reply


async def seen(runner: RunnerClient, token: str, path: str = "/v1/sandboxes") -> tuple[int, str]:
    status, reply = await runner.call("GET", path, headers={"Authorization": f"Bearer {token}"})
    return status, reply.get("code", "")


async def test_a_token_is_shown_once_and_kept_as_a_hash(runner: RunnerClient, tmp_path: Path) -> None:
    """Neither a list nor the database's file has it."""
    reply = await made(runner, "read")
    token = reply["token"]
    _, listed = await runner.call("GET", "/v1/tokens")

    assert token.startswith(f"qf_{reply['id']}_")
    assert (200, "") == await seen(runner, token)
    assert [reply["id"]] == [each["id"] for each in listed["tokens"]]
    assert "token" not in listed["tokens"][0]
    stored = b"".join((tmp_path / name).read_bytes() for name in ("qflow.db", "qflow.db-wal"))
    assert token.encode() not in stored
    assert hashlib.sha256(token.encode()).hexdigest().encode() in stored


async def test_a_revoked_token_is_refused_at_once(runner: RunnerClient) -> None:
    """Also one that was verified a moment ago; revoking it again is no mistake."""
    reply = await made(runner, "read")
    assert (200, "") == await seen(runner, reply["token"])
    for _ in range(2):
        assert 200 == (await runner.call("DELETE", f"/v1/tokens/{reply['id']}"))[0]

    assert (401, "unauthorized") == await seen(runner, reply["token"])
    assert 404 == (await runner.call("DELETE", "/v1/tokens/none"))[0]


async def test_a_token_ends_when_its_time_is_over(
    runner: RunnerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is in memory or not."""
    token = (await made(runner, "read", expires="1d"))["token"]
    other = (await made(runner, "read", expires="1d"))["token"]
    assert (200, "") == await seen(runner, token)
    real = time.time
    monkeypatch.setattr(module.time, "time", lambda: real() + 90_000)

    assert (401, "unauthorized") == await seen(runner, token)
    assert (401, "unauthorized") == await seen(runner, other)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["root"]},
        {"name": "", "scopes": ["read"]},
        {"name": "a\nb", "scopes": ["read"]},
        {"name": "a", "scopes": ["read"], "expires": "soon"},
        {"name": "a", "scopes": ["read"], "expires": "0d"},
        {"name": "a", "scopes": ["read"], "expires": "900y"},
        {"name": "a", "scopes": ["read"], "more": 1},
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(runner: RunnerClient, body: dict[str, Any]) -> None:
    """With a sentence, and nothing is made."""
    status, reply = await runner.call("POST", "/v1/tokens", json=body)

    assert (400, "request_invalid") == (status, reply["code"])
    assert {"tokens": []} == (await runner.call("GET", "/v1/tokens"))[1]


async def test_two_runners_see_the_same_tokens(tmp_path: Path, database: Database) -> None:
    """What one makes the other takes; what one revokes the other refuses after it looked again."""
    here, there = Tokens(StoredTokens(database), OWN), Tokens(StoredTokens(database), "")
    token = await here.create("a", ["run"], by="me")
    caller = await there.verify(token.token)
    assert caller is not None
    assert caller == there.known(token.token)
    await here.revoke(token.row.id)
    assert there.known(token.token) == caller
    await there.refresh()

    assert there.known(token.token) is None
    with pytest.raises(Unauthorized, match="revoked"):
        await there.verify(token.token)
    assert await there.verify(token.token[:-1] + ("A" if token.token[-1] != "A" else "B")) is None
    assert module.REFRESH_S < 5
    await asyncio.gather(here.close(), there.close())


async def test_when_it_was_last_used_is_written_seldom(database: Database) -> None:
    """And at the end."""
    tokens = Tokens(StoredTokens(database), OWN)
    token = await tokens.create("a", ["run"], by="me")
    await tokens.verify(token.token)
    await tokens.refresh()
    first = (await tokens.every())[0].used
    tokens.known(token.token)
    await tokens.refresh()
    assert first == (await tokens.every())[0].used
    assert first is not None
    await tokens.close()

    last = (await tokens.every())[0].used
    assert last is not None
    assert last > first


async def test_a_verified_token_outlives_a_database_that_is_away_for_a_while(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not for ever: nobody could revoke it there."""
    tokens = Tokens(StoredTokens(database), OWN)
    token = (await tokens.create("a", ["run"], by="me")).token
    await tokens.verify(token)
    await database.close()
    assert tokens.known(token) is not None
    real = time.monotonic
    monkeypatch.setattr(module.time, "monotonic", lambda: real() + module.TRUSTED_S + 1)

    with pytest.raises(DatabaseUnavailable):
        tokens.known(token)
    assert tokens.known(OWN) is not None


async def test_a_verified_token_costs_microseconds(database: Database) -> None:
    """It is on the path of every run."""
    tokens = Tokens(StoredTokens(database), OWN)
    token = (await tokens.create("a", ["run"], by="me")).token
    await tokens.verify(token)
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(200):
            tokens.known(token)
        best = min(best, (time.perf_counter() - began) / 200)
    await tokens.close()

    assert best < 20e-6


def test_scopes_and_what_they_imply() -> None:
    """`n8n` is a name for what the node needs."""
    assert ("run", "edit") == expanded(["n8n"])
    assert {"run", "edit", "read"} == effective(expanded(["n8n"]))
    assert {"run", "read", "edit", "admin"} == effective(["admin"])
    assert {"run"} == effective(["run"])
    assert (90 * 86_400, 1_800) == (read_age("90d"), read_age(" 30m "))
    with pytest.raises(RequestError, match="no scope 'root'"):
        expanded(["run", "root"])
