"""Newer versions of packages: worked out, built beside the old, tried on recorded items, and accepted or not."""

from qflow_runner.upgrades.compare import Difference
from qflow_runner.upgrades.replay import Comparison, Replay, Replayer, Side
from qflow_runner.upgrades.upgrades import Upgrade, Upgrades

__all__ = ["Comparison", "Difference", "Replay", "Replayer", "Side", "Upgrade", "Upgrades"]
