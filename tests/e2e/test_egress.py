"""Examples that reach services, in a real n8n: an HTTP API, PostgreSQL, Redis and a chat endpoint, all on this machine."""

import json
from collections.abc import Mapping
from typing import Any

from lab.n8n_api import Execution
from lab.parts import Parts
from tests.e2e.services import API_KEY, BOOKS, ORDERS, REVIEWS, Services, with_credentials

DEADLINE_S = 240


async def run(
    parts: Parts, services: Services, name: str, last: str, secrets: Mapping[str, Any] | None = None
) -> Execution:
    """Save an example, and press "Execute step" of its last node."""
    workflow = await with_credentials(parts.n8n.api, services, services.example(name), secrets)
    return await parts.n8n.api.run_step(await parts.save(workflow), last, DEADLINE_S)


async def test_an_http_api_is_read_page_by_page_with_requests(reaching: Parts, services: Services) -> None:
    execution = await run(reaching, services, "http-api", "Fetch")

    assert execution.status == "success", execution.error
    assert execution.values("Fetch") == [
        {"id": number, "shop": shop, "total": total} for shop in ORDERS for number, total in ORDERS[shop]
    ]


async def test_rows_of_postgresql_become_a_dataframe(reaching: Parts, services: Services) -> None:
    """With psycopg, whose password is bound to the database's host."""
    execution = await run(
        reaching, services, "postgres-report", "Summarise", services.secrets("postgres-report")
    )

    assert execution.status == "success", execution.error
    assert execution.values("Summarise") == [
        {"region": "north", "total": 250.5, "best": 2},
        {"region": "south", "total": 170.25, "best": 2},
    ]


async def test_redis_remembers_between_executions(reaching: Parts, services: Services) -> None:
    secrets = services.secrets("redis-once")

    first = await run(reaching, services, "redis-once", "New ones", secrets)
    second = await run(reaching, services, "redis-once", "New ones", secrets)

    assert first.status == second.status == "success", (first.error, second.error)
    assert first.values("New ones") == [{"order": "A1"}, {"order": "A2"}]
    assert second.values("New ones") == []


async def test_a_chat_endpoint_gets_the_key_and_judges(reaching: Parts, services: Services) -> None:
    before = len(services.keys)

    execution = await run(reaching, services, "chat", "Ask", services.secrets("chat"))

    assert execution.status == "success", execution.error
    assert [row["mood"] for row in execution.values("Ask")] == ["bad", "good"]
    assert services.keys[before:] == [f"Bearer {API_KEY}"] * 2


async def test_web_pages_are_read_and_a_host_that_is_not_listed_is_not(
    reaching: Parts, services: Services
) -> None:
    """The administrator allows both hosts, the nodes list one: the code learns it at once, and goes on."""
    before = len(services.pages)

    execution = await run(reaching, services, "scraping", "Reviews")

    assert execution.status == "success", execution.error
    assert [(each["title"], each["price"]) for each in execution.values("Books")] == [
        (title, price) for title, price, _ in BOOKS
    ]
    *reached, other = execution.values("Reviews")
    assert reached == [
        {"title": title, "stars": REVIEWS[number][0], "note": REVIEWS[number][1]}
        for (title, _, _), number in zip(BOOKS, ("1", "2"), strict=False)
    ]
    assert (other["title"], other["stars"]) == ("Middlemarch", None)
    assert other["note"].startswith("reviews.internal is out of reach: ")
    assert services.pages[before:] == [
        "books.internal/",
        "books.internal/?page=2",
        "books.internal/reviews/1",
        "books.internal/reviews/2",
    ]


async def test_a_secret_of_another_host_is_refused_in_the_node(reaching: Parts, services: Services) -> None:
    """Before the code runs, in a sentence with both hosts."""
    before = list(services.keys)

    execution = await run(
        reaching, services, "chat", "Ask", {"api_key": {"value": API_KEY, "hosts": "api.example.org:443"}}
    )

    assert execution.status == "error"
    assert f"llm.internal:{services.ports[8000]}" in json.dumps(execution.error)
    assert "bound to api.example.org:443" in json.dumps(execution.error)
    assert services.keys == before


async def test_what_may_not_be_listed_is_told_in_the_node(parts: Parts, services: Services) -> None:
    """A runner whose administrator allows nothing names the host and the setting."""
    execution = await run(parts, services, "redis-once", "New ones")

    assert execution.status == "error"
    told = json.dumps(execution.error)
    assert f"redis.internal:{services.ports[6379]}" in told
    assert "QFLOW_EGRESS_ALLOW" in told
