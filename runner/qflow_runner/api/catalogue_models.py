"""The shapes of what there is to choose from."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qflow_runner.api.models import Verdict


class KeptWorkflow(BaseModel):
    """A workflow that was put, and its last check in figures."""

    id: str
    name: str
    ok: bool = Field(description="False when a link is incompatible")
    nodes: int = Field(description="Qflow nodes")
    links: int = Field(description="Links between them")
    refused: int = Field(description="Of these, the incompatible ones")
    bytes: int | None = Field(description="Size of its JSON; null where only the check is left")


class WorkflowList(BaseModel):
    workflows: list[KeptWorkflow] = Field(description="The one that was put last first")


class TypesQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str = Field(
        default="", max_length=2_000, description="Judge how a value of this type flows into each"
    )
    target: str = Field(
        default="",
        max_length=2_000,
        description="Judge how a value of each flows into a parameter of this type",
    )

    @model_validator(mode="after")
    def _one_at_most(self) -> "TypesQuery":
        if self.source and self.target:
            raise ValueError("only one of 'source' and 'target' can be given")
        return self


class KnownType(BaseModel):
    name: str
    group: str
    parent: str | None = Field(description="The nearest type of this list that it is a kind of")
    ancestors: list[str] = Field(description="All that it derives from, the nearest first")
    verdict: Verdict | None = Field(description="Null where nothing was asked")
    reason: str


class TypeList(BaseModel):
    types: list[KnownType]


class SandboxRetired(BaseModel):
    retired: str
