"""Upgrades of packages: shown, built beside the old, tried on both, accepted at once and taken back at once."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from qflow_agent import wire
from qflow_runner.cli import remote
from qflow_runner.errors import QflowError
from qflow_runner.sandbox.backend import Backend
from qflow_runner.sandbox.connection import Payload
from qflow_runner.sandbox.fake import Answer, FakeBackend
from qflow_runner.sandbox.process import ProcessBackend
from qflow_runner.settings import Settings
from qflow_runner.upgrades import compare, upgrades
from tests.runner import TOKEN, RunnerClient, running
from tests.unit.layers.wheels import Index, serving

CODE = "import alpha\n\n\ndef f(n: int = 1) -> dict:\n    return {'version': alpha.version, 'n': n}\n"
PYTHON = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[Index]:
    async with serving(tmp_path / "index") as running_index:
        yield running_index


@asynccontextmanager
async def runner_on(
    index: Index, tmp_path: Path, backend: Backend, **more: Any
) -> AsyncIterator[RunnerClient]:
    settings = {
        "cache_dir": tmp_path / "cache",
        "index_url": index.url,
        "python": PYTHON,
        "session_idle_s": 60,
        "advisories": "off",
        **more,
    }
    async with running(backend, tmp_path / "data", **settings) as client:
        await client.until_ready()
        yield client


@pytest.fixture
async def runner(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunnerClient]:
    """Without a sandbox: the layers are real, the code is not run."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    async with runner_on(index, tmp_path, FakeBackend()) as client:
        yield client


@pytest.fixture
async def real(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunnerClient]:
    """With processes as sandboxes, whose code imports from the layers."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    async with runner_on(index, tmp_path, ProcessBackend(Settings().cache_dir)) as client:
        yield client


async def post(runner: RunnerClient, what: str, status: int = 200, **body: Any) -> Any:
    got, reply = await runner.call("POST", f"/v1/packages/{what}", json=body)
    assert status == got, reply
    return reply


async def alpha_of(runner: RunnerClient, execution: str, workflow: str = "w") -> str:
    found = await runner.values(CODE, workflow=workflow, execution=execution, requirements=["alpha"])
    return found[0]["version"]


async def test_a_lock_is_answered_and_nothing_is_built(runner: RunnerClient, index: Index) -> None:
    """The versions stay as they are once they were chosen; a layer that is there is named."""
    index.wheel("alpha", "1.0", requires=["beta"])
    index.wheel("beta", "2.0")
    first = await post(runner, "lock", requirements=["alpha"])
    index.wheel("alpha", "1.1")
    again = await post(runner, "lock", requirements=["ALPHA  # a comment"], python=PYTHON)

    assert first.keys() == again.keys()
    assert [first[name] for name in first if name != "audit"] == [
        again[name] for name in first if name != "audit"
    ]
    assert [("alpha", "1.0"), ("beta", "2.0")] == [
        (each["name"], each["version"]) for each in first["packages"]
    ]
    assert (PYTHON, None, [], "not checked") == (
        first["python"],
        first["layer"],
        first["warnings"],
        first["audit"]["worst"],
    )
    assert [] == runner.state.layers.list()


async def test_an_upgrade_is_shown_accepted_and_taken_back(runner: RunnerClient, index: Index) -> None:
    """It is built beside the old one; what is in use changes with the acceptance alone, and back."""
    index.wheel("alpha", "1.0", requires=["old"])
    index.wheel("old")
    before = await post(runner, "lock", requirements=["alpha"])
    index.wheel("alpha", "2.0", requires=["new"])
    index.wheel("new", "3")
    found = await post(runner, "upgrade", requirements=["alpha"])

    assert [{"name": "alpha", "before": "1.0", "after": "2.0"}] == found["changed"]
    assert ([{"name": "new", "version": "3"}], [{"name": "old", "version": "1.0"}]) == (
        found["added"],
        found["removed"],
    )
    assert (False, None) == (found["same"], found["comparison"])
    assert [found["layer"]["id"]] == [info.id for info in runner.state.layers.list()]
    assert ["alpha", "old"] == [each["name"] for each in found["audit"]["before"]["packages"]]
    assert ["alpha", "new"] == [each["name"] for each in found["audit"]["after"]["packages"]]
    assert before["id"] == (await post(runner, "lock", requirements=["alpha"]))["id"]

    accepted = await post(runner, "accept", upgrade=found["upgrade"])

    assert (found["lock"], found["layer"]) == (accepted["id"], accepted["layer"])
    assert found["lock"] == (await post(runner, "lock", requirements=["alpha"]))["id"]
    assert (await post(runner, "upgrade", requirements=["alpha"]))["same"]
    assert before["id"] == (await post(runner, "rollback", requirements=["alpha"]))["id"]
    assert before["id"] == (await post(runner, "lock", requirements=["alpha"]))["id"]
    assert "lock_moved" == (await post(runner, "rollback", 409, requirements=["alpha"]))["code"]


async def test_a_token_is_good_once_and_for_an_hour(
    runner: RunnerClient, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown, used, outdated, too many, or overtaken: each is refused with a sentence."""
    index.wheel("alpha", "1.0")
    await post(runner, "lock", requirements=["alpha"])
    index.wheel("alpha", "2.0")
    first, second, third = [
        (await post(runner, "upgrade", requirements=["alpha"]))["upgrade"] for _ in range(3)
    ]

    assert len({first, second, third}) == 3
    assert len(first) >= 32
    assert "upgrade_unknown" == (await post(runner, "accept", 404, upgrade="guessed"))["code"]
    await post(runner, "accept", upgrade=first)
    assert "upgrade_unknown" == (await post(runner, "accept", 404, upgrade=first))["code"]
    assert "lock_moved" == (await post(runner, "accept", 409, upgrade=second))["code"]
    assert "upgrade_unknown" == (await post(runner, "accept", 404, upgrade=second))["code"]

    monkeypatch.setattr(upgrades, "KEPT", 1)
    late = (await post(runner, "upgrade", requirements=["alpha"]))["upgrade"]
    assert 2 >= len(runner.state.upgrades._waiting)
    assert "upgrade_unknown" in {
        (await runner.call("POST", "/v1/packages/accept", json={"upgrade": each}))[1].get("code")
        for each in (third, late)
    }
    monkeypatch.setattr(upgrades, "KEPT_S", -1.0)
    outdated = (await post(runner, "upgrade", requirements=["alpha"]))["upgrade"]
    assert "upgrade_unknown" == (await post(runner, "accept", 404, upgrade=outdated))["code"]


async def test_a_build_that_fails_is_answered_and_cannot_be_accepted(
    runner: RunnerClient, index: Index
) -> None:
    """The working versions stay in use."""
    index.wheel("alpha", "1.0")
    before = await post(runner, "lock", requirements=["alpha"])
    index.wheel("alpha", "2.0", files={"qflow_agent.py": "", "alpha.py": ""})
    found = await post(runner, "upgrade", requirements=["alpha"])

    assert None is found["layer"]
    assert (False, None, "module_reserved") == (
        found["comparison"]["equal"],
        found["comparison"]["before"],
        found["comparison"]["after"]["problem"]["code"],
    )
    refused = await post(runner, "accept", 409, upgrade=found["upgrade"])
    assert "upgrade_not_built" == refused["code"]
    assert found["comparison"]["after"]["problem"]["detail"] in refused["detail"]
    assert before["id"] == (await post(runner, "lock", requirements=["alpha"]))["id"]


async def test_what_is_wrong_with_a_call_is_a_problem(runner: RunnerClient, index: Index) -> None:
    """In a sentence, before anything is built."""
    index.wheel("alpha", "1.0")
    alpha = {"requirements": ["alpha"]}
    for what, body, status, code in (
        ("lock", {"requirements": ["-e ."]}, 422, "requirement_refused"),
        ("lock", {"requirements": []}, 400, "request_invalid"),
        ("lock", {**alpha, "python": "2.7"}, 422, "python_unsupported"),
        ("upgrade", {"requirements": ["missing"]}, 422, "package_unknown"),
        ("upgrade", {**alpha, "items": []}, 400, "request_invalid"),
        ("upgrade", {**alpha, "definition": "x", "items": []}, 404, "definition_unknown"),
        ("upgrade", {**alpha, "more": 1}, 400, "request_invalid"),
        ("rollback", alpha, 409, "lock_moved"),
        ("accept", {}, 400, "request_invalid"),
    ):
        assert code == (await post(runner, what, status, **body))["code"]
    assert [] == runner.state.layers.list()


async def test_a_definition_runs_on_its_own_python(runner: RunnerClient, index: Index) -> None:
    """Packages for another Python could not be tried with it."""
    index.wheel("alpha", "1.0")
    definition = await runner.define(CODE, python="3.13" if PYTHON != "3.13" else "3.12")
    body = {"requirements": ["alpha"], "python": PYTHON, "definition": definition, "items": []}

    assert "runs on Python" in (await post(runner, "upgrade", 400, **body))["detail"]


async def test_items_are_tried_on_both_in_places_of_their_own(real: RunnerClient, index: Index) -> None:
    """Differing results are listed; the live execution's session and workflow are not touched, and no sandbox is left."""
    index.wheel("alpha", "1.0")
    assert "1.0" == await alpha_of(real, "live")
    index.wheel("alpha", "2.0")
    definition = await real.define(CODE, requirements=["alpha"])
    found = await post(
        real,
        "upgrade",
        requirements=["alpha"],
        definition=definition,
        items=[{"json": {"n": 1}}, {"json": {"n": 2}}],
        args=[{"n": 5}],
    )
    compared = found["comparison"]

    assert not compared["equal"]
    assert (2, 2, 0) == (compared["before"]["items"], compared["after"]["items"], compared["more"])
    assert [
        {"item": item, "path": "json.version", "before": "1.0", "after": "2.0"} for item in (0, 1)
    ] == compared["differences"]
    owned = {row["workflow"]: row["sessions"] for row in await real.sandboxes() if row["state"] == "owned"}
    assert {"w": 1} == owned
    assert "1.0" == await alpha_of(real, "other")


async def test_the_same_results_are_said_to_be_equal(real: RunnerClient, index: Index) -> None:
    """Also where files and references are made, whose ids are new each time."""
    index.wheel("alpha", "1.0")
    await post(real, "lock", requirements=["alpha"])
    index.wheel("alpha", "2.0")
    code = (
        "import alpha\n\nclass Thing:\n    pass\n\n"
        "def f() -> dict:\n    return {'x': 0.1 + 0.2, 'raw': bytes(range(256)) * 1000}\n"
    )
    definition = await real.define(code, function="f")
    ask = {"requirements": ["alpha"], "items": [{"json": {}}]}
    items = (await post(real, "upgrade", definition=definition, **ask))["comparison"]
    kept = await real.define("import alpha\n\ndef f() -> dict:\n    return {'a': 1}\n", output="reference")
    references = (await post(real, "upgrade", definition=kept, **ask))["comparison"]

    assert (True, []) == (items["equal"], items["differences"]), items
    assert (True, []) == (references["equal"], references["differences"]), references
    assert [] == [path.name for path in (real.state.settings.files_path).iterdir() if path.is_file()]


async def test_code_that_fails_with_the_new_version_is_a_side_with_a_problem(
    real: RunnerClient, index: Index
) -> None:
    """The call succeeds, and so may the acceptance: the packages were built."""
    index.wheel("alpha", "1.0")
    await post(real, "lock", requirements=["alpha"])
    index.wheel("alpha", "2.0", files={"alpha.py": "renamed = 1\n"})
    definition = await real.define(CODE, requirements=["alpha"])
    found = await post(real, "upgrade", requirements=["alpha"], definition=definition, items=[{"json": {}}])
    compared = found["comparison"]

    assert (False, 1, []) == (compared["equal"], compared["before"]["items"], compared["differences"])
    assert "user_code" == compared["after"]["problem"]["category"]
    assert "version" in compared["after"]["problem"]["detail"]
    await post(real, "accept", upgrade=found["upgrade"])
    assert 422 == (await real.run(CODE, execution="new", requirements=["alpha"]))[0]
    await post(real, "rollback", requirements=["alpha"])
    assert "1.0" == await alpha_of(real, "newer")


async def test_the_time_limit_holds_on_both_sides(real: RunnerClient, index: Index) -> None:
    """As in any run."""
    index.wheel("alpha", "1.0")
    code = "import time, alpha\n\ndef f() -> int:\n    time.sleep(60)\n    return 1\n"
    definition = await real.define(code, requirements=["alpha"], timeout_s=0.3)
    found = await post(real, "upgrade", requirements=["alpha"], definition=definition, items=[{"json": {}}])

    assert (None, "time_limit") == (
        found["comparison"]["before"],
        found["comparison"]["after"]["problem"]["code"],
    )


async def test_runs_follow_an_acceptance_and_executions_keep_what_they_have(
    real: RunnerClient, index: Index
) -> None:
    """At the next execution, forward and back; one that has a session goes on in it until it is over."""
    index.wheel("alpha", "1.0")
    assert ["1.0", "1.0"] == [await alpha_of(real, "old"), await alpha_of(real, "old", "other")]
    index.wheel("alpha", "2.0")
    found = await post(real, "upgrade", requirements=["alpha"])
    assert "1.0" == await alpha_of(real, "before")
    await post(real, "accept", upgrade=found["upgrade"])

    assert ["2.0", "2.0"] == [await alpha_of(real, "new"), await alpha_of(real, "new", "other")]
    assert "1.0" == await alpha_of(real, "old")
    await real.call("DELETE", "/v1/executions/old/session")
    assert "2.0" == await alpha_of(real, "old")
    await post(real, "rollback", requirements=["alpha"])
    assert ["2.0", "1.0"] == [await alpha_of(real, "new"), await alpha_of(real, "newest")]


async def test_an_upgrade_on_disk_is_followed_too(real: RunnerClient, index: Index, tmp_path: Path) -> None:
    """`qflow layers upgrade` beside the runner, on its files."""
    index.wheel("alpha", "1.0")
    assert "1.0" == await alpha_of(real, "1")
    index.wheel("alpha", "2.0")
    shown = await qflow(tmp_path, index, "layers", "upgrade", "alpha", "--yes")

    assert (0, "  alpha 1.0 -> 2.0\n") == (shown.returncode, shown.stdout)
    assert "2.0" == await alpha_of(real, "2")


@pytest.mark.parametrize("first", ["alpha", "beta"])
async def test_nodes_that_share_an_environment_follow_and_keep_their_other_versions(
    real: RunnerClient, index: Index, first: str
) -> None:
    """Whichever node runs first: what was upgraded is upgraded, and what was not is not."""
    code = "import alpha, beta\n\ndef f() -> list:\n    return [alpha.version, beta.version]\n"
    order = ["alpha", "beta"] if first == "alpha" else ["beta", "alpha"]

    async def versions(execution: str) -> set[tuple[Any, ...]]:
        for name in order:  # the first one alone does not have the other's package yet
            await real.run(code, execution=execution, requirements=[name])
        await real.call("DELETE", f"/v1/executions/{execution}/session")
        found = []
        for name in order:
            values = await real.values(code, execution=f"{execution} again", requirements=[name])
            found.append(tuple(each["value"] for each in values))
        return set(found)

    index.wheel("alpha", "1.0")
    index.wheel("beta", "1.0")
    assert {("1.0", "1.0")} == await versions("a")
    index.wheel("alpha", "2.0")
    index.wheel("beta", "2.0")
    found = await post(real, "upgrade", requirements=["alpha"])
    await post(real, "accept", upgrade=found["upgrade"])
    assert {("2.0", "1.0")} == await versions("b")
    await post(real, "rollback", requirements=["alpha"])
    assert {("1.0", "1.0")} == await versions("c")


async def test_nodes_whose_upgrades_disagree_get_layers_of_their_own(
    real: RunnerClient, index: Index
) -> None:
    """Each has the versions that were accepted for it."""
    code = "import base\n\ndef f() -> str:\n    return base.version\n"
    index.wheel("base", "1.0")
    for name in ("alpha", "beta"):
        index.wheel(name, "1.0", requires=["base"])

    async def base_of(name: str, execution: str) -> str:
        return (await real.values(code, execution=execution, requirements=[name]))[0]["value"]

    assert ["1.0", "1.0"] == [await base_of("alpha", "1"), await base_of("beta", "1")]
    index.wheel("base", "2.0")
    await post(real, "accept", upgrade=(await post(real, "upgrade", requirements=["alpha"]))["upgrade"])
    assert ["2.0", "2.0"] == [await base_of("alpha", "2"), await base_of("beta", "2")]
    index.wheel("base", "3.0")
    await post(real, "accept", upgrade=(await post(real, "upgrade", requirements=["beta"]))["upgrade"])
    assert ["2.0", "3.0"] == [await base_of("alpha", "3"), await base_of("beta", "3")]


async def test_what_a_guest_answers_is_judged_before_it_is_compared(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No list, no JSON, nested without end, more than is compared: a problem of that side, and the runner lives on."""
    backend = FakeBackend()
    index.wheel("alpha", "1.0")
    answers = [b"[NaN]", b"[" * 200_000 + b"]" * 200_000, b"[1" + b"0" * 10_000 + b"]", b'["\\ud800", 1e999]']
    monkeypatch.setattr("qflow_runner.upgrades.replay.MAX_RESULT", 1_000_000)
    async with runner_on(index, tmp_path, backend) as runner:
        await post(runner, "lock", requirements=["alpha"])
        definition = await runner.define(CODE)

        async def compared(answer: bytes) -> Any:
            async def say(run: wire.Run, payload: Payload) -> Answer:
                assert {"items", "args"} == set(json.loads(payload))
                return wire.Done(run.run), answer

            backend.answer = say
            ask = {"definition": definition, "items": [{"json": {}}], "args": [{}]}
            return (await post(runner, "upgrade", requirements=["alpha"], **ask))["comparison"]

        found = [await compared(each) for each in answers]
        large = await compared(b"[" + b" " * 1_000_000 + b"]")

    assert ["sandbox_lost"] * 3 == [each["after"]["problem"]["code"] for each in found[:3]]
    assert found[3]["equal"]
    assert "body_too_large" == large["after"]["problem"]["code"]


async def test_a_vulnerable_upgrade_is_refused_where_the_policy_is_to_block(
    runner: RunnerClient, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs would be refused with it: so it is not taken in the first place."""
    from qflow_runner.errors import PackageVulnerable
    from qflow_runner.layers import Lock

    index.wheel("alpha", "1.0")

    async def vet(lock: Lock) -> str:
        raise PackageVulnerable("alpha 1.0 has a known vulnerability.")

    found = await post(runner, "upgrade", requirements=["alpha"])
    monkeypatch.setattr(runner.state.vetting, "vet", vet)

    assert "package_vulnerable" == (await post(runner, "accept", 422, upgrade=found["upgrade"]))["code"]


async def test_the_command_asks_a_running_runner(real: RunnerClient, index: Index, tmp_path: Path) -> None:
    """It shows, compares, accepts only what gives the same, and goes back."""
    index.wheel("alpha", "1.0")
    definition = await real.define(CODE, requirements=["alpha"])
    assert "1.0" == await alpha_of(real, "1")
    index.wheel("alpha", "2.0")
    items = tmp_path / "items.json"
    items.write_text('[{"json": {"n": 3}}]')
    ask = ("layers", "upgrade", "alpha", "--yes", "--runner", real.address)
    refused = await qflow(tmp_path, index, *ask, "--definition", definition, "--items", str(items))

    assert (1, "Not accepted.\n") == (refused.returncode, refused.stderr)
    assert 'item 0, json.version: "1.0" -> "2.0"' in refused.stdout
    assert "1.0" == await alpha_of(real, "2")
    accepted = await qflow(tmp_path, index, *ask)
    assert (0, "  alpha 1.0 -> 2.0\n") == (accepted.returncode, accepted.stdout)
    assert "2.0" == await alpha_of(real, "3")
    back = await qflow(tmp_path, index, "layers", "upgrade", "alpha", "--back", "--runner", real.address)
    assert (0, "alpha==1.0\n") == (back.returncode, back.stdout)
    assert "1.0" == await alpha_of(real, "4")


async def test_the_command_says_what_the_runner_refused(
    runner: RunnerClient, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the runner's own words; and where there is no runner, that."""
    monkeypatch.setenv("QFLOW_TOKEN", TOKEN)

    def ask(address: str, token: str = TOKEN) -> QflowError:
        settings = Settings(token=token)  # type: ignore[arg-type]
        with pytest.raises(QflowError) as refused:
            remote.post(settings, address, "/v1/packages/lock", {"requirements": ["no-such"]}, deadline_s=20)
        return refused.value

    missing = await asyncio.to_thread(ask, runner.address + "/")
    assert "no-such" in missing.detail
    assert "token" in (await asyncio.to_thread(ask, runner.address, "x" * 20)).detail
    assert "Nobody answers" in (await asyncio.to_thread(ask, "http://127.0.0.1:1")).detail


async def qflow(tmp_path: Path, index: Index, *arguments: str) -> subprocess.CompletedProcess[str]:
    import os

    environment = {
        **os.environ,
        "QFLOW_DATA_DIR": str(tmp_path / "data"),
        "QFLOW_CACHE_DIR": str(tmp_path / "cache"),
        "QFLOW_INDEX_URL": index.url,
        "QFLOW_PYTHON": PYTHON,
        "QFLOW_TOKEN": TOKEN,
    }
    return await asyncio.to_thread(
        lambda: subprocess.run(
            [sys.executable, "-m", "qflow_runner", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )
    )


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ([], [], []),
        ([{"json": {"a": 1}}], [{"json": {"a": 1.0}}], []),
        ([{"json": {"a": 1, "b": 2}}], [{"json": {"b": 2, "a": 1}}], []),
        ([{"json": {"a": True}}], [{"json": {"a": 1}}], [(0, "json.a", True, 1)]),
        ([{"json": {"a": 0.1}}], [{"json": {"a": 0.1 + 2e-17}}], [(0, "json.a", 0.1, 0.1 + 2e-17)]),
        ([{"json": {"a": "1"}}], [{"json": {"a": 1}}], [(0, "json.a", "1", 1)]),
        ([{"json": {"a": None}}], [{"json": {}}], [(0, "json.a", None, compare.NOTHING)]),
        ([1, 2], [2, 1], [(0, "", 1, 2), (1, "", 2, 1)]),
        ([1], [1, {"json": {}}], [(1, "", compare.NOTHING, {"json": {}})]),
        (
            [{"json": {"a b": [{"x": [1, 2]}]}}],
            [{"json": {"a b": [{"x": [1, 3, 4]}]}}],
            [(0, 'json["a b"][0].x[1]', 2, 3), (0, 'json["a b"][0].x[2]', compare.NOTHING, 4)],
        ),
        (
            [{"json": {"$qflow": {"ref": "a", "type": "T"}, "ref": 1}}],
            [{"json": {"$qflow": {"ref": "b", "type": "U"}, "ref": 2}}],
            [(0, "json.$qflow.type", "T", "U"), (0, "json.ref", 1, 2)],
        ),
    ],
)
def test_items_are_compared_exactly_and_in_order(
    before: list[Any], after: list[Any], found: list[tuple[Any, ...]]
) -> None:
    """Members of an object have no order; elements of a list have."""
    differences, more = compare.differences(before, after)

    assert found == [(each.item, each.path, each.before, each.after) for each in differences]
    assert 0 == more


def test_what_is_shown_of_differences_is_bounded() -> None:
    """However many, however long, however deep; and every one can be written as JSON."""
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    before: list[Any] = [
        "x" * 10_000,
        list(range(10_000)),
        {"k" * 10_000: 1},
        deep,
        float("inf"),
        *range(1_000),
    ]
    differences, more = compare.differences(before, [None] * len(before))

    assert (compare.SHOWN, len(before) - compare.SHOWN) == (len(differences), more)
    assert all(len(json.dumps(each.before, allow_nan=False)) < 1_000 for each in differences)
    assert all(
        len(each.path) <= compare.LONGEST for each in compare.differences([{"k" * 10_000: 1}], [{}])[0]
    )
    assert ([], 0) == compare.differences([deep], [deep])


async def test_cached_results_of_other_versions_are_not_answered(real: RunnerClient, index: Index) -> None:
    """A node that caches its results computes them anew once its packages are others."""
    index.wheel("alpha", "1.0")

    async def cached(execution: str) -> str:
        options: dict[str, Any] = {"requirements": ["alpha"], "cache_ttl_s": 600}
        return (await real.values(CODE, execution=execution, **options))[0]["version"]

    assert "1.0" == await cached("1")
    index.wheel("alpha", "2.0")
    found = await post(real, "upgrade", requirements=["alpha"])
    assert "1.0" == await cached("2")
    await post(real, "accept", upgrade=found["upgrade"])
    assert "2.0" == await cached("3")
    await post(real, "rollback", requirements=["alpha"])
    assert "1.0" == await cached("4")
