"""The tier that several runners share. Imported only where QFLOW_REDIS_URL is set: the client library is optional.

Others may read and write that Redis: what is there is sealed, and no answer is taken that is larger than an entry.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from qflow_runner.cache.circuit import RETRY_S, Circuit, TierAway
from qflow_runner.cache.entry import Cached, Payload
from qflow_runner.cache.sealing import sealed_max

CONNECT_S = 0.5
CALL_S = 0.2
VALUE_MAX = 4 * 1024 * 1024
"""Bytes of a payload. A larger one may take longer than CALL_S, and its parts hold up the event loop for long."""

_CLOSE_S = 1.0
_CONNECTIONS = 16
_PREFIX = "qflow:result:"

# What else stands behind a "?" in the address could loosen our deadlines, or is a name that the client does not know.
_FROM_URL = frozenset({"connection_class", "host", "port", "path", "db", "username", "password"})
_FROM_TLS_URL = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)

Result = TypeVar("Result")


class RedisTier:
    """No method raises."""

    name = "redis"

    def __init__(
        self,
        url: str,
        value_max: int,
        *,
        now: Callable[[], float] = time.time,
        retry_s: float = RETRY_S,
    ) -> None:
        """`value_max`, of a payload, in bytes; see VALUE_MAX. Raises ValueError for what is no address of a Redis."""
        self.circuit = Circuit(self.name, self._ping, retry_s)
        self._client = Redis(connection_pool=ConnectionPool(**_options(url)))
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._sealed_max = sealed_max(min(value_max, VALUE_MAX))
        self._now = now

    async def open(self) -> None:
        self.circuit.start()

    async def close(self) -> None:
        await self.circuit.stop()
        with contextlib.suppress(RedisError, OSError):
            async with asyncio.timeout(_CLOSE_S):
                await self._client.aclose()
                await self._client.connection_pool.disconnect()

    def may_have(self, key: str) -> bool:  # noqa: ARG002 - only Redis knows
        return self.circuit.closed

    async def load(self, key: str) -> Payload | None:
        try:
            async with asyncio.timeout(CALL_S):
                await self._places.acquire()
        except TimeoutError:
            self.circuit.slip("All connections to Redis are in use.")
            return None
        try:
            # One byte more than an entry has: a larger value shows, and is not fetched.
            found = await self._call(self._client.getrange(_PREFIX + key, 0, self._sealed_max))
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):  # somebody else's, and never an entry
                return b"-"
            self.circuit.trip(_reason(error))
            return None
        except (RedisError, OSError, UnicodeError) as error:
            self.circuit.trip(_reason(error))
            return None
        finally:
            self._places.release()
        return cast("bytes", found) or None

    async def save(self, key: str, sealed: Payload, cached: Cached) -> None:
        left_ms = int((cached.expires - self._now()) * 1000)
        if not self.circuit.closed or left_ms < 1 or len(sealed) > self._sealed_max:
            return
        try:
            await self._call(self._client.set(_PREFIX + key, memoryview(sealed), px=left_ms))
        except (TimeoutError, RedisTimeout):
            # Perhaps the network is only slow. Whoever reads would notice a Redis that hangs.
            self.circuit.slip(f"Redis did not take an entry of {len(sealed)} bytes in time.")
        except (RedisError, OSError, UnicodeError) as error:
            self.circuit.trip(_reason(error))

    async def drop(self, key: str) -> None:
        if not self.circuit.closed:
            return
        try:
            await self._call(self._client.delete(_PREFIX + key))
        except (RedisError, OSError, UnicodeError) as error:
            self.circuit.trip(_reason(error))

    async def _ping(self) -> None:
        try:
            await self._call(self._client.ping())
        except (RedisError, OSError, UnicodeError) as error:
            raise TierAway(_reason(error)) from None

    async def _call(self, reply: Awaitable[Result]) -> Result:
        """With the time for a new connection; a call on one that there is has CALL_S for each way."""
        async with asyncio.timeout(CONNECT_S + CALL_S):
            return await reply


def _options(url: str) -> dict[str, Any]:
    known = _FROM_URL | (_FROM_TLS_URL if url.startswith("rediss:") else frozenset())
    given = cast("dict[str, Any]", parse_url(url))
    return {name: value for name, value in given.items() if name in known} | {
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": CALL_S,
        # Once more, at once: a connection that Redis closed meanwhile tells so only when it is used.
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    }


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
