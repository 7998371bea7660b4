"""Examples that reach services, in a real n8n: an HTTP API, PostgreSQL, Redis and a chat endpoint, all on this machine."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiohttp import web

from lab.cache import run_script
from lab.n8n_api import Execution
from lab.parts import Parts
from lab.postgres import running_postgres
from lab.processes import free_ports
from lab.redis import RedisServer
from lab.runner import Runner
from lab.workflows import CREDENTIAL_TYPE, Workflow, example

SECRETS_TYPE = "qflowSecretsApi"
DEADLINE_S = 240
API_KEY = "sk-of-the-tests"
ORDERS = {"north": [[1, 9.5], [2, 4.0], [5, 1.25]], "south": [[3, 7.0]]}
SALES = [("north", 1, 100.0), ("south", 1, 80.0), ("north", 2, 150.5), ("south", 2, 90.25)]


@dataclass(frozen=True)
class Services:
    """`ports` by the port that stands in an example."""

    ports: Mapping[int, int]
    password: str
    redis_password: str
    seen: list[str]


async def orders(request: web.Request) -> web.Response:
    """Two on a page."""
    shop, page = request.query["shop"], int(request.query["page"])
    rows = ORDERS[shop][2 * (page - 1) : 2 * page]
    more = page + 1 if len(ORDERS[shop]) > 2 * page else 0
    found = [{"id": number, "shop": shop, "total": total} for number, total in rows]
    return web.json_response({"orders": found, "next": more})


def chat(seen: list[str]) -> Any:
    async def complete(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        text = (await request.json())["messages"][-1]["content"]
        mood = "bad" if "broken" in text else "good"
        content = json.dumps({"mood": mood, "reply": f"About: {text[:7]}"})
        return web.json_response({"choices": [{"message": {"role": "assistant", "content": content}}]})

    return complete


@pytest.fixture(scope="module", name="services")
async def _services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    await run_script("redis.sh")
    await run_script("postgres.sh")
    seen: list[str] = []
    async with AsyncExitStack() as stack:
        app = web.Application()
        app.router.add_get("/orders", orders)
        app.router.add_post("/v1/chat/completions", chat(seen))
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        http = free_ports(1)[0]
        await web.TCPSite(runner, "127.0.0.1", http).start()
        folder = tmp_path_factory.mktemp("redis")
        redis = await RedisServer.start(folder)
        stack.push_async_callback(redis.stop)
        server = await stack.enter_async_context(running_postgres())
        url = await server.create("shop")
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE sales (region text, month int, amount numeric)")
        await connection.executemany("INSERT INTO sales VALUES ($1, $2, $3)", SALES)
        await connection.close()
        _, _, where = url.partition("://qflow:")
        password, _, address = where.partition("@")
        ports = {
            8080: http,
            8000: http,
            6379: urlsplit(redis.url).port or 0,
            5432: int(address.partition(":")[2].partition("/")[0]),
        }
        yield Services(ports, password, str(urlsplit(redis.url).password), seen)


@pytest.fixture(scope="module", name="reaching")
async def _reaching(
    parts: Parts, services: Services, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Parts]:
    """A runner whose administrator allows the services by name."""
    if parts.runner.backend != "docker":
        pytest.skip("the process backend keeps nobody from the network")
    names = ("shop", "llm", "redis", "db")
    runner = await Runner.start(
        tmp_path_factory.mktemp("egress") / "runner",
        "docker",
        env={
            "QFLOW_EGRESS_ALLOW": "*.internal:*",
            "QFLOW_EGRESS_PRIVATE": " ".join(f"127.0.0.1:{port}" for port in services.ports.values()),
            "QFLOW_EGRESS_HOSTS": " ".join(f"{name}.internal=127.0.0.1" for name in names),
        },
    )
    try:
        credential = await parts.n8n.api.create_credential("Reaching", CREDENTIAL_TYPE, runner.credential)
        yield replace(parts, runner=runner, credential=credential)
    finally:
        await runner.stop()


async def run(
    parts: Parts, services: Services, name: str, last: str, secrets: Mapping[str, Any] | None = None
) -> Execution:
    """The example with the services' ports in place of those that stand in it."""
    text = json.dumps(example(name))
    for standing, port in services.ports.items():
        text = text.replace(f"internal:{standing}", f"internal:{port}").replace(
            f"port={standing}", f"port={port}"
        )
    workflow: Workflow = json.loads(text)
    if secrets is not None:
        values = {"values": json.dumps(secrets)}
        credential = await parts.n8n.api.create_credential(f"Secrets of {name}", SECRETS_TYPE, values)
        for node in workflow["nodes"]:
            if node["parameters"].get("options", {}).get("useSecrets"):
                node.setdefault("credentials", {})[SECRETS_TYPE] = dict(credential)
    return await parts.n8n.api.run_step(await saved(parts, workflow), last, DEADLINE_S)


async def saved(parts: Parts, workflow: Workflow) -> Workflow:
    for node in workflow["nodes"]:
        if node["type"].endswith("qflowPython"):
            node.setdefault("credentials", {})[CREDENTIAL_TYPE] = dict(parts.credential)
    return await parts.n8n.api.create_workflow(workflow)


async def test_an_http_api_is_read_page_by_page_with_requests(reaching: Parts, services: Services) -> None:
    execution = await run(reaching, services, "http-api", "Fetch")

    assert execution.status == "success", execution.error
    assert execution.values("Fetch") == [
        {"id": number, "shop": shop, "total": total} for shop in ORDERS for number, total in ORDERS[shop]
    ]


async def test_rows_of_postgresql_become_a_dataframe(reaching: Parts, services: Services) -> None:
    """With psycopg, whose password is bound to the database's host."""
    bound = {"value": services.password, "hosts": f"db.internal:{services.ports[5432]}"}

    execution = await run(reaching, services, "postgres-report", "Summarise", {"db_password": bound})

    assert execution.status == "success", execution.error
    assert execution.values("Summarise") == [
        {"region": "north", "total": 250.5, "best": 2},
        {"region": "south", "total": 170.25, "best": 2},
    ]


async def test_redis_remembers_between_executions(reaching: Parts, services: Services) -> None:
    secrets = {"redis_password": services.redis_password}

    first = await run(reaching, services, "redis-once", "New ones", secrets)
    second = await run(reaching, services, "redis-once", "New ones", secrets)

    assert first.status == second.status == "success", (first.error, second.error)
    assert first.values("New ones") == [{"order": "A1"}, {"order": "A2"}]
    assert second.values("New ones") == []


async def test_a_chat_endpoint_gets_the_key_and_judges(reaching: Parts, services: Services) -> None:
    bound = {"value": API_KEY, "hosts": f"llm.internal:{services.ports[8000]}"}

    execution = await run(reaching, services, "chat", "Ask", {"api_key": bound})

    assert execution.status == "success", execution.error
    assert [row["mood"] for row in execution.values("Ask")] == ["bad", "good"]
    assert services.seen == [f"Bearer {API_KEY}"] * 2


async def test_a_secret_of_another_host_is_refused_in_the_node(reaching: Parts, services: Services) -> None:
    """Before the code runs, in a sentence with both hosts."""
    before = list(services.seen)

    execution = await run(
        reaching, services, "chat", "Ask", {"api_key": {"value": API_KEY, "hosts": "api.example.org:443"}}
    )

    assert execution.status == "error"
    assert f"llm.internal:{services.ports[8000]}" in json.dumps(execution.error)
    assert "bound to api.example.org:443" in json.dumps(execution.error)
    assert services.seen == before


async def test_what_may_not_be_listed_is_told_in_the_node(parts: Parts, services: Services) -> None:
    """A runner whose administrator allows nothing names the host and the setting."""
    execution = await run(parts, services, "redis-once", "New ones")

    assert execution.status == "error"
    told = json.dumps(execution.error)
    assert f"redis.internal:{services.ports[6379]}" in told
    assert "QFLOW_EGRESS_ALLOW" in told
