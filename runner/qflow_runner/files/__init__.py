"""Bytes too large for a message: uploaded and returned files, and the spilled values of sessions.

Files are plain on disk while an execution lives, because a sandbox reads them in place; spilled values are
encrypted, because they stay for days. Nothing that a guest or a client sends is ever part of a path.
"""

from qflow_runner.files.files import Files, StoredFile
from qflow_runner.files.spill import Spill, SpilledValue
from qflow_runner.files.spill_writer import SpillWriter
from qflow_runner.files.writer import FileWriter
from qflow_runner.keys import Keys as Keys

__all__ = ["FileWriter", "Files", "Keys", "Spill", "SpillWriter", "SpilledValue", "StoredFile"]
