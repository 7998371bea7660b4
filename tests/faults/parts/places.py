"""Which process is which: the session that a run has, what forked it, and what keeps the container."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.faults.parts.engine import Engine
from tests.runner import RunnerClient

WHERE = "import os\ndef where() -> int:\n    return os.getpid()\n"


@dataclass(frozen=True)
class Place:
    """Processes by their numbers on this machine."""

    sandbox: str
    container: str
    session: int
    environment: int
    zygote: int
    shim: int

    def marked(self, name: str) -> bool:
        """Whether code of the session made this file where it stands."""
        return Path(f"/proc/{self.session}/cwd/{name}").exists()


async def find(runner: RunnerClient, engine: Engine, requirements: list[str], **place: str) -> Place:
    """Of a workflow's execution, which has a session afterwards. With a layer, so that there is an environment."""
    ((inside),) = [each["value"] for each in await runner.values(WHERE, requirements=requirements, **place)]
    (row,) = [each for each in await runner.sandboxes() if each["workflow"] == place["workflow"]]
    client = engine.client()
    try:
        state = client.api.inspect_container(f"qflow-{row['id']}")
    finally:
        client.close()
    zygote, container = state["State"]["Pid"], state["Id"]
    (session,) = [pid for pid in below(zygote) if number_inside(pid) == inside]
    return Place(row["id"], container, session, parent(session), zygote, engine.shim(container))


def below(pid: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            children.setdefault(parent(int(place.name)), []).append(int(place.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def parent(pid: int) -> int:
    return int(_status(pid, "PPid") or 0)


def number_inside(pid: int) -> int:
    """Its number in its own namespace."""
    numbers = _status(pid, "NSpid").split()
    return int(numbers[-1]) if numbers else 0


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _status(pid: int, name: str) -> str:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name + ":")), "")
