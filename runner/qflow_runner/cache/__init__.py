"""Results of runs, kept for a while in memory, on disk and in Redis, for nodes that ask for it; and items to run again.

A cache never fails a run: what is away, damaged or full is a miss.
"""

from qflow_runner.cache.entry import MAX_TTL_S, Cached, Payload
from qflow_runner.cache.inputs import Inputs
from qflow_runner.cache.results import ResultCache, Stats

__all__ = ["MAX_TTL_S", "Cached", "Inputs", "Payload", "ResultCache", "Stats"]
