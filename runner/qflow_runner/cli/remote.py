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
    return asyncio.run(_post(f"{runner.rstrip('/')}{path}", DataDir.kept_token(settings), body, deadline_s))


async def _post(url: str, token: str, body: dict[str, Any], deadline_s: float) -> Any:
    import aiohttp

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
        raise Unavailable(
            f"{url} does not answer as a runner does: {error}.", hint="See that the address is a runner's."
        ) from None
    if response.status != 200:
        known = answer if isinstance(answer, dict) else {}
        raise Refused(
            str(known.get("detail") or f"{url} answered {response.status}."), hint=known.get("hint")
        )
    return answer
