"""The shapes of what running a workflow takes and answers."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qflow_runner.api.models import Item, LogLine, Name, Problem, ReplyItem
from qflow_runner.workflows import Workflow


class BoundSecret(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: str
    hosts: str = Field(
        min_length=1,
        max_length=5_000,
        description="host:port each, with commas between; a sandbox that can reach another host does not get it",
    )


class WorkflowRunBody(BaseModel):
    """All of it may be absent: then the workflow that was put under this id is run, one node after another."""

    model_config = ConfigDict(extra="forbid")

    workflow: Workflow | None = Field(
        default=None, description="n8n's JSON; absent: the one of PUT /v1/workflows/{id}"
    )
    items: dict[str, list[Item]] | list[Item] | None = Field(
        default=None,
        description="By node: what one that is not Qflow's gives, before its pinned data, or what a Qflow node takes. "
        "Or what every node gives that starts the workflow",
    )
    nodes: list[str] | None = Field(
        default=None, min_length=1, max_length=5_000, description="Only these Qflow nodes, and what they need"
    )
    concurrent: bool = Field(
        default=False, description="Whether nodes run at the same time that do not depend on each other"
    )
    execution: Name | None = Field(default=None, min_length=1, description="Its id; one is made when absent")
    check: bool = Field(default=True, description="Whether an incompatible link refuses the run")
    keep_session: bool = Field(
        default=False,
        description="Whether references and files in the answer can be used after it; DELETE the session then",
    )
    secrets: dict[str, str | BoundSecret] | None = Field(
        default=None,
        description="As a credential of n8n has them, for the nodes that have the option 'Use Secrets'; seen by their "
        "code alone",
    )


class NodeRun(BaseModel):
    status: Literal["ok", "error", "skipped"]
    items: list[list[ReplyItem]] = Field(description="By output")
    ms: float = Field(description="Of its runs together; 0 where it did not run")
    timing: dict[str, float] = Field(description="Milliseconds by phase")
    logs: list[LogLine]
    hints: list[str]
    errors: list[dict[str, Any]] | None = Field(
        default=None, description="Problems of items that failed alone, where failures go on"
    )
    problem: Problem | None = Field(default=None, description="Why the node failed")
    reason: str | None = Field(default=None, description="Why it was skipped")


class WorkflowRunReply(BaseModel):
    execution: str
    ok: bool = Field(description="False when a node failed")
    nodes: dict[str, NodeRun]
    order: list[str] = Field(description="Nodes as they were begun")
    ms: float
    hints: list[str]
