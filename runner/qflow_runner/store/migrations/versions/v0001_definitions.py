"""Definitions, and definitions saved by name."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    key = sa.String(1_000).with_variant(sa.String(1_000, collation="C"), "postgresql")
    op.create_table(
        "definitions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("used", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_definitions"),
    )
    op.create_index("ix_definitions_used", "definitions", ["used"])
    op.create_table(
        "saved",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("updated", moment, nullable=False),
        sa.Column("deleted", moment),
        sa.PrimaryKeyConstraint("id", name="pk_saved"),
        sa.UniqueConstraint("key", name="uq_saved_key"),
    )
    op.create_table(
        "saved_versions",
        sa.Column("saved_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("definition_id", sa.String(64), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.PrimaryKeyConstraint("saved_id", "version", name="pk_saved_versions"),
        sa.ForeignKeyConstraint(
            ["saved_id"], ["saved.id"], name="fk_saved_versions_saved_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["definition_id"], ["definitions.id"], name="fk_saved_versions_definition_id"
        ),
    )
    op.create_index("ix_saved_versions_definition_id", "saved_versions", ["definition_id"])
