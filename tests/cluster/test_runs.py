"""What runs do in a cluster when nothing goes wrong: they are the runs of one runner, only that workers make them."""

import asyncio
import base64
import json
from typing import Any

import pytest

from lab.trees import below
from tests.cluster.cluster import Cluster, until

COUNT = """
import threading
_calls = []
def count() -> dict:
    import os
    _calls.append(1)
    return {"pid": os.getpid(), "calls": len(_calls)}
"""
KEEP = "class Box:\n    def __init__(self, n): self.n = n\ndef keep(n: int) -> Box:\n    return Box(n)"
READ = "def read(value) -> int:\n    return value.n + 1"


async def test_a_run_is_made_by_a_worker_and_answered_as_ever(cluster: Cluster) -> None:
    """Items, logs, times, the record in the shared database; a failure with its document."""
    worker = await cluster.worker()
    api = await cluster.api(ready=True)

    code = "def f(n: int) -> int:\n    print('here')\n    return 10 // n"
    status, reply = await api.client.run(code, [{"n": 1}, {"n": 5}])
    failed, problem = await api.client.run(code, [{"n": 0}])

    assert status == 200, reply
    assert [{"value": 10}, {"value": 2}] == [each["json"] for each in reply["items"]]
    assert "here\nhere\n" == "".join(each["text"] for each in reply["logs"])
    assert reply["recorded"] is True
    assert (await api.client.call("GET", f"/v1/runs/{reply['run']}"))[1]["outcome"] == "ok"
    assert (422, "user_code", 0, "Test node") == (
        failed,
        problem["category"],
        problem["item"],
        problem["node"],
    )
    assert "ZeroDivisionError" in problem["detail"]
    assert (await api.client.call("GET", f"/v1/runs/{problem['run']}"))[1]["outcome"] == "user_code"
    assert 2 == len(worker.runs())


async def test_an_execution_stays_with_one_worker_and_executions_spread(cluster: Cluster) -> None:
    """Every run of an execution meets the process of its first; through whichever API process it comes."""
    workers = [await cluster.worker(worker_runs=2) for _ in range(2)]
    apis = [await cluster.api(ready=True) for _ in range(2)]
    await until(lambda: _all_know(apis, 2))

    async def execution(name: str) -> list[Any]:
        return [(await apis[n % 2].client.values(COUNT, workflow=name, execution=name))[0] for n in range(5)]

    found = await asyncio.gather(*(execution(f"e{n}") for n in range(8)))

    for calls in found:
        assert 1 == len({each["pid"] for each in calls})
        assert [1, 2, 3, 4, 5] == [each["calls"] for each in calls]
    assert all(worker.runs() for worker in workers)
    assert 40 == sum(len(worker.runs()) for worker in workers)


async def test_first_runs_at_the_same_time_find_one_home(cluster: Cluster) -> None:
    """Branches of a workflow that begin at once meet in one session, though both workers may take them."""
    for _ in range(2):
        await cluster.worker()
    api = await cluster.api(ready=True)
    await until(lambda: _all_know([api], 2))

    for n in range(6):
        runs = (api.client.values(COUNT, execution=f"at-once-{n}") for _ in range(6))
        found = [each[0] for each in await asyncio.gather(*runs)]
        assert 1 == len({each["pid"] for each in found}), found
        assert [1, 2, 3, 4, 5, 6] == sorted(each["calls"] for each in found)


async def test_a_live_object_is_found_by_the_next_node_and_by_another_execution(cluster: Cluster) -> None:
    """In its session; and from another worker's, as an editor's next step wants it: through the shared directory."""
    for _ in range(2):
        await cluster.worker(worker_runs=1)
    api = await cluster.api(ready=True)
    await until(lambda: _all_know([api], 2))
    status, kept = await api.client.run(KEEP, [{"n": 41}], keep=True, output="reference")
    assert status == 200, kept
    item = kept["items"][0]["json"]

    same = await api.client.values(READ, [item])
    others = [await api.client.values(READ, [item], execution=f"other-{n}") for n in range(4)]

    assert [{"value": 42}] == same
    assert [[{"value": 42}]] * 4 == others


@pytest.mark.parametrize("size", [400_000, 3_000_000])
async def test_large_items_go_through_the_shared_directory(cluster: Cluster, size: int) -> None:
    """Both ways, and nothing is left there."""
    await cluster.worker()
    api = await cluster.api(ready=True)

    [found] = await api.client.values(
        "def f(text: str) -> str:\n    return text[::-1]", [{"text": "ab" * size}]
    )

    assert "ba" * size == found["value"]
    payloads = cluster.folder / "shared" / "payloads"
    await until(lambda: not [each for each in below(payloads) if each.is_file()])


async def test_files_are_shared(cluster: Cluster) -> None:
    """Uploaded at one API process, read and made by a worker, fetched at another API process."""
    await cluster.worker()
    first, second = [await cluster.api(ready=True) for _ in range(2)]
    code = "from qflow import File\ndef f(data: File) -> bytes:\n    return data.read_bytes()[::-1]"
    query = {"workflow": "w", "execution": "e"}

    status, stored = await first.client.call(
        "POST", "/v1/files", params=query | {"name": "a.txt"}, data=b"abc" * 1000
    )
    assert status == 200, stored
    definition = await first.client.define(code)
    body = {"items": [{"json": {}, "binary": {"data": {"file": stored["file"], "mimeType": "text/plain"}}}]}
    status, reply = await second.client.call(
        "POST", f"/v1/definitions/{definition}/runs", params=query | {"node": "n"}, json=body
    )
    assert status == 200, reply
    [binary] = reply["items"][0]["binary"].values()
    if "file" in binary:
        address = f"{second.client.address}/v1/files/{binary['file']}"
        async with second.client.http.get(address, params=query) as response:
            content = await response.read()
    else:
        content = base64.b64decode(binary["data"])

    assert b"cba" * 1000 == content


async def test_what_runs_print_is_seen_at_any_api_process(cluster: Cluster) -> None:
    """Events of a worker's runs reach whoever watches."""
    await cluster.worker()
    first, second = [await cluster.api(ready=True) for _ in range(2)]
    kinds: list[str] = []
    async with second.client.http.get(f"{second.client.address}/v1/executions/e/events") as events:
        run = asyncio.create_task(first.client.values("def f() -> int:\n    print('seen')\n    return 1"))
        async with asyncio.timeout(20):
            async for line in events.content:
                if line.startswith(b"event: "):
                    kinds.append(line.split()[1].decode())
                if kinds[-1:] == ["ended"]:
                    break
        await run

    assert kinds[0] == "started"
    assert kinds[-1] == "ended"


async def test_sandboxes_sessions_and_layers_of_all_workers_are_listed(cluster: Cluster) -> None:
    """And an execution that is over is over at its worker; a sandbox can be retired from anywhere."""
    workers = [await cluster.worker() for _ in range(2)]
    api = await cluster.api(ready=True)
    await until(lambda: _all_know([api], 2))
    await api.client.values(COUNT)

    rows = await api.client.sandboxes()
    assert {worker.name for worker in workers} == {each["worker"] for each in rows}
    assert 1 == sum(each["sessions"] for each in rows)
    assert {"ended": 1} == (await api.client.call("DELETE", "/v1/executions/e/session"))[1]
    assert 0 == sum(each["sessions"] for each in await api.client.sandboxes())
    owned = next(each["id"] for each in rows if each["workflow"] == "w")
    assert 200 == (await api.client.call("POST", f"/v1/sandboxes/{owned}/retire"))[0]
    assert 404 == (await api.client.call("POST", "/v1/sandboxes/nobody/retire"))[0]
    assert {"layers": []} == (await api.client.call("GET", "/v1/layers"))[1]


async def test_a_workflow_runs_over_workers(cluster: Cluster) -> None:
    """Its nodes hand a live object on, and branches run beside each other."""
    for _ in range(2):
        await cluster.worker()
    api = await cluster.api(ready=True)
    workflow = {
        "nodes": [
            _node("Start", "n8n-nodes-base.manualTrigger", {}),
            _node("Keep", "n8n-nodes-qflow.qflowPython", {"code": KEEP.replace("n: int", "n: int = 4")}),
            _node("Left", "n8n-nodes-qflow.qflowPython", {"code": READ}),
            _node("Right", "n8n-nodes-qflow.qflowPython", {"code": READ.replace("+ 1", "+ 2")}),
        ],
        "connections": {
            "Start": {"main": [[{"node": "Keep", "type": "main", "index": 0}]]},
            "Keep": {"main": [[{"node": each, "type": "main", "index": 0} for each in ("Left", "Right")]]},
        },
    }

    status, reply = await api.client.call("POST", "/v1/workflows/w/runs", json={"workflow": workflow})

    assert status == 200, reply
    assert reply["ok"], reply
    assert [{"value": 5}] == [each["json"] for each in reply["nodes"]["Left"]["items"][0]]
    assert [{"value": 6}] == [each["json"] for each in reply["nodes"]["Right"]["items"][0]]


async def test_a_recorded_run_is_replayed_from_any_api_process(cluster: Cluster) -> None:
    """Its items lie where every worker and API process finds them."""
    await cluster.worker(keep_inputs="all")
    first, second = [await cluster.api(ready=True, keep_inputs="all") for _ in range(2)]
    _, reply = await first.client.run("def f(n: int) -> int:\n    return n + 1", [{"n": 1}])

    async def replayed() -> bool:
        status, again = await second.client.call("POST", f"/v1/runs/{reply['run']}/replay", json={})
        return status == 200 and [{"value": 2}] == [each["json"] for each in again["items"]]

    await until(replayed)


async def test_old_records_are_removed_by_one_worker_for_all(cluster: Cluster) -> None:
    """However many processes there are."""
    workers = [await cluster.worker() for _ in range(2)]
    for _ in range(2):
        await cluster.api(ready=True)

    def done() -> list[str]:
        return [each["job"] for worker in workers for each in worker.log if each["event"] == "job.done"]

    await until(done)
    assert ["job.retention"] == done()


async def test_ten_thousand_waiting_runs_are_made_fairly(cluster: Cluster) -> None:
    """None is lost, and a workflow with few of them is not held up by one with thousands."""
    for _ in range(2):
        await cluster.worker()
    api = await cluster.api(ready=True, queue_max=20_000, queue_per_workflow=20_000, pool_wait_s=300)
    await until(lambda: _all_know([api], 2))
    definition = await api.client.define("def f(n: int) -> int:\n    return n")
    order: list[str] = []

    async def one(workflow: str, n: int) -> int:
        query = {"workflow": workflow, "execution": f"{workflow}-{n % 4}", "node": "n"}
        data = json.dumps({"items": [{"json": {"n": n}}]}).encode()
        url = f"{api.client.address}/v1/definitions/{definition}/runs"
        async with http.post(
            url, params=query, data=data, headers={"Content-Type": "application/json"}
        ) as reply:
            found = await reply.json()
            assert reply.status == 200, found
            order.append(workflow)
            return found["items"][0]["json"]["value"]

    import aiohttp

    headers = {"Authorization": api.client.http.headers["Authorization"]}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout) as http:
        many = [asyncio.create_task(one("many", n)) for n in range(9_900)]
        await until(lambda: len(order) > 50)
        few = [asyncio.create_task(one("few", n)) for n in range(100)]
        values = await asyncio.gather(*many, *few)

    assert [*range(9_900), *range(100)] == values
    assert order.index("few") < 4_000
    last_few = max(n for n, each in enumerate(order) if each == "few")
    assert last_few < 8_000, last_few


async def _all_know(apis: list[Any], workers: int) -> bool:
    told = [(await each.client.call("GET", "/readyz"))[1]["parts"]["workers"]["reason"] for each in apis]
    return all(each.startswith(f"{workers} workers") for each in told)


def _node(name: str, kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": kind, "typeVersion": 1, "position": [0, 0], "parameters": parameters}
