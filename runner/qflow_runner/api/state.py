"""What the handlers reach through the application."""

from dataclasses import dataclass

from aiohttp import web

from qflow_runner.analysis import Analyzer
from qflow_runner.cache import ResultCache
from qflow_runner.definitions import Definitions
from qflow_runner.files import Files, Spill
from qflow_runner.layers import Layers
from qflow_runner.observe.events import Events
from qflow_runner.run import Flow
from qflow_runner.sandbox.keeper import Keeper
from qflow_runner.sessions import Sessions
from qflow_runner.settings import Settings
from qflow_runner.store import Database, SavedDefinitions
from qflow_runner.upgrades import Upgrades
from qflow_runner.vetting import Vetting
from qflow_runner.workflows import Checker
from qflow_runner.workflows.kept import KeptWorkflows


@dataclass(frozen=True)
class State:
    settings: Settings
    token: str
    definitions: Definitions
    keeper: Keeper
    sessions: Sessions
    flow: Flow
    analyzer: Analyzer
    checker: Checker
    workflows: KeptWorkflows
    database: Database
    saved: SavedDefinitions
    cache: ResultCache
    events: Events
    files: Files
    layers: Layers
    vetting: Vetting
    upgrades: Upgrades
    spill: Spill


STATE = web.AppKey("state", State)
