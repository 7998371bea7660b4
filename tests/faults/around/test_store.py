"""The database is locked, read-only, broken, newer, away or hung: runs go on, nothing is recorded twice or lost."""

import asyncio
import gc
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.postgres import Postgres
from qflow_runner.store import database, recorder
from tests.faults.around.conftest import SmallDisk, Start
from tests.faults.around.helpers import GOOD, all_recorded, until, works
from tests.runner import RunnerClient

LOCKER = (
    "import sqlite3, sys\n"
    "base = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    "base.execute('BEGIN EXCLUSIVE')\n"
    "print('locked', flush=True)\n"
    "sys.stdin.read()\n"
    "base.execute('ROLLBACK')\n"
)
PUT_BACK_S = 20.0


# SQLAlchemy forgets a connection of which the opening or a statement is cancelled, as it is at a deadline.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function Connection.__del__:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The next attempt comes at once."""
    monkeypatch.setattr(database, "RETRY_S", 0.1)
    monkeypatch.setattr(recorder, "AGAIN_S", 0.2)
    yield
    gc.collect()


async def away(runner: RunnerClient, *words: str) -> None:
    """Runs of what is known go on; what needs the database is refused with the reason; nothing is a mistake of ours."""
    status, reply = await runner.call("PUT", "/v1/saved/name", json={"code": GOOD})
    assert (503, "unavailable", "database_unavailable") == (status, reply["category"], reply["code"]), reply
    assert any(word in reply["detail"] for word in words), reply["detail"]
    assert reply["hint"]


async def test_another_process_locks_the_store(start: Start, tmp_path: Path) -> None:
    """Runs are answered within the deadline, and recorded when the lock is gone."""
    runner = await start(database_deadline_s=1)
    runs = [(await works(runner))["run"]]
    command = [sys.executable, "-c", LOCKER, str(tmp_path / "data" / "qflow.db")]
    locker = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert b"locked\n" == await locker.stdout.readline()
    async with asyncio.timeout(3):
        first = await works(runner)
    async with asyncio.timeout(1):  # only the first of them has to wait
        replies = [first, *[await works(runner, number) for number in range(20)]]
    assert not any(each["recorded"] for each in replies)
    await away(runner, "locked", "in time")
    locker.stdin.close()
    await locker.wait()

    await all_recorded(runner, runs + [each["run"] for each in replies])
    assert (await works(runner))["recorded"]


async def test_the_store_is_read_only(start: Start, small_disk: SmallDisk) -> None:
    """At a start; when it can be written to, the runner finds that by itself."""
    disk = small_disk(8192)
    url = f"sqlite:///{disk}/store.db"
    await remount(disk, "ro")
    runner = await start(database_url=url, database_deadline_s=1)
    await away(runner, "read-only", "readonly", "Read-only", "unable to open")
    _, ready = await runner.call("GET", "/readyz")
    assert not ready["parts"]["database"]["ok"]

    await remount(disk, "rw")
    await until(lambda: saved(runner))
    assert (await works(runner))["recorded"]


@pytest.mark.parametrize("where", ["its first page", "its other pages"])
async def test_the_store_is_overwritten_before_a_start(start: Start, tmp_path: Path, where: str) -> None:
    """It is told as what it is, and not touched; without the file the runner begins anew."""
    path = await written(start, tmp_path)
    content = bytearray(path.read_bytes())
    page = int.from_bytes(content[16:18], "big")
    if where == "its first page":
        content[100:page] = os.urandom(page - 100)
    else:
        content[page:] = os.urandom(len(content) - page)
    path.write_bytes(content)
    runner = await start(database_url=f"sqlite:///{path}", database_deadline_s=1, data_dir=tmp_path / "other")

    await away(runner, "malformed", "not a database", "disk image")
    assert bytes(content) == path.read_bytes()
    path.unlink()
    await until(lambda: saved(runner))
    assert (await works(runner))["recorded"]


async def test_the_store_is_overwritten_under_a_runner(start: Start, tmp_path: Path) -> None:
    """Runs are answered; which of them are recorded is told; a restored file takes all that is owed."""
    path = tmp_path / "store.db"
    runner = await start(database_url=f"sqlite:///{path}", database_deadline_s=1)
    before = (await works(runner))["run"]
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()
    good = path.read_bytes()
    with path.open("r+b") as file:
        file.write(b"garbage " * (len(good) // 8))
    replies = [await works(runner, number) for number in range(10)]
    assert not replies[-1]["recorded"]
    await away(runner, "malformed", "not a database", "disk image")
    for name in ("store.db-wal", "store.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "good.db").write_bytes(good)
    (tmp_path / "good.db").rename(path)

    await until(lambda: saved(runner))
    owed = [each["run"] for each in replies if not each["recorded"]]
    await all_recorded(runner, [before, *owed])


async def test_the_store_is_of_a_later_version(start: Start, tmp_path: Path) -> None:
    """It is left as it is, and the sentence says what it needs."""
    path = await written(start, tmp_path)
    base = sqlite3.connect(path)
    base.execute("UPDATE alembic_version SET version_num = '9999'")
    base.commit()
    base.close()
    runner = await start(database_url=f"sqlite:///{path}", database_deadline_s=1, data_dir=tmp_path / "other")

    await away(runner, "later", "newer", "9999")
    base = sqlite3.connect(path)
    assert [("9999",)] == base.execute("SELECT version_num FROM alembic_version").fetchall()
    base.execute("UPDATE alembic_version SET version_num = ?", (await current(),))
    base.commit()
    base.close()
    await until(lambda: saved(runner))
    await works(runner)


@pytest.mark.parametrize("fault", ["stopped", "killed", "hung"])
async def test_postgres_under_runs(
    start: Start, postgres: Postgres, fault: str, request: pytest.FixtureRequest
) -> None:
    """Six callers go on through it. Every answer's run is in the database once, as it was answered."""
    name = f"fault_{fault}"
    url = await postgres.create(name)
    runner = await start(database_url=url, database_deadline_s=1)
    await works(runner)
    replies: list[dict[str, object]] = []
    over = asyncio.Event()

    async def caller(number: int) -> None:
        while not over.is_set():
            began = asyncio.get_running_loop().time()
            replies.append(await works(runner, number, execution=f"e{number}"))
            assert asyncio.get_running_loop().time() - began < 4
            await asyncio.sleep(0.01)  # so that there are not more than a page has

    callers = [asyncio.create_task(caller(each)) for each in range(6)]
    await until(lambda: true(len(replies) > 30))
    await FAULTS[fault](postgres, over)
    await until(lambda: true(replies[-1]["recorded"] is True))
    over.set()
    await asyncio.gather(*callers)

    assert any(not each["recorded"] for each in replies), "nothing was owed, so nothing was tested"
    runs = [str(each["run"]) for each in replies]
    await until(lambda: true(runner.state.recorder.owed == 0))
    for each in runs:
        assert 200 == (await runner.call("GET", f"/v1/runs/{each}"))[0]
    counted = 1 + len(set(runs))
    assert counted == await stored(runner)
    assert (await works(runner))["recorded"]


async def stop_and_start(postgres: Postgres, _: asyncio.Event) -> None:
    await postgres.stop()
    await asyncio.sleep(2)  # long enough that records are owed
    await postgres.start()


async def kill_and_start(postgres: Postgres, _: asyncio.Event) -> None:
    for pid in (postgres._process.pid, *children(postgres._process.pid)):
        os.kill(pid, signal.SIGKILL)
    await postgres._process.ended()
    await asyncio.sleep(1)
    await postgres.start()


async def freeze(postgres: Postgres, _: asyncio.Event) -> None:
    pids = [postgres._process.pid, *children(postgres._process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(4)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


FAULTS = {"stopped": stop_and_start, "killed": kill_and_start, "hung": freeze}


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def remount(disk: Path, how: str) -> None:
    mounting = await asyncio.create_subprocess_exec("mount", "-o", f"remount,{how}", disk)
    assert 0 == await mounting.wait()


async def true(said: bool) -> bool:
    return said


async def saved(runner: RunnerClient) -> bool:
    return 200 == (await runner.call("PUT", "/v1/saved/name", json={"code": GOOD}))[0]


async def written(start: Start, tmp_path: Path) -> Path:
    """A store with something in it, whole in one file, and nobody at it."""
    path = tmp_path / "store.db"
    settings = {"data_dir": tmp_path / "first", "database_url": f"sqlite:///{path}"}
    runner = await start(**settings)
    for number in range(20):
        await works(runner, number)
    await runner.state.recorder.close()
    await runner.state.database.close()
    for name in ("store.db-wal", "store.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    return path


async def current() -> str:
    from qflow_runner.store.sql import HEAD

    return HEAD


async def stored(runner: RunnerClient) -> int:
    from sqlalchemy import func, select

    from qflow_runner.store.sql.tables import node_runs

    return await runner.state.database.read(
        lambda connection: connection.scalar(select(func.count()).select_from(node_runs))
    )
