"""The root of the tree: what every failure says, and how it looks on the wire."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

Category = Literal[
    "user_code",
    "type",
    "dependency",
    "policy",
    "network",
    "timeout",
    "memory",
    "sandbox",
    "busy",
    "unavailable",
    "internal",
]
CATEGORIES: tuple[str, ...] = get_args(Category)


class QflowError(Exception):
    """Base of all that the runner answers as a problem document."""

    code: str = "internal"
    category: str = "internal"
    status: int = 500
    hint: str | None = None
    headers: ClassVar[Mapping[str, str]] = {}
    retry_after_s: int | None = None

    def __init__(self, detail: str, *, hint: str | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = {name: value for name, value in members.items() if value is not None}
        if hint is not None:
            self.hint = hint

    @property
    def title(self) -> str:
        return self.code.replace("_", " ").capitalize()

    def document(self) -> dict[str, Any]:
        """The members of the RFC 9457 document."""
        document: dict[str, Any] = {
            "type": f"urn:qflow:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "category": self.category,
            "code": self.code,
            "detail": self.detail,
        }
        if self.hint:
            document["hint"] = self.hint
        return document | self.members


class RequestError(QflowError):
    """The request cannot be carried out as it stands."""

    code = "request_invalid"
    category = "type"
    status = 400
