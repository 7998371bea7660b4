"""The hook file as n8n calls it, in the Node.js that n8n runs on, with a small server in the runner's place."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from lab.cache import n8n_home, node_home
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

# In n8n's place: its web framework, and of its own routes the one that says who may see which execution.
SERVER = """
const express = require(process.argv[1]);
const loaded = require(process.argv[2]);
const app = express();
let asked = 0;
app.get('/rest/executions/:id', (request, response) => {
    asked += 1;
    const { cookie } = request.headers;
    if (!/^n8n-auth=(one|two)$/.test(cookie ?? '')) return response.status(401).json({});
    if (request.headers['browser-id'] !== 'b') return response.status(401).json({});
    if (cookie !== 'n8n-auth=one') return response.json({}); // as n8n answers who may not see it
    const { id } = request.params;
    response.json({ data: { finished: false, name: 'x', stoppedAt: null, id, data: 'd'.repeat(1e6) } });
});
app.get('/asked', (_request, response) => response.json(asked));
app.get('/stop', async (_request, response) => { await loaded.n8n.stop[0](); response.json(true); });
loaded.n8n.ready[0]({ app, restEndpoint: 'rest' });
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


class FakeRunner:
    """Answers every check with `links`, or as `answer` says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Any] = []
        self.tokens: set[str] = set()
        self.links: list[dict[str, str]] = []
        self.ended: list[str] = []
        self.watchers = 0
        self.answer: Callable[[], Awaitable[web.Response]] = self._links

    async def check(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        self.tokens.add(request.headers["Authorization"])
        return await self.answer()

    async def end(self, request: web.Request) -> web.Response:
        self.ended.append(request.match_info["id"])
        return web.json_response({"ended": 1})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """One event, and then nothing until the other side goes."""
        self.tokens.add(request.headers["Authorization"])
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        await reply.write(b'event: progress\ndata: {"node": "A"}\n\n')
        self.watchers += 1
        try:
            await asyncio.sleep(60)
        finally:
            self.watchers -= 1
        return reply

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
    app.router.add_get("/v1/executions/{id}/events", fake.events)
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


async def test_what_an_n8n_hands_out_otherwise_is_let_through(tmp_path: Path, fake: FakeRunner) -> None:
    """Nothing, where it only tells that an execution begins elsewhere; or a form that no n8n has today."""
    odd = {"name": "Odd", "nodes": [None, 7, qflow("A", "def a(): ...")], "connections": {}}
    reply, log = await call(tmp_path, fake.url, [("preExecute", None), ("preExecute", odd)])

    assert [None, None] == reply["thrown"]
    assert 1 == log.count("this hook file cannot read the workflow")


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


@pytest.fixture(name="stand")
async def _stand(tmp_path: Path, fake: FakeRunner) -> AsyncIterator[aiohttp.ClientSession]:
    """A server with the hook file's routes, as one who is signed in."""
    write_files(tmp_path / "hooks", fake.url, TOKEN)
    process = await asyncio.create_subprocess_exec(
        node_home() / "bin" / "node",
        *("-e", SERVER),
        n8n_home() / "node_modules" / "express",
        tmp_path / "hooks" / "qflow-hooks.cjs",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        port = int(await process.stdout.readline())
    try:
        headers = {"Cookie": "n8n-auth=one", "browser-id": "b"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as stand:
            yield stand
    finally:
        process.kill()
        await process.wait()


def events(execution: str) -> str:
    return f"/rest/qflow/executions/{execution}/events"


async def until_watched(fake: FakeRunner, watchers: int) -> None:
    async with asyncio.timeout(10):
        while fake.watchers != watchers:
            await asyncio.sleep(0.01)


async def test_an_execution_is_streamed_to_who_may_see_it(
    stand: aiohttp.ClientSession, fake: FakeRunner
) -> None:
    """With the runner's token, which the page never has; and the stream ends with the page."""
    async with stand.get(events("7")) as response:
        assert 200 == response.status
        assert "text/event-stream" == response.content_type
        assert "no-transform" in response.headers["Cache-Control"]
        assert b"event: progress" in await response.content.readany()
        await until_watched(fake, 1)
        response.close()

    await until_watched(fake, 0)
    assert {f"Bearer {TOKEN}"} == fake.tokens


@pytest.mark.parametrize(
    ("headers", "execution", "status"),
    [
        ({"Cookie": ""}, "7", 401),
        ({"Cookie": "n8n-auth=forged"}, "7", 404),
        ({"Cookie": "n8n-auth=two"}, "7", 404),
        ({"browser-id": "another"}, "7", 404),
        ({}, "..%2f..%2fv1", 404),
        ({}, "7?x=1%23", 200),
        ({}, "x" * 80, 404),
    ],
)
async def test_others_hear_nothing(
    stand: aiohttp.ClientSession, fake: FakeRunner, headers: dict[str, str], execution: str, status: int
) -> None:
    """Nobody who is not signed in, nobody who may not see it, and no path of the runner that is no execution."""
    url = URL(f"/rest/qflow/executions/{execution.replace('?', '/events?')}", encoded=True)
    if "?" not in execution:
        url = URL(events(execution), encoded=True)
    async with stand.get(url, headers=headers) as response:
        assert status == response.status
    assert (status == 200) == bool(fake.tokens)


async def test_streams_are_bounded_and_end_when_n8n_stops(
    stand: aiohttp.ClientSession, fake: FakeRunner
) -> None:
    """Four for one browser; n8n is asked once about the same execution."""
    opened = [await stand.get(events("7")) for _ in range(4)]
    assert [200] * 4 == [each.status for each in opened]
    async with stand.get(events("7")) as refused:
        assert 429 == refused.status
    async with stand.get("/asked") as response:
        assert 1 == await response.json()
    await until_watched(fake, 4)
    async with stand.get("/stop") as response:
        assert await response.json()

    await until_watched(fake, 0)
    async with asyncio.timeout(10):
        for each in opened:
            await each.read()
    async with stand.get(events("7")) as again:
        assert 200 == again.status


async def test_a_runner_that_is_away_has_no_stream(tmp_path: Path, fake: FakeRunner) -> None:
    """Said to the page alone, at once; the log stays quiet."""
    write_files(tmp_path, "http://127.0.0.1:9", TOKEN)
    process = await asyncio.create_subprocess_exec(
        node_home() / "bin" / "node",
        *("-e", SERVER),
        n8n_home() / "node_modules" / "express",
        tmp_path / "qflow-hooks.cjs",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    headers = {"Cookie": "n8n-auth=one", "browser-id": "b"}
    try:
        async with asyncio.timeout(20), aiohttp.ClientSession(headers=headers) as stand:
            port = int(await process.stdout.readline())
            async with stand.get(f"http://127.0.0.1:{port}{events('7')}") as response:
                assert 503 == response.status
    finally:
        process.kill()
        _, log = await process.communicate()
    assert b"" == log
