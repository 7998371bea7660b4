"""The shapes of what the calls about saved definitions take and answer."""

from datetime import datetime
from typing import Annotated, TypedDict

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qflow_runner.api.models import Analysis
from qflow_runner.definitions import MAX_CODE, DefinitionReply, DefinitionRequest

MAX_PAGE = 200
MAX_VERSION = 2**31 - 1


class SavedUse(BaseModel):
    """A saved definition, by name."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    version: int | None = Field(default=None, ge=1, le=MAX_VERSION, description="The latest one when absent")


class DefinitionBody(DefinitionRequest):
    """A definition: its code, or the name under which one was saved. What is set beside a name goes before the saved."""

    code: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
        str | None,
        Field(min_length=1, max_length=MAX_CODE, description="Python source; absent where `saved` is given"),
    ] = None
    saved: SavedUse | None = Field(default=None, description="In place of `code`")

    @model_validator(mode="after")
    def _one_of_both(self) -> "DefinitionBody":
        if (self.code is None) == (self.saved is None):
            raise ValueError("exactly one of 'code' and 'saved' must be given")
        return self

    def request(self) -> DefinitionRequest:
        """As it was read, where it has code."""
        return DefinitionRequest.model_construct(
            **{name: value for name, value in self if name in DefinitionRequest.model_fields}
        )


class DefinitionAnswer(DefinitionReply):
    """The answer to PUT /v1/definitions."""

    saved_name: str | None = Field(default=None, description="Where a saved definition was asked for")
    saved_version: int | None = Field(default=None, description="The version that it is")


class SavedBody(DefinitionRequest):
    """A definition to save, and a note about this version."""

    note: str = Field(default="", max_length=2_000, description="What this version is about")
    based_on: int | None = Field(
        default=None,
        ge=0,
        le=MAX_VERSION,
        description="The version that was changed, 0 for a new name: refused with 409 where another one is the latest by now",
    )


class SavedQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    q: str = Field(default="", max_length=200, description="Part of a name, in any case")
    cursor: str = Field(default="", max_length=4_000, description="From the page before")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Names on a page")


class VersionQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(default=None, ge=1, le=MAX_VERSION, description="The latest one when absent")


class VersionsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: int | None = Field(default=None, ge=1, le=MAX_VERSION, description="From the page before")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Versions on a page")


class SavedEntry(BaseModel):
    name: str
    version: int = Field(description="The latest one")
    function: str = Field(description="What a run calls; empty for a script")
    signature: str
    created: datetime
    updated: datetime


class SavedList(BaseModel):
    saved: list[SavedEntry] = Field(description="In alphabetical order")
    cursor: str | None = Field(description="For the next page; null on the last")


class VersionFields(TypedDict):
    name: str
    version: int
    latest: int
    definition: str
    function: str
    signature: str
    note: str
    created: datetime


class Version(BaseModel):
    name: str
    version: int
    latest: int = Field(description="The number of the newest version")
    definition: str = Field(description="Id of the definition that it made when it was saved")
    function: str
    signature: str
    note: str
    created: datetime


class SavedReply(Version):
    added: bool = Field(description="False where the latest version has this very content already")


class SavedContent(Version):
    content: DefinitionRequest
    analysis: Analysis


class VersionList(BaseModel):
    versions: list[Version] = Field(description="The newest first")
    cursor: int | None = Field(description="For the next page; null on the last")


class SavedDeleted(BaseModel):
    deleted: str
