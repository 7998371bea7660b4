"""Executions, their node runs, and what each printed or failed with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "executions",
        sa.Column("workflow", sa.String(200), nullable=False),
        sa.Column("execution", sa.String(200), nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("started", moment, nullable=False),
        sa.Column("ended", moment, nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("ms", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("workflow", "execution", name="pk_executions"),
    )
    op.create_index("ix_executions_id", "executions", ["id"])
    op.create_table(
        "node_runs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("workflow", sa.String(200), nullable=False),
        sa.Column("execution", sa.String(200), nullable=False),
        sa.Column("node", sa.String(200), nullable=False),
        sa.Column("definition", sa.String(64), nullable=False),
        sa.Column("started", moment, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("ms", sa.Float(), nullable=False),
        sa.Column("timing", sa.JSON(), nullable=False),
        sa.Column("items_in", sa.Integer(), nullable=False),
        sa.Column("items_out", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("peak_mb", sa.Float(), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("python", sa.String(20), nullable=False),
        sa.Column("layer", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_node_runs"),
    )
    op.create_index("ix_node_runs_workflow", "node_runs", ["workflow", "execution", "id"])
    op.create_index("ix_node_runs_outcome", "node_runs", ["outcome", "id"])
    op.create_table(
        "run_details",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("problem", sa.JSON()),
        sa.Column("logs", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_run_details"),
    )
