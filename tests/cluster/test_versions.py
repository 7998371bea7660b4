"""A cluster that is upgraded process by process: versions that understand each other work together."""

from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster, WorkerProcess, until

CHANGED = """
import sys
from qflow_runner import cli
from qflow_runner.engine.cluster import members, messages
messages.PROTOCOL = members.PROTOCOL = {newest}
messages.OLDEST = members.OLDEST = {oldest}
members.Member.__dataclass_fields__["oldest"].default = {oldest}
packed = messages._packed
messages._packed = lambda told: packed({{**told, "news": "of a later version"}})
sys.argv = ["qflow", "worker"]
original = members.Member.__init__
def init(self, *given, **named):
    original(self, *given, **{{"oldest": {oldest}, "newest": {newest}, **named}})
members.Member.__init__ = init
cli.main()
"""


class OtherVersion(WorkerProcess):
    """A worker whose messages are of these versions, and have members that this version does not know."""

    def __init__(self, *given: Any, oldest: int, newest: int) -> None:
        super().__init__(*given)
        self.program = ("-c", CHANGED.format(oldest=oldest, newest=newest))


async def test_a_newer_worker_that_speaks_ours_takes_our_runs(cluster: Cluster) -> None:
    """Two versions on: what it tells beside is left out."""
    worker = await _worker(cluster, oldest=1, newest=3)
    api = await cluster.api(ready=True)

    assert [{"value": 3}] == await api.client.values("def f() -> int:\n    return 3")
    assert 1 == len(worker.runs())


async def test_a_worker_that_speaks_ours_no_more_gets_no_runs(cluster: Cluster) -> None:
    """/readyz names it, and those who understand make the runs."""
    other = await _worker(cluster, oldest=2, newest=4)
    mine = await cluster.worker()
    api = await cluster.api(ready=True)

    for n in range(4):
        assert [{"value": 3}] == await api.client.values("def f() -> int:\n    return 3", execution=f"e{n}")

    async def named() -> bool:
        _, told = await api.client.call("GET", "/readyz")
        return f"{other.name} is Qflow" in told["parts"]["workers"]["reason"]

    await until(named)
    assert not other.runs()
    assert 4 == len(mine.runs())


async def _worker(cluster: Cluster, *, oldest: int, newest: int) -> WorkerProcess:
    place: Path = cluster._place()
    worker = OtherVersion(cluster.backend, place, cluster._all({}), oldest=oldest, newest=newest)
    cluster.started.append(worker)
    await worker.start()
    return worker
