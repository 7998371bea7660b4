"""Makes this process a worker of a cluster."""

from qflow_runner.api.operations import calls_of
from qflow_runner.api.parts import large_items
from qflow_runner.api.state import State
from qflow_runner.engine import Embedded
from qflow_runner.engine.cluster.worker import Worker


def build_worker(state: State, identity: str) -> Worker:
    keys = state.database.keys
    worker = Worker(
        state.settings,
        keys,
        identity,
        engine=state.engine,
        calls=calls_of(state),
        sessions=state.sessions,
        events=state.events,
        store=large_items(state.settings, keys),
    )
    state.sessions.ask_elsewhere(worker.elsewhere)
    if isinstance(state.engine, Embedded):
        state.engine.beside = worker.health
    return worker
