"""The tables as they are at `HEAD`. A change here comes with a migration, and a test compares both."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.types import TypeDecorator

HEAD = "0005"
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

workflows = Table(
    "workflows",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("content", Text, nullable=False),
    Column("put", Moment, nullable=False),
    Index(None, "put"),
)

executions = Table(
    "executions",
    metadata,
    Column("execution", String(200), primary_key=True),
    Column("workflow", String(200), primary_key=True),
    Column("id", String(32), nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
    Column("failed", Boolean, nullable=False),
    Index(None, "id"),
    Index(None, "workflow", "id"),
    Index("ix_executions_failed", "id", sqlite_where=text("failed"), postgresql_where=text("failed")),
    sqlite_with_rowid=False,
)
"""`id` is that of its first run: ids of runs are in the order of time, so that one column sorts and pages.

Times are milliseconds since 1970. Nothing here is counted up, so that a batch whose fate is not known can be written
again.
"""

node_runs = Table(
    "node_runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("workflow", String(200), nullable=False),
    Column("execution", String(200), nullable=False),
    Column("node", String(200), nullable=False),
    Column("definition", String(64), nullable=False),
    Column("ended", BigInteger, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("code", String(60), nullable=False),
    Column("ms", Float, nullable=False),
    Column("packages_ms", Float, nullable=False),
    Column("queue_ms", Float, nullable=False),
    Column("sandbox_ms", Float, nullable=False),
    Column("load_ms", Float, nullable=False),
    Column("parse_ms", Float, nullable=False),
    Column("bind_ms", Float, nullable=False),
    Column("code_ms", Float, nullable=False),
    Column("encode_ms", Float, nullable=False),
    Column("items_in", Integer, nullable=False),
    Column("items_out", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Column("peak_mb", Float, nullable=False),
    Column("cpu_ms", Float, nullable=False),
    Column("cached", Boolean, nullable=False),
    Column("python", String(20), nullable=False),
    Column("layer", String(64), nullable=False),
    Index(None, "execution", "workflow", "id"),
    Index(
        "ix_node_runs_outcome",
        "outcome",
        "id",
        sqlite_where=text("outcome != 'ok'"),
        postgresql_where=text("outcome != 'ok'"),
    ),
    sqlite_with_rowid=False,
)
"""The columns are the fields of `RunRow`, in its order. Most runs touch the table and one index: this is on their path."""

run_details = Table(
    "run_details",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("problem", Text, nullable=False),
    Column("logs", Text, nullable=False),
)
"""What is read of one run alone, as JSON, apart from the rows that are listed."""


tokens = Table(
    "tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("created", Moment, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("expires", Moment),
    Column("used", Moment),
    Column("revoked", Moment),
)
"""`hash` is SHA-256 of the whole token, whose 32 random bytes nobody guesses; `scopes` are separated by spaces."""

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("runner", String(40), nullable=False),
    Column("actor", String(40), nullable=False),
    Column("name", String(200), nullable=False),
    Column("origin", String(100), nullable=False),
    Column("action", String(60), nullable=False),
    Column("object", String(400), nullable=False),
    Column("outcome", String(60), nullable=False),
    Column("details", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "at"),
    Index(None, "action", "seq"),
)
"""The columns are the fields of `AuditRow`, in its order. Triggers refuse every change, and what is not yet pruned stays."""

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("pruned_seq", BigInteger, nullable=False),
    Column("pruned_hash", String(64), nullable=False),
    Column("pruned_mac", String(64), nullable=False),
)
"""One row: the end of the chain, which whoever appends holds meanwhile, and the last row that was pruned."""
