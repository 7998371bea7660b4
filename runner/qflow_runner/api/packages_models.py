"""The shapes of what the calls about versions of packages take and answer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qflow_runner.api.models import Item, LogLine, PackageRow, Problem

Requirements = Annotated[
    list[Annotated[str, Field(max_length=10_000)]],
    Field(min_length=1, max_length=1_000, description="As a node has them: a requirement each"),
]
Python = Annotated[
    str, Field(max_length=10, description="Version, such as 3.12; empty: the definition's, or the default")
]


class LockBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    requirements: Requirements
    python: Python = ""


class UpgradeBody(LockBody):
    """With a definition and items, its run on both sets of packages is compared. The code's side effects happen twice."""

    definition: str | None = Field(default=None, max_length=200, description="Id of a definition to run")
    items: list[Item] | None = Field(
        default=None, description="What to run it with: pinned or recorded items"
    )
    args: list[dict[str, Any]] | None = Field(default=None, description="As for a run")
    secrets: dict[str, str] | None = Field(default=None, description="As for a run")

    @model_validator(mode="after")
    def _both_or_neither(self) -> "UpgradeBody":
        if (self.definition is None) != (self.items is None):
            raise ValueError("to compare, both 'definition' and 'items' must be given")
        return self


class UpgradeToken(BaseModel):
    model_config = ConfigDict(extra="forbid")

    upgrade: str = Field(min_length=1, max_length=200, description="From the answer to /v1/packages/upgrade")


class LockedLayer(BaseModel):
    id: str
    bytes: int


class LockReply(BaseModel):
    """The versions in use."""

    id: str
    python: str
    packages: list[PackageRow]
    layer: LockedLayer | None = Field(description="Null: it is installed by the first run that wants it")
    warnings: list[str]


class PackageAuditRow(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str
    version: str
    verdict: Literal["vulnerable", "not checked", "clean"]


class AuditReply(BaseModel):
    worst: Literal["vulnerable", "not checked", "clean"]
    checked_at: str = Field(alias="checkedAt")
    source: str
    packages: list[PackageAuditRow]


class AuditedLock(LockReply):
    audit: AuditReply


class VersionRow(BaseModel):
    name: str
    version: str


class ChangedRow(BaseModel):
    name: str
    before: str
    after: str


class AuditChange(BaseModel):
    before: AuditReply | None = Field(description="Null where these requirements had no lock")
    after: AuditReply


class RanSide(BaseModel):
    """How the run went on one set of packages: with `problem`, or with the rest."""

    lock: str
    items: int | None = Field(default=None, description="How many it gave")
    errors: int | None = None
    timing: dict[str, float] | None = None
    logs: list[LogLine] | None = None
    hints: list[str] | None = None
    problem: Problem | None = None


class DifferenceRow(BaseModel):
    """Long values are cut. Where a run has no value, the member is absent."""

    item: int
    path: str = Field(description="In the item, such as json.lines[2].price; empty: the item itself")
    before: Any = None
    after: Any = None


class ComparisonReply(BaseModel):
    equal: bool = Field(description="Both ran, and gave the same items")
    before: RanSide | None = Field(description="Null where nothing was run")
    after: RanSide = Field(description="A build that failed is its problem")
    differences: list[DifferenceRow] = Field(description="In the items' order")
    more: int = Field(description="Differences that are not listed")


class UpgradeReply(BaseModel):
    upgrade: str = Field(description="For /v1/packages/accept, within an hour")
    lock: str = Field(description="Id of the new lock")
    layer: LockedLayer | None = Field(description="Null where it could not be built")
    added: list[VersionRow]
    removed: list[VersionRow]
    changed: list[ChangedRow]
    same: bool = Field(description="Nothing changes")
    warnings: list[str]
    audit: AuditChange
    comparison: ComparisonReply | None
