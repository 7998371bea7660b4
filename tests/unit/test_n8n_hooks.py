"""The hook file as n8n calls it, in the Node.js that n8n runs on, with a small server in the runner's place."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lab.cache import node_home
from lab.workflows import Workflow, chain, node, qflow
from qflow_runner.n8n_files import write_files

TOKEN = "a-token-of-the-tests"
# Runs one hook after the other, as n8n does, and prints what each of them threw.
DRIVER = """
const { hooks, calls } = JSON.parse(require('node:fs').readFileSync(0));
const loaded = require(hooks);
(async () => {
    const thrown = [];
    for (const [name, workflow] of calls) {
        const error = await loaded.workflow[name][0](...[workflow].flat()).then(() => null, (caught) => caught);
        thrown.push(error && { message: error.message, status: error.httpStatusCode, node: error.nodeId });
    }
    console.log(JSON.stringify({ thrown, shown: process.env.QFLOW_TOKEN ?? null }));
})();
"""


class FakeRunner:
    """Answers every check with `links`, or as `answer` says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Any] = []
        self.tokens: set[str] = set()
        self.links: list[dict[str, str]] = []
        self.ended: list[str] = []
        self.answer: Callable[[], Awaitable[web.Response]] = self._links

    async def check(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        self.tokens.add(request.headers["Authorization"])
        return await self.answer()

    async def end(self, request: web.Request) -> web.Response:
        self.ended.append(request.match_info["id"])
        return web.json_response({"ended": 1})

    async def _links(self) -> web.Response:
        return web.json_response({"ok": not self.links, "links": self.links, "nodes": [], "suggestions": []})

    @staticmethod
    async def refuses() -> web.Response:
        return web.json_response({"detail": "no"}, status=401)

    @staticmethod
    async def hangs() -> web.Response:
        await asyncio.sleep(60)  # longer than anybody waits
        return web.Response()


@pytest.fixture(name="fake")
async def _fake() -> AsyncIterator[FakeRunner]:
    fake = FakeRunner()
    app = web.Application()
    app.router.add_post("/v1/workflows/check", fake.check)
    app.router.add_delete("/v1/executions/{id}/session", fake.end)
    server = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{server.addresses[0][1]}"
    yield fake
    await server.cleanup()


async def call(
    folder: Path, url: str, calls: Sequence[tuple[str, Any]], env: dict[str, str] | None = None
) -> tuple[Any, str]:
    """What each call threw (None: nothing), with what the hook file left of the environment; and what it logged."""
    write_files(folder, url, TOKEN)
    process = await asyncio.create_subprocess_exec(
        node_home() / "bin" / "node",
        "-e",
        DRIVER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env or {},
    )
    program_input = json.dumps({"hooks": str(folder / "qflow-hooks.cjs"), "calls": calls})
    out, log = await process.communicate(program_input.encode())
    assert 0 == process.returncode, log.decode()
    return json.loads(out), log.decode()


def two_nodes() -> Workflow:
    return chain("Two", [qflow("A", "def a() -> int: ..."), qflow("B", "def b(n: str): ...")])


def as_it_runs(workflow: Workflow) -> dict[str, Any]:
    """The form in which n8n hands a workflow to `workflow.preExecute`."""
    return {
        "id": "w",
        "name": workflow["name"],
        "nodes": {one["name"]: one for one in workflow["nodes"]},
        "connectionsBySourceNode": workflow["connections"],
    }


def bad(number: int) -> dict[str, str]:
    return {
        "verdict": "incompatible",
        "reason": f"Link {number} cannot work.",
        "suggestion": "Mend it.",
        "to_id": f"{number}",
    }


async def test_a_bad_link_is_refused_with_the_first_sentences(tmp_path: Path, fake: FakeRunner) -> None:
    """On publish and on run. REST clients read status 422, and the node that is concerned."""
    fake.links = [bad(number) for number in range(5)]
    reply, _ = await call(
        tmp_path, fake.url, [("activate", two_nodes()), ("preExecute", as_it_runs(two_nodes()))]
    )

    sentences = [f"Link {number} cannot work. Mend it." for number in range(3)]
    message = f"Qflow: {' '.join(sentences)} 2 more links cannot work."
    assert [{"message": message, "status": 422, "node": "0"}] * 2 == reply["thrown"]
    assert {f"Bearer {TOKEN}"} == fake.tokens


async def test_the_same_question_is_asked_once(tmp_path: Path, fake: FakeRunner) -> None:
    """In both forms, and wherever the nodes lie on the canvas; a change of code is another question."""
    moved, changed = two_nodes(), two_nodes()
    for each, other in zip(moved["nodes"], changed["nodes"], strict=True):
        each["position"] = [7, 7]
        each["id"] = other["id"] = each["name"]
    changed["nodes"][0]["parameters"]["code"] = "def a() -> str: ..."

    reply, _ = await call(
        tmp_path,
        fake.url,
        [("preExecute", as_it_runs(moved)), ("activate", {**moved, "id": "w"}), ("activate", changed)],
    )

    assert [None, None, None] == reply["thrown"]
    assert 2 == len(fake.asked)


async def test_what_people_wrote_into_other_nodes_stays_in_n8n(tmp_path: Path, fake: FakeRunner) -> None:
    """The check needs how they are set, not what is in them."""
    workflow = chain("Three", [qflow("A", "def a(): ..."), node("M", "merge", {"mode": "append"})])
    workflow["nodes"].append(node("Letter", "html", {"html": "Dear " * 100, "options": {"secret": "s"}}))

    await call(tmp_path, fake.url, [("activate", workflow)])

    sent = {each["name"]: each["parameters"] for each in fake.asked[0]["nodes"]}
    assert {"A": {"code": "def a(): ..."}, "M": {"mode": "append"}, "Letter": {}} == sent


async def test_a_workflow_without_qflow_nodes_costs_no_request(tmp_path: Path, fake: FakeRunner) -> None:
    """Nor one whose Qflow nodes are all switched off."""
    off = chain("Off", [qflow("A", "def a(): ...", disabled=True)])
    reply, _ = await call(
        tmp_path, fake.url, [("preExecute", chain("Plain", [node("N", "noOp")])), ("preExecute", off)]
    )

    assert ([None, None], []) == (reply["thrown"], fake.asked)


async def test_a_runner_that_hangs_is_waited_for_once(tmp_path: Path, fake: FakeRunner) -> None:
    """Three seconds for the first, nothing for the next; all are let through, and one warning is logged."""
    fake.answer = fake.hangs
    started = time.monotonic()
    reply, log = await call(tmp_path, fake.url, [("preExecute", as_it_runs(two_nodes()))] * 5)

    assert [None] * 5 == reply["thrown"]
    assert 1 == len(fake.asked)
    assert 8 > time.monotonic() - started
    assert 1 == log.count("links are not checked")


@pytest.mark.parametrize("trouble", ["away", "refuses", "not set"])
async def test_without_a_verdict_everything_is_let_through(
    tmp_path: Path, fake: FakeRunner, trouble: str
) -> None:
    """The log says why, without the token."""
    fake.answer = fake.refuses
    url = {"away": "http://127.0.0.1:9", "refuses": fake.url, "not set": ""}[trouble]
    why = {"away": "does not answer", "refuses": "refuses n8n's token", "not set": "QFLOW_URL"}[trouble]

    reply, log = await call(tmp_path, url, [("activate", two_nodes()), ("activate", two_nodes())])

    assert [None, None] == reply["thrown"]
    assert 1 == log.count("links are not checked")
    assert why in log
    assert TOKEN not in log


async def test_a_token_of_the_environment_comes_first_and_is_hidden(tmp_path: Path, fake: FakeRunner) -> None:
    """n8n can be set to show it to expressions, which every author of a workflow can write."""
    reply, _ = await call(
        tmp_path, fake.url, [("activate", two_nodes())], {"QFLOW_TOKEN": "of-the-environment"}
    )

    assert {"Bearer of-the-environment"} == fake.tokens
    assert None is reply["shown"]


async def test_settings_that_cannot_be_read_are_said_and_do_not_stop_n8n(
    tmp_path: Path, fake: FakeRunner
) -> None:
    """A hook file that fails would keep n8n from starting."""
    write_files(tmp_path / "other", fake.url, TOKEN)
    (tmp_path / "other" / "qflow.json").write_text("{")
    process = await asyncio.create_subprocess_exec(
        node_home() / "bin" / "node",
        "-e",
        "require(process.argv[1])",
        tmp_path / "other" / "qflow-hooks.cjs",
        stderr=asyncio.subprocess.PIPE,
    )
    _, log = await process.communicate()

    assert 0 == process.returncode
    assert b"qflow.json cannot be read" in log


async def test_an_execution_that_is_over_ends_its_session(tmp_path: Path, fake: FakeRunner) -> None:
    """Not one from the editor, not one that waits, and not one without a Qflow node."""
    qflow_workflow, other = (
        as_it_runs(two_nodes()),
        as_it_runs(chain("None", [node("Set", "n8n-nodes-base.set")])),
    )
    runs = [
        ({"mode": "trigger", "status": "success"}, qflow_workflow, "1"),
        ({"mode": "manual", "status": "success"}, qflow_workflow, "2"),
        ({"mode": "webhook", "status": "waiting", "waitTill": "2030-01-01"}, qflow_workflow, "3"),
        ({"mode": "webhook", "status": "error"}, two_nodes(), "4/5"),
        ({"mode": "webhook", "status": "success"}, other, "6"),
    ]

    reply, _ = await call(tmp_path, fake.url, [("postExecute", list(run)) for run in runs])

    assert [None] * len(runs) == reply["thrown"]
    assert ["1", "4/5"] == sorted(fake.ended)
