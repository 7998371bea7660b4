"""The cluster's connection to Redis, for all but the queue itself, which is Celery's."""

import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, OutOfMemoryError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from qflow_runner.errors import QueueUnavailable

CALL_S = 5.0
CONNECT_S = 2.0
KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}
"""A connection that a network forgot is noticed within 20 seconds."""


def client(url: str) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=CALL_S,
        socket_connect_timeout=CONNECT_S,
        # Once more, at once: a connection that Redis closed meanwhile tells so only when it is used.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )


def broker_options() -> dict[str, Any]:
    """The same deadlines for Celery."""
    return {
        "socket_timeout": CALL_S,
        "socket_connect_timeout": CONNECT_S,
        "socket_keepalive": True,
        "socket_keepalive_options": KEEPALIVE,
    }


def broker_url(url: str) -> str:
    """As Celery writes the address."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return urlunsplit(("redis+socket", *parts[1:]))
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parts.query:
        query = urlencode([*parse_qsl(parts.query), ("ssl_cert_reqs", "required")])
        return urlunsplit(parts._replace(query=query))
    return url


@asynccontextmanager
async def speaking() -> AsyncGenerator[None]:
    """Raises QueueUnavailable, with the reason, in place of what the client raises."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise away(error) from error


def away(error: BaseException) -> QueueUnavailable:
    """What to do depends on what Redis said."""
    cause = next((each for each in _chain(error) if isinstance(each, RedisError)), error)
    text = (str(cause) or type(cause).__name__).splitlines()[0][:300]
    if isinstance(cause, OutOfMemoryError) or "OOM" in text:
        return QueueUnavailable(
            f"Redis is full and takes nothing: {text}",
            hint="Give it more memory (maxmemory), or find out who fills it.",
        )
    if isinstance(cause, AuthenticationError | AuthorizationError) or "WRONGPASS" in text or "NOAUTH" in text:
        return QueueUnavailable(
            f"Redis refuses the password: {text}", hint="Set the user and password in QFLOW_REDIS_URL."
        )
    return QueueUnavailable(f"Redis does not answer: {text}")


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


async def close(redis: Redis) -> None:
    with contextlib.suppress(RedisError, OSError):
        await redis.aclose()
