"""What the handlers reach through the application."""

from dataclasses import dataclass

from aiohttp import web

from qflow_runner.definitions import Definitions
from qflow_runner.run import Flow
from qflow_runner.sandbox.keeper import Keeper
from qflow_runner.sessions import Sessions
from qflow_runner.settings import Settings


@dataclass(frozen=True)
class State:
    settings: Settings
    token: str
    definitions: Definitions
    keeper: Keeper
    sessions: Sessions
    flow: Flow


STATE = web.AppKey("state", State)
