"""Stopping an execution in n8n stops the Python behind it."""

import asyncio

from lab.n8n_api import N8nApi
from lab.parts import Parts
from lab.runner import Runner
from lab.workflows import chain, node, pinned, qflow

CODE = """
    import time

    def work(seconds: float) -> str:
        time.sleep(seconds)
        return "done"
"""


async def sessions(runner: Runner, workflow: str, wanted: int) -> None:
    """Wait until the workflow's sandbox holds so many executions."""
    async with asyncio.timeout(20):
        while True:
            found = [row for row in await runner.sandboxes() if row.get("workflow") == workflow]
            if sum(row["sessions"] for row in found) == wanted:
                return
            await asyncio.sleep(0.05)


async def test_a_stopped_execution_ends_its_session_and_the_next_one_runs(
    parts: Parts, api: N8nApi, runner: Runner
) -> None:
    """The process that ran the code is gone at once; the workflow's sandbox serves the next execution."""
    built = chain("Cancel", [node("Start", "manualTrigger"), qflow("Python", CODE)])
    workflow = await parts.save(pinned(built, "Start", [{"seconds": 300}]))
    execution = await api.start_step(workflow, "Python")
    await sessions(runner, workflow["id"], 1)

    await api.stop(execution)

    assert (await api.finished(execution)).status == "canceled"
    await sessions(runner, workflow["id"], 0)
    again = await api.update_workflow(pinned(workflow, "Start", [{"seconds": 0}]))
    assert (await api.run_step(again, "Python")).values("Python") == [{"value": "done"}]
