"""``python -m qflow_runner`` is the command `qflow`."""

from qflow_runner.cli import main

main()
