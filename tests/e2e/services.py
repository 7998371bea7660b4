"""What the examples reach, on this machine: an HTTP API, a web shop, language models, PostgreSQL and Redis."""

import copy
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from aiohttp import web

from lab.cache import run_script
from lab.n8n_api import N8nApi
from lab.postgres import running_postgres
from lab.processes import free_ports
from lab.redis import RedisServer
from lab.workflows import Workflow, example

SECRETS_TYPE = "qflowSecretsApi"
OPENAI_TYPE = "openAiApi"
API_KEY = "sk-of-the-tests"
ORDERS = {"north": [[1, 9.5], [2, 4.0], [5, 1.25]], "south": [[3, 7.0]]}
SALES = [("north", 1, 100.0), ("south", 1, 80.0), ("north", 2, 150.5), ("south", 2, 90.25)]
BOOKS = [
    ("Flatland", "12.50", "/reviews/1"),
    ("Frankenstein", "9.00", "/reviews/2"),
    # The administrator allows this host too, and it is this same server.
    ("Middlemarch", "14.75", "http://reviews.internal:8080/reviews/3"),
]
REVIEWS = {"1": (4, "Short, and sharp in every dimension."), "2": (5, "Still alive."), "3": (5, "Long.")}


@dataclass(frozen=True)
class Services:
    """`ports` by the port that stands in an example."""

    ports: Mapping[int, int]
    password: str
    redis_password: str
    keys: list[str] = field(default_factory=list[str])
    """What came in as Authorization, of each question to the chat endpoint without tools."""
    talks: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    """What came in, of each question to the one with tools."""
    pages: list[str] = field(default_factory=list[str])
    """Host and path of each page of the web shop that was asked for."""

    def example(self, name: str) -> Workflow:
        """The example with the services' ports in place of those that stand in it."""
        text = json.dumps(example(name))
        for standing, port in self.ports.items():
            for before in ("internal:", "port="):
                text = text.replace(f"{before}{standing}", f"{before}{port}")
        return json.loads(text)

    def secrets(self, name: str) -> Mapping[str, Any] | None:
        """What the secrets of an example are, if it has some."""
        key = {"value": API_KEY, "hosts": f"llm.internal:{self.ports[8000]}"}
        database = {"value": self.password, "hosts": f"db.internal:{self.ports[5432]}"}
        return {
            "chat": {"api_key": key},
            "postgres-report": {"db_password": database},
            "redis-once": {"redis_password": self.redis_password},
        }.get(name)


async def with_credentials(
    api: N8nApi, services: Services, workflow: Workflow, secrets: Mapping[str, Any] | None = None
) -> Workflow:
    """A copy whose nodes have the credentials that they ask for beside that of the runner."""
    result = copy.deepcopy(workflow)
    kinds: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for node in result["nodes"]:
        if node["parameters"].get("options", {}).get("useSecrets") and secrets is not None:
            kinds[node["name"]] = SECRETS_TYPE, {"values": json.dumps(secrets)}
        elif node["type"].endswith(".lmChatOpenAi"):
            url = f"http://127.0.0.1:{services.ports[8000]}/v1/agent"
            kinds[node["name"]] = OPENAI_TYPE, {"apiKey": API_KEY, "url": url}
    for node in result["nodes"]:
        if node["name"] in kinds:
            kind, data = kinds[node["name"]]
            made = await api.create_credential(f"{kind} of {result['name']}", kind, data)
            node.setdefault("credentials", {})[kind] = made
    return result


Handler = Callable[[web.Request], Awaitable[web.Response]]


async def orders(request: web.Request) -> web.Response:
    """Two on a page."""
    shop, page = request.query["shop"], int(request.query["page"])
    rows = ORDERS[shop][2 * (page - 1) : 2 * page]
    more = page + 1 if len(ORDERS[shop]) > 2 * page else 0
    found = [{"id": number, "shop": shop, "total": total} for number, total in rows]
    return web.json_response({"orders": found, "next": more})


def books(seen: list[str]) -> Handler:
    """A web shop: two books on a page, each with a link to its review."""

    async def page(request: web.Request) -> web.Response:
        seen.append(f"{request.host.partition(':')[0]}{request.path_qs}")
        number = int(request.query.get("page", "1"))
        shown = BOOKS[2 * (number - 1) : 2 * number]
        found = "".join(
            f'<article class="book"><h2>{title}</h2><p class="price">{price} EUR</p><a href="{link}">Review</a></article>'
            # Its links name the port at which it was reached.
            for title, price, link in (
                (t, p, u.replace(":8080", f":{request.url.port}")) for t, p, u in shown
            )
        )
        more = f'<a rel="next" href="/?page={number + 1}">More</a>' if len(BOOKS) > 2 * number else ""
        return web.Response(
            text=f"<!doctype html><title>Books</title>{found}{more}", content_type="text/html"
        )

    return page


def reviews(seen: list[str]) -> Handler:
    async def page(request: web.Request) -> web.Response:
        seen.append(f"{request.host.partition(':')[0]}{request.path_qs}")
        stars, text = REVIEWS[request.match_info["number"]]
        rated = '<i class="star">*</i>' * stars
        html = f"<!doctype html><title>Review</title>{rated}<p>{text}</p>"
        return web.Response(text=html, content_type="text/html")

    return page


def chat(seen: list[str]) -> Handler:
    """A language model that judges reviews."""

    async def complete(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        text = (await request.json())["messages"][-1]["content"]
        mood = "bad" if "broken" in text else "good"
        content = json.dumps({"mood": mood, "reply": f"About: {text[:7]}"})
        return web.json_response({"choices": [{"message": {"role": "assistant", "content": content}}]})

    return complete


def agent(seen: list[Mapping[str, Any]]) -> Handler:
    """A language model that calls the first tool with the numbers of the question, and tells what came back."""

    async def complete(request: web.Request) -> web.Response:
        asked = await request.json()
        seen.append(asked)
        last = asked["messages"][-1]
        if last["role"] == "tool":
            message = {"role": "assistant", "content": f"The tool says: {last['content']}"}
            return web.json_response(completion(message, "stop"))
        tool = asked["tools"][0]["function"]
        numbers = [json.loads(number) for number in re.findall(r"\d+(?:\.\d+)?", last["content"])]
        arguments = dict(zip(tool["parameters"]["properties"], numbers, strict=True))
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": tool["name"], "arguments": json.dumps(arguments)},
        }
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return web.json_response(completion(message, "tool_calls"))

    return complete


def completion(message: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "finish_reason": reason, "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


@asynccontextmanager
async def running_services(folder: Path) -> AsyncGenerator[Services]:
    """All of them, each with a port of its own; Redis keeps its data in `folder`."""
    await run_script("redis.sh")
    await run_script("postgres.sh")
    async with AsyncExitStack() as stack:
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
        http = free_ports(1)[0]
        ports = {
            8080: http,
            8000: http,
            6379: urlsplit(redis.url).port or 0,
            5432: int(address.partition(":")[2].partition("/")[0]),
        }
        services = Services(ports, password, str(urlsplit(redis.url).password))
        app = web.Application()
        app.router.add_get("/", books(services.pages))
        app.router.add_get("/reviews/{number}", reviews(services.pages))
        app.router.add_get("/orders", orders)
        app.router.add_post("/v1/chat/completions", chat(services.keys))
        app.router.add_post("/v1/agent/chat/completions", agent(services.talks))
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", http).start()
        yield services
