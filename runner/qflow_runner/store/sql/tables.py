"""The tables as they are at `HEAD`. A change here comes with a migration, and a test compares both."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, Dialect, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.types import TypeDecorator

HEAD = "0001"
"""The migration that makes these tables. Known here, so that a start that has nothing to migrate imports no Alembic."""

KEY_LENGTH = 1_000
"""Case folding makes at most three characters of one."""


class Moment(TypeDecorator[datetime]):
    """A time in UTC, also where the database keeps no zone."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


# PostgreSQL sorts by its locale unless told otherwise, and a page's cursor needs one order everywhere.
Key = String(KEY_LENGTH).with_variant(String(KEY_LENGTH, collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

definitions = Table(
    "definitions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("content", JSON, nullable=False),
    Column("created", Moment, nullable=False),
    Column("used", Moment, nullable=False),
    Index(None, "used"),
)

saved = Table(
    "saved",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Key, nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("latest", Integer, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("deleted", Moment),
)

versions = Table(
    "saved_versions",
    metadata,
    Column("saved_id", Integer, ForeignKey("saved.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("content", JSON, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("definition_id", String(64), ForeignKey("definitions.id"), nullable=False),
    Column("function", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Index(None, "definition_id"),
)
