"""What went wrong, summed up; on SQLite and PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from qflow_runner.store import Failures, Recorder, RunRow, details_of, new_run_id, now_ms
from tests.unit.store.conftest import Store

HOUR_MS = 3_600_000


@pytest.fixture
async def recorder(store: Store) -> AsyncIterator[Recorder]:
    recorder = Recorder(store.database)
    yield recorder
    await recorder.close()


async def add(recorder: Recorder, ago_ms: int, outcome: str, code: str, **more: str) -> None:
    ended = now_ms() - ago_ms
    about = {"workflow": "w", "execution": "e", "node": "Node"} | more
    said = about.pop("said", "")
    row = RunRow(
        id=new_run_id(ended), definition="d" * 64, ended=ended, outcome=outcome, code=code, ms=1.0, **about
    )
    await recorder.add(row, details_of(row.id, {"detail": said}, ()) if said else None)


async def test_failures_are_counted_by_node_category_and_code(recorder: Recorder, store: Store) -> None:
    """The most frequent first, with what the newest said; runs that went well do not count."""
    for number in range(3):
        await add(recorder, 1000 - number, "user_code", "code_failed", said=f"It broke the {number}. time.")
    await add(recorder, 500, "memory", "out_of_memory", node="Other")
    await add(recorder, 500, "ok", "")
    found = await Failures(store.database).summary()

    assert (4, {"user_code": 3, "memory": 1}) == (found.total, found.categories)
    assert [("Node", "code_failed", 3), ("Other", "out_of_memory", 1)] == [
        (group.node, group.code, group.count) for group in found.groups
    ]
    assert ["It broke the 2. time.", ""] == [group.message for group in found.groups]
    assert not found.partial


async def test_failures_are_spread_over_time(recorder: Recorder, store: Store) -> None:
    """Each is in the bucket of its time, and what was before the time that is asked for is in none."""
    await add(recorder, 100 * HOUR_MS, "timeout", "time_limit")
    await add(recorder, 23 * HOUR_MS, "timeout", "time_limit")
    await add(recorder, 1000, "timeout", "time_limit")
    day = await Failures(store.database).summary()
    week = await Failures(store.database).summary(since_ms=now_ms() - 168 * HOUR_MS)

    (group,) = day.groups
    assert (2, 2, 1) == (group.count, sum(group.buckets), group.buckets[-1])
    assert 1 == sum(group.buckets[:4])
    assert 3 == week.total


async def test_one_workflow_alone(recorder: Recorder, store: Store) -> None:
    """Another workflow's failures are not in it, and neither is anything where there is none."""
    await add(recorder, 1000, "type", "argument_missing", workflow="mine")
    await add(recorder, 1000, "type", "argument_missing", workflow="other")
    failures = Failures(store.database)

    assert ["mine"] == [group.workflow for group in (await failures.summary(workflow="mine")).groups]
    assert 2 == (await failures.summary()).total
    assert (0, []) == ((empty := await failures.summary(workflow="none")).total, empty.groups)


async def test_they_outlive_the_runner(recorder: Recorder, store: Store) -> None:
    """Another process that opens the same database finds them."""
    await add(recorder, 1000, "sandbox", "sandbox_lost", said="It was lost.")
    async with Store(store.settings) as again:
        (group,) = (await Failures(again.database).summary()).groups

    assert "It was lost." == group.message


async def test_of_too_many_kinds_the_most_frequent_are_told(recorder: Recorder, store: Store) -> None:
    """An attacker who names nodes at will hides nothing that fails often, and the answer stays short."""
    for number in range(210):
        await add(recorder, 1000, "user_code", "code_failed", node=f"n{number}")
    await add(recorder, 1000, "user_code", "code_failed", node="n7")
    found = await Failures(store.database).summary()

    assert (211, 200, True) == (found.total, len(found.groups), found.partial)
    assert "n7" == found.groups[0].node
