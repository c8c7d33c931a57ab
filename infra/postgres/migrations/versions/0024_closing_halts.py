"""Halts that close positions."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute("ALTER TABLE halts ADD COLUMN close_positions boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE halts ALTER COLUMN close_positions DROP DEFAULT")
