"""Live objects through n8n's own nodes: what is handed on is a reference, what arrives is the object."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from textwrap import dedent
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import pytest
from yarl import URL

from lab.errors import LabError
from lab.hooks import with_hooks
from lab.n8n import N8n
from lab.n8n_api import ENDED, Execution, N8nApi
from lab.parts import Parts
from lab.runner import Runner
from lab.workflows import (
    CREDENTIAL_TYPE,
    QFLOW_NODE,
    WEBHOOK,
    Node,
    Workflow,
    chain,
    graph,
    node,
    pinned,
    qflow,
    webhooks,
)

START = node("Start", "manualTrigger")
MODEL = """
    class Model:
        def __init__(self, weights):
            self.weights = weights

    def fit(n: int = 3):
        return Model(list(range(n)))
"""
"""Gives an object of which no item can be made; the sum of the weights of `fit(3)` is 3."""
TOTAL = """
    def total(model) -> int:
        return sum(model.weights)
"""
FRAME = """
    import pandas as pd

    def frame() -> pd.DataFrame:
        days = pd.date_range("2026-03-01", periods=1000, tz="Europe/Berlin")
        kinds = pd.Categorical(["a", "b"] * 500, categories=["b", "a", "c"], ordered=True)
        return pd.DataFrame({"day": days, "kind": kinds, "n": range(1000)})
"""
"""With types that no item has."""


async def run(parts: Parts, workflow: Workflow, last: str) -> Execution:
    """Save it, and press "Execute step" of its last node."""
    return await parts.n8n.api.run_step(await parts.save(workflow), last, deadline_s=120)


async def succeeded(parts: Parts, workflow: Workflow, last: str) -> Execution:
    execution = await run(parts, workflow, last)
    assert execution.status == "success", execution.error
    return execution


def told(execution: Execution) -> str:
    """What ended it, in the words that a person sees."""
    assert execution.error is not None
    return f"{execution.error['message']}\n{execution.error.get('description')}"


def keeping(name: str, code: str, **settings: Any) -> Node:
    """A Qflow node whose result stays in the sandbox, whatever follows it."""
    made = qflow(name, code, **settings)
    made["parameters"]["output"] = "reference"
    return made


async def test_a_dataframe_goes_from_node_to_node_as_it_is(parts: Parts) -> None:
    """Without any setting, where Qflow nodes alone follow; the last one gives items to n8n."""
    double = """
        import pandas as pd

        def double(rows: pd.DataFrame) -> pd.DataFrame:
            return rows.assign(n=rows["n"] * 2)
    """
    by_kind = """
        import pandas as pd

        def by_kind(rows: pd.DataFrame) -> pd.DataFrame:
            assert str(rows["day"].dt.tz) == "Europe/Berlin", rows.dtypes
            return rows.groupby("kind", observed=False)["n"].sum().reset_index()
    """
    nodes = [START, qflow("Frame", FRAME), qflow("Double", double), qflow("Sum", by_kind)]

    execution = await succeeded(parts, chain("A DataFrame", nodes), "Sum")

    [item] = execution.values("Frame")
    assert ["$qflow"] == list(item)
    told = item["$qflow"]
    assert (told["type"], told["shape"], told["node"]) == ("pandas.DataFrame", [1000, 3], "Frame")
    assert told["columns"]["kind"] == "category"
    assert told["preview"][1]["n"] == 1
    assert ["$qflow"] == list(execution.values("Double")[0])
    assert execution.values("Sum") == [
        {"kind": "b", "n": 500_000},
        {"kind": "a", "n": 499_000},
        {"kind": "c", "n": 0},
    ]


async def test_two_branches_have_a_copy_each(parts: Parts) -> None:
    """One changes in place what both were given; Merge puts the results one after the other."""
    both = """
        import pandas as pd

        class Both:
            def __init__(self):
                self.frame = pd.DataFrame({"n": [1, 2]})
                self.list = [1, 2, 3]

        def both():
            return Both()
    """
    change = """
        import pandas as pd

        def change(given):
            given.frame.loc[:, "n"] = 0
            given.list.append(4)
            return given
    """
    look = "import pandas as pd\n\ndef look(given):\n    return given\n"
    compare = """
        import pandas as pd

        def compare(given) -> dict:
            return {"sum": int(given.frame["n"].sum()), "list": given.list}
    """
    nodes = [START, qflow("Both", both), qflow("Change", change), qflow("Look", look)]
    nodes += [node("Merge", "merge", {"mode": "append"}, version=3.2), qflow("Compare", compare)]
    links = [
        ("Start", "Both"),
        ("Both", "Change"),
        ("Both", "Look"),
        ("Change", "Merge"),
        ("Look", "Merge:1"),
    ]

    execution = await succeeded(
        parts, graph("Branches", nodes, [*links, ("Merge", "Compare")], executionOrder="v1"), "Compare"
    )

    started = [execution.runs(name)[0]["startTime"] for name in ("Change", "Look")]
    assert started == sorted(started)
    assert execution.values("Compare") == [{"sum": 0, "list": [1, 2, 3, 4]}, {"sum": 3, "list": [1, 2, 3]}]


async def test_objects_of_two_branches_meet_in_one_item(parts: Parts) -> None:
    """Merge combines fields, and each field that is an object arrives as one."""
    left = "def left():\n    return {'left': {1, 2}.__and__, 'name': 'x'}\n"
    right = "def right():\n    return {'right': complex(3, 4)}\n"
    meet = """
        def meet(name: str, left, right: complex) -> dict:
            return {"name": name, "left": sorted(left({2, 3})), "right": abs(right)}
    """
    combine = {"mode": "combine", "combineBy": "combineByPosition", "options": {}}
    nodes = [START, qflow("Left", left), qflow("Right", right), node("Merge", "merge", combine, version=3.2)]
    links = [
        ("Start", "Left"),
        ("Start", "Right"),
        ("Left", "Merge"),
        ("Right", "Merge:1"),
        ("Merge", "Meet"),
    ]

    execution = await succeeded(parts, graph("Meet", [*nodes, qflow("Meet", meet)], links), "Meet")

    assert execution.values("Meet") == [{"name": "x", "left": [2], "right": 5.0}]


async def test_a_loop_gives_the_object_to_every_round(parts: Parts) -> None:
    """Loop Over Items: each round has a copy of its own, and what the rounds made arrives behind the loop."""
    make = """
        def make(rows: list[dict]) -> list[dict]:
            class Seen:
                numbers: list = []
            seen = Seen()
            seen.numbers = [0]
            return [{"n": row["n"], "seen": seen} for row in rows]
    """
    step = """
        def step(n: int, seen) -> dict:
            seen.numbers.append(n)
            return {"n": n * 10, "seen": seen}
    """
    collect = """
        def collect(n: int, seen) -> dict:
            return {"n": n, "seen": seen.numbers}
    """
    loop = node("Loop", "splitInBatches", {"batchSize": 1, "options": {}}, version=3)
    nodes = [START, qflow("Make", make), loop, qflow("Step", step), qflow("Collect", collect)]
    links = [("Start", "Make"), ("Make", "Loop"), ("Loop:1", "Step"), ("Step", "Loop"), ("Loop", "Collect")]
    workflow = pinned(graph("Loop", nodes, links), "Start", [{"n": 1}, {"n": 2}, {"n": 3}])

    execution = await succeeded(parts, workflow, "Collect")

    assert len(execution.runs("Step")) == 3
    assert len({str(value["seen"]) for value in execution.values("Make")}) == 1
    assert execution.values("Collect") == [{"n": n * 10, "seen": [0, n]} for n in (1, 2, 3)]


async def test_n8ns_own_nodes_see_a_preview_and_hand_the_object_on(parts: Parts) -> None:
    """Unchanged, or in a field of what they make."""
    look = (
        "return [{ json: { rows: $json.$qflow.shape[0], first: $json.$qflow.preview[0].n, table: $json } }];"
    )
    mean = """
        import pandas as pd

        def mean(table: pd.DataFrame, rows: int, first: int) -> dict:
            return {"rows": rows, "first": first, "mean": table["n"].mean(), "kind": str(table["kind"].dtype)}
    """
    nodes = [START, keeping("Frame", FRAME), node("Nothing", "noOp")]
    nodes += [node("Look", "code", {"jsCode": look}, version=2)]
    nodes += [qflow("Mean", mean, {"table": "={{ $json.table }}"})]

    execution = await succeeded(parts, chain("A look", nodes), "Mean")

    assert execution.values("Mean") == [{"rows": 1000, "first": 0, "mean": 499.5, "kind": "category"}]


async def test_an_object_that_no_item_can_be_made_of_says_so(parts: Parts) -> None:
    """Where a node of n8n follows, "auto" hands on a reference too, and the person is told what that means."""
    nodes = [START, qflow("Fit", MODEL), node("Nothing", "noOp"), qflow("Total", TOTAL)]

    execution = await succeeded(parts, chain("A model", nodes), "Total")

    assert "Model" in execution.values("Fit")[0]["$qflow"]["type"]
    assert "Other nodes see a preview" in "\n".join(execution.hints("Fit"))
    assert execution.values("Total") == [{"value": 3}]


async def test_failing_items_leave_by_the_error_output_and_objects_go_on(parts: Parts) -> None:
    """Also where what failed is a reference that stands for nothing."""
    fit = """
        class Model:
            def __init__(self, weights):
                self.weights = weights

        def fit(n: int):
            if n < 0:
                raise ValueError(f"{n} is no size")
            return Model(list(range(n)))
    """
    gone = {"$qflow": {"ref": "A" * 24, "type": "Model", "node": "Yesterday", "preview": "(a model)"}}
    add = f"return [...$input.all(), {{ json: {gone!r} }}];"
    nodes = [START, qflow("Fit", fit, onError="continueErrorOutput"), node("Failed", "noOp")]
    nodes += [node("Add", "code", {"jsCode": add}, version=2)]
    nodes += [qflow("Total", TOTAL, onError="continueErrorOutput")]
    links = [("Start", "Fit"), ("Fit", "Add"), ("Fit:1", "Failed"), ("Add", "Total")]
    workflow = pinned(graph("Errors", nodes, links), "Start", [{"n": 3}, {"n": -1}, {"n": 4}])

    execution = await succeeded(parts, workflow, "Total")

    assert execution.values("Total", 0) == [{"value": 3}, {"value": 6}]
    [failed] = execution.values("Fit", 1)
    assert failed["n"] == -1
    assert "-1 is no size" in str(failed["error"])
    [lost] = execution.values("Total", 1)
    assert "The object Model from the node 'Yesterday'" in str(lost["error"])
    assert "is not to be had any more" in str(lost["error"])


async def test_execute_step_goes_on_with_an_earlier_executions_objects(parts: Parts, api: N8nApi) -> None:
    """As the editor does it: the items of the nodes before come from the last run, the code is a new one."""
    nodes = [START, qflow("Fit", MODEL), qflow("Total", TOTAL)]
    saved = await parts.save(chain("Step by step", nodes))
    first = await api.run_step(saved, "Total")
    assert first.values("Total") == [{"value": 3}]
    saved["nodes"][2]["parameters"]["code"] = "def largest(model) -> int:\n    return max(model.weights)\n"
    saved = await api.update_workflow(saved)

    second = await api.finished(await step(api, saved, "Total", first, ["Start", "Fit"]))

    assert second.id != first.id
    assert second.values("Fit") == first.values("Fit")
    assert second.status == "success", second.error
    assert second.values("Total") == [{"value": 2}]


async def step(api: N8nApi, workflow: Workflow, name: str, earlier: Execution, done: Sequence[str]) -> str:
    """Press "Execute step" of a node in an editor that still shows an earlier execution; the new one's id."""
    body = {
        "destinationNode": {"nodeName": name, "mode": "inclusive"},
        "runData": {each: earlier.runs(each) for each in done},
        "dirtyNodeNames": [name],
    }
    return (await api.call("POST", f"/rest/workflows/{workflow['id']}/run", body))["executionId"]


# --- workflows that call others ---


async def test_a_sub_workflow_gets_the_object(parts: Parts, runner: Runner) -> None:
    """Where the node that makes it was saved for all workflows of the runner; what comes back are items."""
    name = await save(runner, MODEL, python="3.12", output="reference", reference_scope="runner")
    fit = node("Fit", QFLOW_NODE, {"source": "saved", "savedName": located(name)})
    workflow = await calling(parts, fit)

    execution = await succeeded(parts, workflow, "Next")

    assert execution.values("Next") == [{"value": 4}]


async def test_an_object_of_this_workflow_alone_is_refused_in_another(parts: Parts) -> None:
    """The sentence is that of a reference that never was."""
    execution = await run(parts, await calling(parts, keeping("Fit", MODEL)), "Next")

    assert "is not to be had any more" in told(execution)
    assert "another workflow" in told(execution)


async def calling(parts: Parts, fit: Node) -> Workflow:
    """Start → `fit` → a workflow that takes the total of the model → one more."""
    trigger = node("Called", "executeWorkflowTrigger", {"inputSource": "passthrough"}, version=1.1)
    child = await parts.save(chain("Called", [trigger, qflow("Total", TOTAL)]))
    await parts.n8n.api.activate(child)
    call = node("Call", "executeWorkflow", {"workflowId": located(child["id"]), "options": {}}, version=1.2)
    following = qflow("Next", "def following(value: int) -> int:\n    return value + 1\n")
    return chain("Calls", [START, fit, call, following])


def located(value: str) -> dict[str, Any]:
    """A choice in one of n8n's lists of resources."""
    return {"__rl": True, "mode": "id" if len(value) < 20 else "list", "value": value}


async def save(runner: Runner, code: str, **more: Any) -> str:
    """Save a definition under a name of its own; that name."""
    name = f"references/{uuid4().hex}"
    address = URL(f"{runner.url}/v1/saved/{quote(name, safe='')}", encoded=True)
    headers = {"Authorization": f"Bearer {runner.token}"}
    body = {"code": dedent(code).lstrip(), **more}
    async with aiohttp.ClientSession(headers=headers) as http, http.put(address, json=body) as response:
        assert response.status == 200, await response.text()
    return name


# --- workflows that wait ---


@pytest.fixture(scope="module", name="patient")
async def _patient(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """n8n with the hook file, and a runner that ends a session soon after its last run."""
    folder = tmp_path_factory.mktemp("patient")
    runner = await Runner.start(folder / "runner", parts.runner.backend, env={"QFLOW_SESSION_IDLE_S": "0.3"})
    try:
        n8n = await N8n.start(folder / "n8n", env=with_hooks(folder / "hooks", runner))
        try:
            credential = await n8n.api.create_credential("Qflow runner", CREDENTIAL_TYPE, runner.credential)
            yield replace(parts, runner=runner, n8n=n8n, credential=credential)
        finally:
            await n8n.stop()
    finally:
        await runner.stop()


def waiting(trigger: Node) -> Workflow:
    """A model that is used after the workflow was told to go on, and again a moment later."""
    address = {"mode": "raw", "jsonOutput": "={{ { go_on: $execution.resumeUrl } }}", "options": {}}
    nodes = [trigger, node("Address", "set", address, version=3.4), keeping("Fit", MODEL)]
    nodes += [node("Wait", "wait", {"resume": "webhook", "options": {}}, version=1.1, webhookId=str(uuid4()))]
    nodes += [node("Second", "wait", {"amount": 1, "unit": "seconds"}, version=1.1, webhookId=str(uuid4()))]
    # What comes out of the first is the request that ended it, and out of the second what went in.
    nodes += [qflow("Total", TOTAL, {"model": "={{ $('Fit').first().json }}"})]
    return chain("Waits", nodes)


async def newest(api: N8nApi, workflow: Workflow, status: str, deadline_s: float = 30) -> Execution:
    """The newest execution of a workflow, once it has that status."""
    query = f'/rest/executions?limit=1&filter={{"workflowId":"{workflow["id"]}"}}'
    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(deadline_s):
            while not found or found[0]["status"] not in {status, *ENDED}:
                found = (await api.call("GET", query))["results"]
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise LabError(f"no execution was {status!r} after {deadline_s:.0f} s: {found}") from None
    execution = await api.execution(found[0]["id"])
    assert execution.status == status, execution.error
    return execution


async def no_sessions(runner: Runner, deadline_s: float = 30) -> None:
    async with asyncio.timeout(deadline_s):
        while any(sandbox["sessions"] for sandbox in await runner.sandboxes()):
            await asyncio.sleep(0.1)


async def go_on(execution: Execution) -> None:
    """Call the address that n8n gave to the waiting execution."""
    address = execution.values("Address")[0]["go_on"]
    async with aiohttp.ClientSession() as http, http.get(address) as response:
        assert response.status == 200, await response.text()


async def test_an_object_is_there_after_n8n_waited_longer_than_its_session_lived(patient: Parts) -> None:
    """The execution lies in n8n's database meanwhile, the object in the runner's store."""
    api, runner = patient.n8n.api, patient.runner
    saved = await patient.save(waiting(START))
    await api.start_step(saved, "Total")
    execution = await newest(api, saved, "waiting")
    await no_sessions(runner)

    await go_on(execution)

    ended = await newest(api, saved, "success")
    assert ended.id == execution.id
    assert ended.values("Total") == [{"value": 3}]


async def test_a_published_workflow_waits_too(patient: Parts) -> None:
    """The hook file does not take an execution that begins to wait for one that is over."""
    api, runner = patient.n8n.api, patient.runner
    saved = await patient.save(waiting(hook()))
    await api.activate(saved)
    await api.webhook(webhooks(saved)[0][0], {})
    execution = await newest(api, saved, "waiting")
    await no_sessions(runner)

    await go_on(execution)

    assert (await newest(api, saved, "success")).values("Total") == [{"value": 3}]


async def test_the_end_of_a_published_execution_is_the_end_of_its_objects(patient: Parts) -> None:
    """The hook file tells the runner, and the editor's "Execute step" hears when that was."""
    api = patient.n8n.api
    saved = await patient.save(chain("Ends", [hook(), qflow("Fit", MODEL), qflow("Total", TOTAL)]))
    await api.activate(saved)
    await api.webhook(webhooks(saved)[0][0], {})
    ended = await newest(api, saved, "success")
    assert ended.values("Total") == [{"value": 3}]

    async with asyncio.timeout(20):
        while (
            again := await api.finished(await step(api, saved, "Total", ended, ["Hook", "Fit"]))
        ).error is None:
            await asyncio.sleep(0.2)  # nobody waits for what the hook file tells

    assert "its execution was over at" in told(again)


def hook() -> Node:
    """A webhook of its own, which answers at once."""
    parameters = {"path": f"references-{uuid4().hex[:8]}", "httpMethod": "POST"}
    return node("Hook", WEBHOOK, parameters, version=2, webhookId=str(uuid4()))
