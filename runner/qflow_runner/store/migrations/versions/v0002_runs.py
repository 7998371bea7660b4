"""Executions, their node runs, and what each printed or failed with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "executions",
        sa.Column("execution", sa.String(200), nullable=False),
        sa.Column("workflow", sa.String(200), nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("execution", "workflow", name="pk_executions"),
        sqlite_with_rowid=False,
    )
    failed = sa.text("failed")
    op.create_index("ix_executions_id", "executions", ["id"])
    op.create_index("ix_executions_workflow", "executions", ["workflow", "id"])
    op.create_index(
        "ix_executions_failed", "executions", ["id"], sqlite_where=failed, postgresql_where=failed
    )
    times = (
        "ms",
        "packages_ms",
        "queue_ms",
        "sandbox_ms",
        "load_ms",
        "parse_ms",
        "bind_ms",
        "code_ms",
        "encode_ms",
    )
    op.create_table(
        "node_runs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("workflow", sa.String(200), nullable=False),
        sa.Column("execution", sa.String(200), nullable=False),
        sa.Column("node", sa.String(200), nullable=False),
        sa.Column("definition", sa.String(64), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in times),
        sa.Column("items_in", sa.Integer(), nullable=False),
        sa.Column("items_out", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("peak_mb", sa.Float(), nullable=False),
        sa.Column("cpu_ms", sa.Float(), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("python", sa.String(20), nullable=False),
        sa.Column("layer", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_node_runs"),
        sqlite_with_rowid=False,
    )
    bad = sa.text("outcome != 'ok'")
    op.create_index("ix_node_runs_execution", "node_runs", ["execution", "workflow", "id"])
    op.create_index(
        "ix_node_runs_outcome", "node_runs", ["outcome", "id"], sqlite_where=bad, postgresql_where=bad
    )
    op.create_table(
        "run_details",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("logs", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run_details"),
    )
