"""Running workflows over HTTP: the order, what n8n's settings do to items, failures, and what is told meanwhile."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qflow_agent import wire
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.fake import Answer, FakeBackend, echo
from qflow_runner.workflows import kept
from tests.runner import TOKEN, RunnerClient, running
from tests.unit.test_cli import qflow as command
from tests.unit.workflows.build import other, qflow, workflow

CODE = "def f(item: dict) -> dict:\n    return item\n"
LINKED = {"A": qflow("def f() -> str:\n    return ''\n"), "B": qflow("def g(n: int) -> int:\n    return n\n")}

Made = dict[str, Any]


class Guest:
    """Answers runs by the names of their nodes, and remembers them. What it is not told of, it hands back."""

    def __init__(self) -> None:
        self.runs: list[tuple[wire.Run, Any]] = []
        self.items: dict[str, list[Any]] = {}
        self.failing: set[str] = set()
        self.slow: dict[str, asyncio.Event] = {}

    async def answer(self, run: wire.Run, payload: Payload) -> Answer:
        body = json.loads(payload)
        self.runs.append((run, body))
        if run.node in self.slow:
            await self.slow[run.node].wait()
        if run.node in self.failing:
            problem = {"category": "user_code", "code": "code_raised", "detail": f"{run.node} broke."}
            return wire.Failed(run.run, problem, logs=[["stdout", "before"]]), b""
        if run.node in self.items:
            items = self.items[run.node]
            failed = sum("error" in each for each in items)
            return wire.Done(run.run, items=len(items), errors=failed), json.dumps(items).encode()
        return await echo(run, payload)

    @property
    def nodes(self) -> list[str]:
        return [run.node for run, _ in self.runs]

    def taken(self, node: str) -> list[list[Any]]:
        """What each run of the node took."""
        return [[each["json"] for each in body["items"]] for run, body in self.runs if run.node == node]


@pytest.fixture
def guest() -> Guest:
    return Guest()


@pytest.fixture
async def runner(tmp_path: Path, guest: Guest) -> AsyncIterator[RunnerClient]:
    async with running(FakeBackend(guest.answer), tmp_path, pool_floor=0, max_body_mb=4) as client:
        yield client


async def run(runner: RunnerClient, made: Made | None, workflow_id: str = "w", **body: Any) -> Made:
    status, answer = await tried(runner, made, workflow_id, **body)
    assert 200 == status, answer
    return answer


async def tried(
    runner: RunnerClient, made: Made | None, workflow_id: str = "w", **body: Any
) -> tuple[int, Made]:
    sent = body if made is None else {"workflow": made, **body}
    return await runner.call("POST", f"/v1/workflows/{workflow_id}/runs", json=sent)


def values(answer: Made, node: str, output: int = 0) -> list[Any]:
    return [each["json"] for each in answer["nodes"][node]["items"][output]]


def chain(**nodes: Made) -> Made:
    names = list(nodes)
    return workflow(nodes, *itertools.pairwise(names))


async def test_nodes_run_in_the_order_of_their_links(runner: RunnerClient, guest: Guest) -> None:
    """Items go from one to the next, in one session, which is ended after it."""
    guest.items["A"] = [{"json": {"x": 1}, "pairedItem": 0}, {"json": {"x": 2}, "pairedItem": 0}]
    answer = await run(
        runner, chain(T=other("manualTrigger"), A=qflow(CODE), No=other("noOp"), B=qflow(CODE))
    )

    assert answer["ok"]
    assert ["A", "B"] == answer["order"] == guest.nodes
    assert [[{}]] == guest.taken("A")
    assert [[{"x": 1}, {"x": 2}]] == guest.taken("B")
    assert [{"x": 1}, {"x": 2}] == values(answer, "B")
    assert "ok" == answer["nodes"]["B"]["status"]
    assert answer["nodes"]["B"]["ms"] > 0
    assert 1 == len({run.execution for run, _ in guest.runs})
    assert not runner.state.sessions.lives(answer["execution"])


async def test_the_kept_workflow_is_run(runner: RunnerClient) -> None:
    """The one that was put last under this id; one that was not put is unknown."""
    made = chain(A=qflow(CODE))
    await runner.call("PUT", "/v1/workflows/kept", json=made)

    assert [{}] == values(await run(runner, None, "kept"), "A")
    assert [{"x": 1}] == values(await run(runner, None, "kept", items=[{"json": {"x": 1}}]), "A")
    async with runner.http.post(runner.address + "/v1/workflows/kept/runs") as response:
        assert 200 == response.status
    assert (404, "workflow_unknown") == _code(await tried(runner, None, "other"))


async def test_items_by_name_and_chosen_nodes(runner: RunnerClient, guest: Guest) -> None:
    """Only what is needed runs, from where the items come in."""
    made = chain(Hook=other("webhook"), A=qflow(CODE), B=qflow(CODE), C=qflow(CODE))
    answer = await run(runner, made, nodes=["B"], items={"Hook": [{"json": {"x": 1}}]})

    assert ["A", "B"] == answer["order"]
    assert {"A", "B"} == set(answer["nodes"])
    await run(runner, made, nodes=["C"], items={"C": [{"json": {"x": 2}}]})
    assert ["A", "B", "C"] == guest.nodes


async def test_arguments_follow_the_item(runner: RunnerClient, guest: Guest) -> None:
    """One entry per item where they differ, one for all where they do not."""
    made = chain(
        A=qflow(CODE, args={"x": "={{ $json.n }}", "y": 7}),
        B=qflow(CODE, args={"y": 7}),
        C=qflow(CODE, args={"x": "={{ $json.n }}"}, mode="all"),
    )
    await run(runner, made, items=[{"json": {"n": 1}}, {"json": {"n": 2}}], check=False)

    assert [
        [{"y": 7, "x": 1}, {"y": 7, "x": 2}],
        [{"y": 7}],
        [{"x": 1}],
    ] == [body["args"] for _, body in guest.runs]


async def test_a_failure_skips_what_depends_on_it(runner: RunnerClient, guest: Guest) -> None:
    """Other branches go on, and the answer is a 200 that says so."""
    guest.failing.add("A")
    made = workflow(
        {name: qflow(CODE) for name in "SABCD"} | {"M": other("merge")},
        ("S", "A"),
        ("S", "C"),
        ("A", "B"),
        ("B", "M"),
        ("C", "M", 0, 1),
        ("M", "D"),
    )
    for concurrent in (False, True):
        answer = await run(runner, made, concurrent=concurrent)

        found = {name: about["status"] for name, about in answer["nodes"].items()}
        assert {"S": "ok", "A": "error", "B": "skipped", "C": "ok", "D": "skipped"} == found
        assert not answer["ok"]
        problem = answer["nodes"]["A"]["problem"]
        assert ("code_raised", "A broke.", "A") == (problem["code"], problem["detail"], problem["node"])
        assert "'A' failed" in answer["nodes"]["D"]["reason"]
        assert answer["nodes"]["A"]["ms"] > 0 == answer["nodes"]["D"]["ms"]
        assert [{"stream": "stdout", "text": "before"}] == answer["nodes"]["A"]["logs"]


async def test_failed_items_go_on_as_the_node_says(runner: RunnerClient, guest: Guest) -> None:
    """In the output with the others, or in one of their own with what came in."""
    guest.items["A"] = [
        {"json": {"y": 1}, "pairedItem": 0},
        {"json": {"x": 2}, "pairedItem": 1, "error": {"detail": "bad", "item": 1}},
    ]
    items = [{"json": {"x": 1}}, {"json": {"x": 2}}]
    regular = await run(runner, chain(A={**qflow(CODE), "onError": "continueRegularOutput"}), items=items)
    made = workflow(
        {"A": {**qflow(CODE), "onError": "continueErrorOutput"}, "B": qflow(CODE), "C": qflow(CODE)},
        ("A", "B"),
        ("A", "C", 1),
    )
    split = await run(runner, made, items=items)

    assert ["continue", "continue"] == [run.on_error for run, _ in guest.runs if run.node == "A"]
    assert [{"y": 1}, {"x": 2, "error": "bad"}] == values(regular, "A")
    assert [{"detail": "bad", "item": 1}] == regular["nodes"]["A"]["errors"]
    assert [[{"y": 1}]] == guest.taken("B")
    assert [[{"x": 2, "error": "bad"}]] == guest.taken("C")
    assert split["ok"]


@pytest.mark.parametrize(
    ("on_error", "mode", "outputs"),
    [
        ("continueRegularOutput", "auto", [[{"x": 1, "error": "A broke."}, {"x": 2, "error": "A broke."}]]),
        ("continueRegularOutput", "all", [[{"error": "A broke."}]]),
        ("continueErrorOutput", "auto", [[], [{"x": 1, "error": "A broke."}, {"x": 2, "error": "A broke."}]]),
        ("continueErrorOutput", "all", [[], [{"x": 1, "error": "A broke."}]]),
    ],
)
async def test_a_whole_run_that_failed_goes_on(
    runner: RunnerClient, guest: Guest, on_error: str, mode: str, outputs: list[Any]
) -> None:
    """As the node gives its input with the reason."""
    guest.failing.add("A")
    made = chain(A={**qflow(CODE, mode=mode), "onError": on_error})
    answer = await run(runner, made, items=[{"json": {"x": 1}}, {"json": {"x": 2}}])

    assert outputs == [[each["json"] for each in output] for output in answer["nodes"]["A"]["items"]]
    assert ("ok", "A broke.") == (answer["nodes"]["A"]["status"], answer["nodes"]["A"]["problem"]["detail"])


async def test_settings_of_n8n_hold(runner: RunnerClient, guest: Guest) -> None:
    """Execute once, always output data, disabled; and a node is not run for no items."""
    guest.items["Empty"] = []
    two = [{"json": {"x": 1}}, {"json": {"x": 2}}]
    made = chain(
        Off={**qflow("no code"), "disabled": True},
        Once={**qflow(CODE), "executeOnce": True},
        Empty={**qflow(CODE), "alwaysOutputData": True},
        Next=qflow(CODE),
    )
    await run(
        runner,
        workflow({"T": other("manualTrigger"), **_nodes(made)}, ("T", "Off"), *_wires(made)),
        items=two,
    )
    bare = await run(runner, chain(Empty=qflow(CODE), Next=qflow(CODE)), items=two)

    assert [[{"x": 1}]] == guest.taken("Once")
    assert [[{}]] == guest.taken("Next")
    assert ("skipped", "No items reached it.") == tuple(
        bare["nodes"]["Next"][k] for k in ("status", "reason")
    )
    assert bare["ok"]


async def test_a_node_runs_for_each_link_that_brings_items(runner: RunnerClient, guest: Guest) -> None:
    """A merge makes one of them."""
    guest.items |= {"A": [{"json": {"a": 1}}], "B": [{"json": {"b": 1}}]}
    nodes = {"A": qflow(CODE), "B": qflow(CODE), "C": qflow(CODE), "D": qflow(CODE)}
    await run(runner, workflow(nodes, ("A", "C"), ("B", "C"), ("C", "D")))
    assert [[{"a": 1}], [{"b": 1}]] == guest.taken("C") == guest.taken("D")
    guest.runs.clear()
    await run(
        runner,
        workflow({**nodes, "M": other("merge")}, ("A", "M"), ("B", "M", 0, 1), ("M", "C"), ("C", "D")),
    )
    assert [[{"a": 1}, {"b": 1}]] == guest.taken("C")


async def test_an_incompatible_link_refuses_the_run(runner: RunnerClient, guest: Guest) -> None:
    """Before anything ran, with the sentence of the check; not where it is not asked for, or not run."""
    made = workflow(LINKED, ("A", "B"))
    status, problem = await tried(runner, made)

    assert (422, "link_incompatible", "B") == (status, problem["code"], problem["node"])
    assert "'A' gives str, but 'B' takes 'n: int'" in problem["detail"]
    assert "incompatible" == problem["links"][0]["verdict"]
    assert [] == guest.nodes
    assert (await run(runner, made, check=False))["ok"]
    assert (await run(runner, made, nodes=["B"], items={"B": [{"json": {"n": 1}}]}))["ok"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"items": [1]}, "request_invalid"),
        ({"items": {"A": 1}}, "request_invalid"),
        ({"nodes": []}, "request_invalid"),
        ({"concurrent": 1.5}, "request_invalid"),
        ({"execution": ""}, "request_invalid"),
        ({"execution": "a\0b"}, "request_invalid"),
        ({"unknown": 1}, "request_invalid"),
        ({"nodes": ["Z"]}, "workflow_not_runnable"),
        ({"items": {"Z": []}}, "workflow_not_runnable"),
    ],
)
async def test_bad_requests(runner: RunnerClient, body: Made, code: str) -> None:
    """Each has a sentence."""
    status, problem = await tried(runner, chain(A=qflow(CODE)), **body)

    assert (422 if code == "workflow_not_runnable" else 400, code) == (status, problem["code"])
    assert len(problem["detail"]) > 10


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"workflow": []}', b'{"workflow": {}}', b'"x"', b"\xff"])
async def test_bad_bodies(runner: RunnerClient, text: bytes) -> None:
    """What is no JSON of the right form."""
    assert (400, "request_invalid") == _code(await runner.call("POST", "/v1/workflows/w/runs", data=text))


async def test_a_workflow_that_cannot_be_run_is_a_422(runner: RunnerClient) -> None:
    """A loop, a foreign node, a cycle."""
    made = workflow({"A": qflow(CODE), "B": qflow(CODE)}, ("A", "B"), ("B", "A"))

    assert (422, "workflow_not_runnable") == _code(await tried(runner, made))


async def test_a_node_whose_definition_is_refused_fails_alone(runner: RunnerClient) -> None:
    """A Python that there is not, options that are none, a saved definition that there is not."""
    saved = {"source": "saved", "savedName": {"mode": "name", "value": "none"}}
    made = workflow(
        {
            "A": qflow(CODE),
            "Old": qflow(CODE, options={"python": "2.7"}),
            "Old too": qflow(CODE, options={"python": "2.7"}),
            "Odd": qflow(CODE, options={"timeout": -1}),
            "Saved": {"type": "n8n-nodes-qflow.qflowPython", "parameters": saved},
        }
    )
    answer = await run(runner, made)

    found = {name: about.get("problem", {}).get("code") for name, about in answer["nodes"].items()}
    assert {
        "A": None,
        "Old": "python_unsupported",
        "Old too": "python_unsupported",
        "Odd": "request_invalid",
        "Saved": "saved_unknown",
    } == found
    assert ["Old", "Old too"] == [answer["nodes"][each]["problem"]["node"] for each in ("Old", "Old too")]


async def test_saved_definitions_run(runner: RunnerClient, guest: Guest) -> None:
    """By name, with what the node sets beside it."""
    await runner.call("PUT", "/v1/saved/Mine", json={"code": CODE})
    parameters = {"source": "saved", "savedName": {"mode": "name", "value": "mine"}}
    answer = await run(runner, chain(A={"type": "n8n-nodes-qflow.qflowPython", "parameters": parameters}))

    assert answer["ok"]
    assert ["A"] == guest.nodes


async def test_branches_run_at_the_same_time_where_asked(tmp_path: Path, guest: Guest) -> None:
    """Each waits for the other here, so that neither could end alone."""
    met = asyncio.Barrier(2)

    async def answer(run: wire.Run, payload: Payload) -> Answer:
        if run.node in "AB":
            async with asyncio.timeout(5):
                await met.wait()
        return await guest.answer(run, payload)

    made = workflow({name: qflow(CODE) for name in "SABE"}, ("S", "A"), ("S", "B"), ("A", "E"), ("B", "E"))
    async with running(FakeBackend(answer), tmp_path, pool_floor=0) as runner:
        found = await run(runner, made, concurrent=True)

    assert found["ok"]
    assert ("S", "E") == (found["order"][0], found["order"][-1])


async def test_a_node_that_changes_objects_for_all_makes_it_serial(runner: RunnerClient) -> None:
    """And a hint says so."""
    made = workflow({"A": qflow(CODE, options={"sharing": "shared"}), "B": qflow(CODE)})

    assert "one after another" in (await run(runner, made, concurrent=True))["hints"][0]
    assert [] == (await run(runner, made))["hints"]


async def test_secrets_reach_the_nodes_that_use_some(runner: RunnerClient, guest: Guest) -> None:
    """And none of the others."""
    made = chain(A=qflow(CODE, options={"useSecrets": True}), B=qflow(CODE))
    answer = await run(runner, made, secrets={"key": "s3cret", "b": {"value": "v", "hosts": "a.org:1"}})

    assert [{"key": "s3cret", "b": "v"}, None] == [body.get("secrets") for _, body in guest.runs]
    assert "s3cret" not in json.dumps(answer)


async def test_a_session_can_be_kept(runner: RunnerClient) -> None:
    """Under the execution that was asked for, until it is deleted."""
    answer = await run(runner, chain(A=qflow(CODE)), execution="mine", keep_session=True)

    assert "mine" == answer["execution"]
    assert runner.state.sessions.lives("mine")
    assert (200, {"ended": 1}) == await runner.call("DELETE", "/v1/executions/mine/session")


async def test_items_have_their_bounds(runner: RunnerClient, guest: Guest) -> None:
    """All nodes together may have what one body may."""
    guest.items["A"] = [{"json": {"x": "x" * (3 << 20)}}]
    answer = await run(runner, chain(A=qflow(CODE), B=qflow(CODE)))

    assert "ok" == answer["nodes"]["A"]["status"]
    assert "body_too_large" == answer["nodes"]["B"]["problem"]["code"]


async def test_a_caller_that_hangs_up_ends_the_run(runner: RunnerClient, guest: Guest) -> None:
    """What runs is cancelled, what has not begun does not, and the session ends."""
    guest.slow["A"] = asyncio.Event()
    made = chain(A=qflow(CODE), B=qflow(CODE))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await tried(runner, made, execution="gone")
    guest.slow["A"].set()

    async with asyncio.timeout(5):
        while runner.state.sessions.lives("gone"):
            await asyncio.sleep(0.01)
    assert ["A"] == guest.nodes


async def test_the_execution_tells_of_its_nodes(runner: RunnerClient, guest: Guest) -> None:
    """Start and end of each, as with single runs; one that is skipped ends as such."""
    guest.failing.add("A")
    heard: list[tuple[str, str, Any]] = []
    with runner.state.events.watched("seen") as watcher:
        await run(runner, chain(A=qflow(CODE), B=qflow(CODE)), execution="seen")
        async for event in watcher.events(0.2):
            if event is None:
                break
            heard.append((event.kind, event.node, event.about.get("outcome")))

    assert [("started", "A", None), ("ended", "A", "user_code"), ("ended", "B", "skipped")] == heard


async def test_a_thousand_nodes_in_a_chain(runner: RunnerClient) -> None:
    """Whether one after another or each in a task of its own."""
    nodes = {f"N{n}": qflow(CODE) for n in range(1_000)}
    for concurrent in (False, True):
        answer = await run(runner, chain(**nodes), concurrent=concurrent, check=False)
        assert answer["ok"]
        assert list(nodes) == answer["order"]


async def test_the_command_runs_a_file(runner: RunnerClient, guest: Guest, tmp_path: Path) -> None:
    """A table, exit 1 where a node failed, JSON, a chosen node, and a sentence where no runner is."""
    file, items = tmp_path / "w.json", tmp_path / "items.json"
    file.write_text(json.dumps(chain(T=other("manualTrigger"), A=qflow(CODE), B=qflow(CODE))))
    items.write_text('[{"x": 1}, {"json": {"x": 2}}]')
    where = ("--url", runner.address, "--token", TOKEN)

    async def ran(*more: str) -> Any:
        return await asyncio.to_thread(command, "run", str(file), *more)

    good = await ran(*where, "--items", str(items))
    assert 0 == good.returncode, good.stderr
    assert all(each in good.stdout for each in ("Node", "Items", "✓ ok", "2 Qflow nodes"))
    form = json.loads((await ran(*where, "--format", "json", "--node", "A", "--serial")).stdout)
    assert ["A"] == form["order"]
    guest.failing.add("A")
    bad = await ran(*where)
    assert 1 == bad.returncode
    assert all(each in bad.stdout for each in ("✗ failed", "– skipped", "A broke.", "1 failed"))
    assert "wrong" in (await ran("--url", runner.address, "--token", "x" * 20)).stderr
    away = await ran("--url", "http://127.0.0.1:9", "--token", "x" * 20)
    assert 1 == away.returncode
    assert "--url" in away.stderr
    items.write_text("[1]")
    assert "no item" in (await ran(*where, "--items", str(items))).stderr
    file.write_text("[]")
    assert 2 == (await ran(*where)).returncode


def _code(answer: tuple[int, Made]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


def _nodes(made: Made) -> dict[str, Made]:
    return {each["name"]: each for each in made["nodes"]}


def _wires(made: Made) -> list[tuple[str, str]]:
    return [
        (source, wire["node"]) for source, kinds in made["connections"].items() for wire in kinds["main"][0]
    ]


async def test_kept_workflows_have_a_bound(runner: RunnerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was put longest ago the check alone is left in memory; it runs from the database."""
    monkeypatch.setattr(kept, "KEPT_BYTES", 2_000)
    made = chain(A=qflow(CODE + "#" * 1_000))
    for workflow_id in ("one", "two", "two"):
        await runner.call("PUT", f"/v1/workflows/{workflow_id}", json=made)

    kept_bytes = {
        each["id"]: each["bytes"] for each in (await runner.call("GET", "/v1/workflows"))[1]["workflows"]
    }
    assert kept_bytes["one"] is None
    assert kept_bytes["two"] > 1_000
    assert (await run(runner, None, "one"))["ok"]
    assert (await run(runner, None, "two"))["ok"]
    assert 200 == (await runner.call("GET", "/v1/workflows/one"))[0]
    assert (404, "workflow_unknown") == _code(await tried(runner, None, "none"))


@pytest.mark.parametrize(
    "text",
    [b"[1]", b'[{"json": 1}]', b"[{]", b"[NaN]", b"[" * 100_000 + b"]" * 100_000, b'[{"json": {"n": NaN}}]'],
)
async def test_a_session_that_answers_no_items_fails_its_node(tmp_path: Path, text: bytes) -> None:
    """Where the runner has to look into them, the node that takes them is the one that fails, in a sentence."""

    async def answer(run: wire.Run, payload: Payload) -> Answer:
        return (wire.Done(run.run, items=10**15), text) if run.node == "A" else await echo(run, payload)

    made = chain(
        A=qflow(CODE), B={**qflow(CODE, args={"n": "={{ $json.n }}"}), "onError": "continueErrorOutput"}
    )
    async with running(FakeBackend(answer), tmp_path, pool_floor=0) as runner:
        body = {"workflow": made, "check": False}
        async with runner.http.post(f"{runner.address}/v1/workflows/w/runs", json=body) as response:
            told = await response.read()

    # What a session gave is handed on as it is.
    assert 200 == response.status
    about = told.rpartition(b'"B":')[2]
    assert b'"status": "error"' in about
    assert b'"code": "sandbox_lost"' in about
