"""Who may call the runner: tokens with scopes, and how often an address or a token may."""

from qflow_runner.access.rates import Failures, Rates
from qflow_runner.access.scopes import BUNDLES, SCOPES, Scope, effective, expanded, read_scopes
from qflow_runner.access.tokens import Caller, MadeToken, Tokens, read_age

__all__ = [
    "BUNDLES",
    "SCOPES",
    "Caller",
    "Failures",
    "MadeToken",
    "Rates",
    "Scope",
    "Tokens",
    "effective",
    "expanded",
    "read_age",
    "read_scopes",
]
