"""Calls of a running runner, for commands that are about what it holds in memory."""

import asyncio
from typing import Any

from qflow_runner.errors import QflowError, Unavailable
from qflow_runner.identity import DataDir
from qflow_runner.settings import Settings

CONNECT_S = 10.0


class Refused(QflowError):
    """What the runner answered in place of what was asked for."""


def post(settings: Settings, runner: str, path: str, body: dict[str, Any], *, deadline_s: float) -> Any:
    """The answer's JSON. Raises Refused, and Unavailable where no runner answers at that address."""
    return asyncio.run(_post(runner, path, DataDir.kept_token(settings), body, deadline_s))


def no_runner(address: str, error: Exception, hint: str) -> Unavailable:
    """What is told where the client failed: nobody answers there, or somebody else does."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorError):
        return Unavailable(f"Nobody answers at {address}: {error.strerror}.", hint=hint)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return Unavailable(f"{address} is no address of a runner, such as http://127.0.0.1:8717.", hint=hint)
    if isinstance(error, aiohttp.ClientError):
        return Unavailable(f"{address} does not answer as a runner does: {error}.", hint=hint)
    return Unavailable(f"What answers at {address} is no runner: its answer is not JSON.", hint=hint)


async def _post(runner: str, path: str, token: str, body: dict[str, Any], deadline_s: float) -> Any:
    import aiohttp

    url = f"{runner.rstrip('/')}{path}"
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=deadline_s, sock_connect=CONNECT_S)
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as http,
            http.post(url, json=body) as response,
        ):
            answer = await response.json(content_type=None)
    except TimeoutError:
        raise Unavailable(f"{url} did not answer within {deadline_s:g} s.") from None
    except (aiohttp.ClientError, ValueError) as error:
        raise no_runner(runner, error, "Say with --runner where one is.") from None
    if response.status != 200:
        known = answer if isinstance(answer, dict) else {}
        raise Refused(
            str(known.get("detail") or f"{url} answered {response.status}."), hint=known.get("hint")
        )
    return answer
