"""Workflows as n8n saves them: read as a graph of Qflow nodes, and every link of it judged by types."""

from qflow_runner.workflows.check import Check as Check
from qflow_runner.workflows.check import CheckedLink as CheckedLink
from qflow_runner.workflows.check import Checker as Checker
from qflow_runner.workflows.graph import Workflow as Workflow
