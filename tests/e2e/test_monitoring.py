"""What n8n shows of a run's cost, where its page is, and that its executions are traces."""

import re
from collections.abc import AsyncIterator

import pytest

from lab.browser import Editor
from lab.cache import ROOT
from lab.n8n_api import N8nApi
from lab.parts import Parts
from lab.processes import free_ports
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE, Workflow, chain, node, qflow, with_credential

START = node("Start", "manualTrigger")
WORK = """
    from qflow import Context

    def work(ctx: Context) -> dict:
        return {"trace": ctx.traceparent, "execution": ctx.execution}
"""
FAILS = """
    def fails() -> dict:
        raise ValueError("the orders are gone")
"""


@pytest.fixture(scope="module", name="known")
async def _known(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runner]:
    """A runner that knows how browsers reach it."""
    port = free_ports(1)[0]
    env = {"QFLOW_PUBLIC_URL": f"http://127.0.0.1:{port}", "QFLOW_POOL_FLOOR": "1"}
    runner = await Runner.start(tmp_path_factory.mktemp("known"), parts.runner.backend, port=port, env=env)
    yield runner
    await runner.stop()


async def saved(api: N8nApi, runner: Runner, name: str, code: str) -> Workflow:
    credential = await api.create_credential(f"Runner of {name}", CREDENTIAL_TYPE, runner.credential)
    workflow = chain(name, [START, qflow("Work", code), qflow("More", code)])
    return await api.create_workflow(with_credential(workflow, credential))


async def test_a_run_says_what_it_cost_and_where_its_page_is(
    api: N8nApi, known: Runner, editor: Editor
) -> None:
    """In the panel of the node, as a link that opens the console beside n8n."""
    workflow = await saved(api, known, "Cost", WORK)
    await editor.open_workflow(workflow["id"])
    await editor.open_node("Work")
    await editor.execute_step()

    link = editor.output.get_by_role("link", name="Open the run")
    await link.wait_for()
    hint = await link.locator("xpath=..").inner_text()
    address = await link.get_attribute("href") or ""
    await editor.screenshot(ROOT / "build" / "screenshots" / "cost.png")
    await editor.close_node()

    assert re.search(r"\d+(\.\d)? m?s: \w+ \d.* · \d+ MB peak · Open the run", hint), hint
    assert re.fullmatch(
        rf"{known.url}/console/executions/\d+\?workflow={workflow['id']}&run=[0-9a-f]{{32}}", address
    )
    run = address.rpartition("run=")[2]
    async with known._http.get(f"{known.url}/v1/runs/{run}") as response:
        assert (200, "Work") == (response.status, (await response.json())["node"])


async def test_a_failure_links_to_its_page(api: N8nApi, known: Runner) -> None:
    """It is there that the code's lines are marked."""
    ran = await api.run_step(await saved(api, known, "Failure", FAILS), "Work")

    assert ran.error is not None
    assert f'<a href="{known.url}/console/executions/' in ran.error["description"]


async def test_an_execution_is_one_trace(api: N8nApi, known: Runner) -> None:
    """All its Qflow runs have one trace id, which whoever knows the execution can work out."""
    ran = await api.run_step(await saved(api, known, "Trace", WORK), "More")

    first, second = ran.values("Work")[0], ran.values("More")[0]
    traces = [each["trace"].split("-") for each in (first, second)]
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", each["trace"]) for each in (first, second))
    assert traces[0][1] == traces[1][1]
    assert traces[0][2] != traces[1][2]
    assert first["execution"] == second["execution"]
