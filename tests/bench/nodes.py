"""One node's definition at a runner, and runs of it over HTTP whose items nobody parses but the sandbox."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from tests.bench.client import Client, request
from tests.bench.direct import Direct

ONE = b'{"items":[{"json":{}}]}'
EXECUTION_S = 120.0


@dataclass(frozen=True)
class Ran:
    """`ms` is what the caller waited; `items` is a run's body made of the answer as it came."""

    ms: float
    items: bytes
    timing: dict[str, float]

    @property
    def first(self) -> Any:
        """The json of the first item."""
        return json.loads(self.items)["items"][0]["json"]


@dataclass(frozen=True)
class Node:
    direct: Direct
    client: Client
    definition: str

    @classmethod
    async def define(cls, direct: Direct, client: Client, code: str, **options: Any) -> "Node":
        body = {"code": code, "timeout_s": EXECUTION_S, **options}
        answer = await client.call(request("PUT", "/v1/definitions", body, direct.runner.token))
        return cls(direct, client, json.loads(answer.body)["id"])

    async def run(self, workflow: str, execution: str, body: bytes = ONE) -> Ran:
        path = f"/v1/definitions/{self.definition}/runs?workflow={workflow}&execution={execution}&node=bench"
        answer = await self.client.call(request("POST", path, body, self.direct.runner.token))
        end = answer.body.rindex(b',"logs":')
        timing = json.loads(b"{" + answer.body[end + 1 :])["timing"]
        return Ran(answer.ms, answer.body[:end] + b"}", timing)


async def ended(direct: Direct, client: Client, execution: str) -> None:
    """The execution is over, so that its session takes no memory from the next."""
    await client.call(request("DELETE", f"/v1/executions/{execution}/session", None, direct.runner.token))


async def sandbox_of(direct: Direct, workflow: str) -> str:
    rows = await direct.runner.sandboxes()
    return next(row["id"] for row in rows if row["workflow"] == workflow)


def proportional_memory(sandbox: str) -> tuple[int, int]:
    """Bytes (PSS) of a sandbox's processes, as the kernel counts them, and how many processes they are."""
    client = docker.from_env()
    try:
        top = client.api.top(f"qflow-{sandbox}")
    finally:
        client.close()
    column = top["Titles"].index("PID")
    pids = [row[column] for row in top["Processes"]]
    return sum(_kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss") for pid in pids) * 1024, len(pids)


class Growth:
    """How much more memory (RSS, bytes) a process had at its most than when this was made."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        # The kernel forgets the process's earlier maximum.
        (self._status.parent / "clear_refs").write_text("5")
        self._before = _kilobytes(self._status, "VmRSS")

    def most(self) -> int:
        return (_kilobytes(self._status, "VmHWM") - self._before) * 1024


def _kilobytes(path: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    assert found is not None, path
    return int(found[1])


def bodies(lines: Sequence[bytes]) -> bytes:
    """A run's body of items that are JSON already."""
    return b'{"items":[' + b",".join(lines) + b"]}"


def megabytes(size: float) -> float:
    return round(size / 1e6, 1)
