"""Records of runs: written before the answer, read back in pages, removed in time; on SQLite and PostgreSQL."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_runner.errors import RunUnknown
from qflow_runner.settings import Settings
from qflow_runner.store import Database, History, Recorder, RunRow, details_of, new_run_id, now_ms
from qflow_runner.store import recorder as recording
from tests.unit.store.conftest import Store

START = 1_800_000_000_000


def row(
    at: int,
    *,
    workflow: str = "w",
    execution: str = "e",
    node: str = "Node",
    outcome: str = "ok",
    **more: Any,
) -> RunRow:
    """A run that ended `at` milliseconds after the start of the test's time, and took 10."""
    code = "" if outcome == "ok" else "code_failed"
    ended = START + at
    return RunRow(new_run_id(ended), workflow, execution, node, "d" * 64, ended, outcome, code, 10.0, **more)


@pytest.fixture
async def recorder(store: Store) -> AsyncIterator[Recorder]:
    recorder = Recorder(store.database)
    yield recorder
    await recorder.close()


@pytest.fixture
def history(store: Store) -> History:
    return History(store.settings, store.database)


async def test_a_run_is_there_when_it_was_added(recorder: Recorder, history: History) -> None:
    """Every column, what was printed, and the problem come back as they were."""
    logs = [{"stream": "stdout", "text": "hello \0 \u2028 world"}]
    run = row(5, outcome="user_code", items_in=2, bytes_in=1 << 40, peak_mb=1.5, cached=True, layer="l")

    assert await recorder.add(run, details_of(run.id, {"detail": "It broke.", "item": 3}, logs))
    found = await history.run(run.id)
    assert run._asdict() == {name: found[name] for name in run._fields}
    assert ({"detail": "It broke.", "item": 3}, logs) == (found["problem"], found["logs"])


async def test_executions_are_listed_with_what_their_runs_come_to(
    recorder: Recorder, history: History
) -> None:
    """The newest execution first, its runs counted, its time from the first start to the last end."""
    for at, execution, outcome in ((10, "a", "ok"), (20, "b", "ok"), (30, "a", "timeout"), (40, "a", "ok")):
        await recorder.add(row(at, execution=execution, outcome=outcome))

    listed = await history.executions()
    assert [("b", 1, 0, False), ("a", 3, 1, True)] == [
        (each["execution"], each["runs"], each["failures"], bool(each["failed"])) for each in listed
    ]
    assert (START, START + 40) == (listed[1]["started"], listed[1]["ended"])
    assert ["a"] == [each["execution"] for each in await history.executions(failed=True)]


async def test_pages_follow_each_other_without_gap_or_repetition(
    recorder: Recorder, history: History
) -> None:
    """A page begins where the one before ended, whatever is added meanwhile."""
    await asyncio.gather(
        *(recorder.add(row(at, execution=str(at), workflow=f"w{at % 2}")) for at in range(60))
    )
    seen: list[str] = []
    before = ""
    while page := await history.executions(workflow="w1", before=before, limit=7):
        seen += [each["execution"] for each in page]
        before = page[-1]["id"]
        await recorder.add(row(1000 + len(seen), execution=f"new{len(seen)}", workflow="w1"))

    assert [str(at) for at in range(59, 0, -2)] == seen


async def test_runs_are_found_by_node_outcome_and_time(recorder: Recorder, history: History) -> None:
    """Each filter alone and with others."""
    for at in range(40):
        await recorder.add(row(at, node=f"n{at % 4}", outcome="memory" if at % 10 == 1 else "ok"))

    def times(page: Any) -> list[int]:
        return [run["ended"] - START for run in page.runs]

    assert [31, 21, 11, 1] == times(await history.runs(outcome="memory"))
    assert [21, 1] == times(await history.runs(outcome="memory", node="n1"))
    assert [38, 34] == times(await history.runs(node="n2", since_ms=START + 34))
    assert [37, 33] == times(await history.runs(node="n1", workflow="w", execution="e", limit=2))
    assert [] == times(await history.runs(workflow="other"))


async def test_a_search_that_was_cut_says_so(
    recorder: Recorder, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rare node is looked for among the newest runs, and who asks is told that there are older ones."""
    monkeypatch.setattr("qflow_runner.store.history.WITHIN", 10)
    for at in range(20):
        await recorder.add(row(at, node="rare" if at == 0 else "common"))

    assert (await history.runs(node="rare")).partial
    assert not (await history.runs(node="common", limit=5)).partial


async def test_the_oldest_and_the_surplus_are_removed(recorder: Recorder, store: Store) -> None:
    """What is left is not too old and not too much, and an execution without runs is gone."""
    now = now_ms()
    for age_days in (40, 31, 2, 1):
        ended = now - age_days * 86_400_000
        run = RunRow(new_run_id(ended), "w", f"e{age_days}", "n", "d", ended, "ok", "", 1.0)
        await recorder.add(run, details_of(run.id, None, [{"stream": "stdout", "text": "x"}]))
    history = History(store.settings, store.database)
    await history.tidy()

    assert ["e1", "e2"] == [each["execution"] for each in await history.executions()]
    few = History(store.settings.model_copy(update={"run_records_max": 1}), store.database)
    await few.tidy()
    assert ["e1"] == [each["execution"] for each in await history.executions()]


async def test_a_run_that_is_not_known(history: History) -> None:
    """It is an error that says how long records are kept."""
    with pytest.raises(RunUnknown, match="no record"):
        await history.run("0" * 32)


async def test_long_texts_are_cut_and_say_so(recorder: Recorder, history: History) -> None:
    """A log line of 10 MB does not fill the database."""
    run = row(1)
    await recorder.add(
        run, details_of(run.id, {"detail": "d" * 100_000}, [{"stream": "stdout", "text": "x" * 10_000_000}])
    )
    found = await history.run(run.id)

    assert len(found["logs"][0]["text"]) < 70_000
    assert found["logs"][0]["text"].endswith("first 64000 characters.")
    assert len(found["problem"]["detail"]) < 20_000


async def test_a_batch_may_be_written_twice(store: Store, recorder: Recorder, history: History) -> None:
    """Where nobody knows what became of a batch it is written again, and nothing is there twice."""
    records: list[recording.Record] = [(row(at, execution="e"), None) for at in range(3)]
    for _ in range(2):
        await store.database.add_runs(lambda: recording._batch(records, store.database.keys))

    assert [3] == [each["runs"] for each in await history.executions()]


async def test_runs_that_end_together_are_committed_together(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second commit takes all that came while the first was under way."""
    batches: list[int] = []
    add_runs = store.database.add_runs

    async def counted(batch: Any) -> None:
        batches.append(len(batch().runs))
        await add_runs(batch)

    monkeypatch.setattr(store.database, "add_runs", counted)
    assert all(await asyncio.gather(*(recorder.add(row(at)) for at in range(200))))
    assert 200 == sum(batches)
    assert len(batches) <= 2


async def test_nobody_waits_for_a_database_that_is_away(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says that the run is not recorded; when the database is back, it is, once."""
    monkeypatch.setattr(recording, "AGAIN_S", 0.05)
    away = True
    add_runs = store.database.add_runs

    async def sometimes(batch: Any) -> None:
        if away:
            raise store.database._away("it is away")
        await add_runs(batch)

    monkeypatch.setattr(store.database, "add_runs", sometimes)
    recorder = Recorder(store.database)
    assert [False] * 5 == [await recorder.add(row(at)) for at in range(5)]
    assert 5 == recorder.owed
    away = False
    async with asyncio.timeout(5):
        while recorder.owed:
            await asyncio.sleep(0.02)

    assert await recorder.add(row(9))
    assert 6 == len((await history.runs()).runs)
    await recorder.close()


CRASH = """
import asyncio, sys
from pathlib import Path
from qflow_runner.settings import Settings
from qflow_runner.store import Database, Recorder, RunRow, new_run_id, now_ms

async def main():
    database = Database(Settings(data_dir=Path(sys.argv[1])))
    await database.open()
    recorder = Recorder(database)
    async def work(name):
        for _ in range(100_000):
            ended = now_ms()
            run = RunRow(new_run_id(ended), "w", name, "n", "d", ended, "ok", "", 1.0)
            assert await recorder.add(run)
            print(run.id, flush=True)
    await asyncio.gather(*(work(str(n)) for n in range(8)))

asyncio.run(main())
"""


async def test_what_was_answered_is_there_after_a_crash(tmp_path: Path) -> None:
    """Killed at any moment, the store opens, and has every run whose answer was sent."""
    process = subprocess.Popen(  # noqa: ASYNC220 - it is killed below
        [sys.executable, "-c", textwrap.dedent(CRASH), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    begun = [process.stdout.readline() for _ in range(300)]
    os.kill(process.pid, signal.SIGKILL)
    lines = "".join([*begun, process.stdout.read()]).split("\n")[:-1]
    process.wait()
    process.stdout.close()

    with sqlite3.connect(tmp_path / "qflow.db") as connection:
        kept = {run for (run,) in connection.execute("SELECT id FROM node_runs")}
        assert ("ok",) == connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    assert {line for line in lines if len(line) == 32} <= kept
    assert len(kept) > 200


async def test_a_database_that_was_never_there(tmp_path: Path) -> None:
    """What is owed at the end is counted in the log, and the runner ends."""
    database = Database(
        Settings(
            data_dir=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none", database_deadline_s=0.2
        )
    )
    await database.open()
    recorder = Recorder(database)

    assert not await recorder.add(row(1))
    assert 1 == recorder.owed
    async with asyncio.timeout(5):
        await recorder.close()
        await database.close()
