"""What the store answers with. Times are in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

Content = Mapping[str, Any]
"""JSON of a definition, or of the request for one. Older rows lack the keys that came later."""


@dataclass(frozen=True)
class NewVersion:
    """What is to be saved under a name: the request, the definition that it made, and what to show in lists."""

    content: Content
    definition_id: str
    definition: Content
    function: str
    signature: str
    note: str = ""


@dataclass(frozen=True)
class Saved:
    """A name, with what a list shows of its latest version. `key` is where the next page begins."""

    name: str
    version: int
    function: str
    signature: str
    created: datetime
    updated: datetime
    key: str


@dataclass(frozen=True)
class SavedVersion:
    """One version of a name. `latest` is the number of the newest one."""

    name: str
    version: int
    latest: int
    content: Content
    definition_id: str
    function: str
    signature: str
    note: str
    created: datetime


class TokenRow(NamedTuple):
    """A token, without what it is. The fields are the columns of the table; `scopes` are separated by spaces."""

    id: str
    name: str
    hash: str
    scopes: str
    created: datetime
    created_by: str
    expires: datetime | None = None
    used: datetime | None = None
    revoked: datetime | None = None
