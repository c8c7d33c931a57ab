"""Which nodes were asked to give their work to others."""

from alembic import op

revision = "0075"
down_revision = "0074"


def upgrade() -> None:
    op.execute("ALTER TABLE node_reports ADD COLUMN drain_requested_at timestamptz")
