"""What the handlers reach through the application."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from qflow_runner.access import Tokens
from qflow_runner.admission import Admission
from qflow_runner.analysis import Analyzer
from qflow_runner.api.guard import Guard
from qflow_runner.api.shared import SharedPlace
from qflow_runner.audit import Audit
from qflow_runner.cache import Inputs, ResultCache
from qflow_runner.code_policy import CodePolicy
from qflow_runner.definitions import Definitions
from qflow_runner.egress import Egress
from qflow_runner.engine import Engine
from qflow_runner.files import Files, Spill
from qflow_runner.layers import Layers
from qflow_runner.observe.events import Events
from qflow_runner.observe.lag import LoopLag
from qflow_runner.observe.tracing import Tracing
from qflow_runner.run import Flow
from qflow_runner.sandbox.keeper import Keeper
from qflow_runner.sandbox.limiter import Limiter
from qflow_runner.sessions import Sessions
from qflow_runner.settings import Settings
from qflow_runner.store import Database, Failures, History, Recorder, SavedDefinitions
from qflow_runner.upgrades import Upgrades
from qflow_runner.vetting import Vetting
from qflow_runner.workflows import Checker
from qflow_runner.workflows.kept import KeptWorkflows

if TYPE_CHECKING:
    from qflow_runner.api.draining import Drain


@dataclass(frozen=True)
class State:
    settings: Settings
    token: str
    tokens: Tokens
    audit: Audit
    guard: Guard
    definitions: Definitions
    keeper: Keeper
    sessions: Sessions
    flow: Flow
    engine: Engine
    limiter: Limiter
    analyzer: Analyzer
    code_policy: CodePolicy
    checker: Checker
    workflows: KeptWorkflows
    database: Database
    recorder: Recorder
    history: History
    failures: Failures
    inputs: Inputs
    saved: SavedDefinitions
    cache: ResultCache
    events: Events
    egress: Egress
    files: Files
    layers: Layers
    vetting: Vetting
    upgrades: Upgrades
    spill: Spill
    shared: SharedPlace
    admission: Admission
    drain: "Drain"
    lag: LoopLag
    tracing: Tracing


STATE = web.AppKey("state", State)
